"""What the annotations of a route ask for: read strictly, because what is misread is silently ignored."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

import msgspec

from causeway.rooms.routes.bounds import LONGEST_COOKIE, LONGEST_VALUE, MOST_RANGES

HAPROXY, ROUTER = "haproxy.router.openshift.io/", "router.openshift.io/"
"""What the names begin with."""

_TIME = re.compile(r"([1-9][0-9]*)(us|ms|s|m|h|d)?", re.ASCII)
_UNITS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_LONGEST = 2**31 - 1  # milliseconds HAProxy can count
_DIGITS = 19  # of a number that is read at all: Python refuses to read one of some thousands
_COOKIE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_HSTS = re.compile(
    r"(?:(?:includeSubDomains|preload)\s*;\s*)*max-age\s*=\s*(?:\d+|\"\d+\")"
    r"(?:\s*;\s*(?:includeSubDomains|preload))*",
    re.ASCII | re.IGNORECASE,
)
_TARGET = re.compile(r"/[A-Za-z0-9._~!$&()*+,;=:@/-]*", re.ASCII)
TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False", ""})

RANGES = (f"{HAPROXY}ip_allowlist", f"{HAPROXY}ip_whitelist")
"""Who may, by the newer name and the older one, which counts only if the newer one says nothing."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Misread(Exception):
    """An annotation cannot be followed; the message names it and says why."""


class RateLimits(msgspec.Struct, frozen=True):
    """Most that one client address may do; 0 for no bound. Rates are per 3 s (TCP) and 10 s (HTTP)."""

    concurrent_tcp: int = 0
    rate_tcp: int = 0
    rate_http: int = 0


class Options(msgspec.Struct, frozen=True):
    """What a route's annotations say; times in milliseconds, 0 and "" for what they do not say."""

    balance: str = ""
    timeout: int = 0
    tunnel: int = 0
    allowed: tuple[Network, ...] = ()
    limits: RateLimits | None = None
    connections_per_server: int = 0
    cookies: bool = True
    cookie: str = ""
    same_site: str = "None"
    hsts: str = ""
    forwarded: str = ""
    rewrite: str = ""
    check_interval: int = 0


def read(annotations: Mapping[str, str]) -> Options:
    """Return what ``annotations`` ask of a router; raises ``Misread``."""
    asked = {name: value.strip() for name, value in annotations.items() if name.startswith((HAPROXY, ROUTER))}
    unknown = sorted(asked.keys() - _KNOWN)
    if unknown:
        raise Misread(f"annotation {unknown[0]} is not known to this router: remove it")
    if _flag(asked, f"{HAPROXY}h1-adjust-case"):
        raise Misread(f"annotation {HAPROXY}h1-adjust-case is not supported: headers are sent in lower case")
    return Options(
        balance=_one_of(asked, f"{HAPROXY}balance", ("roundrobin", "leastconn", "source", "random")),
        timeout=_time(asked, f"{HAPROXY}timeout"),
        tunnel=_time(asked, f"{HAPROXY}timeout-tunnel"),
        allowed=tuple(_networks(asked)),
        limits=_limits(asked),
        connections_per_server=_number(asked, f"{HAPROXY}pod-concurrent-connections"),
        cookies=not _flag(asked, f"{HAPROXY}disable_cookies"),
        cookie=_matching(
            asked, f"{ROUTER}cookie_name", _COOKIE, "letters, digits, _ and -", longest=LONGEST_COOKIE
        ),
        same_site=_one_of(asked, f"{ROUTER}cookie-same-site", ("Lax", "Strict", "None")) or "None",
        hsts=" ".join(  # of several lines one, which is all HAProxy can have
            _matching(
                asked, f"{HAPROXY}hsts_header", _HSTS, "as in max-age=31536000;includeSubDomains"
            ).split()
        ),
        forwarded=_one_of(
            asked, f"{HAPROXY}set-forwarded-headers", ("append", "replace", "if-none", "never")
        ),
        rewrite=_matching(asked, f"{HAPROXY}rewrite-target", _TARGET, "a path of plain characters"),
        check_interval=_time(asked, f"{ROUTER}haproxy.health.check.interval"),
    )


_LIMIT = f"{HAPROXY}rate-limit-connections"
_KNOWN = frozenset(
    {
        f"{HAPROXY}{name}"
        for name in (
            "balance",
            "timeout",
            "timeout-tunnel",
            "ip_allowlist",
            "ip_whitelist",
            "rate-limit-connections",
            "rate-limit-connections.concurrent-tcp",
            "rate-limit-connections.rate-tcp",
            "rate-limit-connections.rate-http",
            "pod-concurrent-connections",
            "disable_cookies",
            "hsts_header",
            "set-forwarded-headers",
            "rewrite-target",
            "h1-adjust-case",
        )
    }
    | {
        f"{ROUTER}{name}"
        for name in (
            "cookie_name",
            "cookie-same-site",
            "haproxy.health.check.interval",
            "pool-size",  # of servers kept ready, which this router does not need to
        )
    }
)


def _one_of(asked: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = asked.get(name, "")
    if value and value not in choices:
        raise Misread(f"annotation {name}: {value!r} is none of {', '.join(choices)}")
    return value


def _matching(
    asked: Mapping[str, str],
    name: str,
    pattern: re.Pattern[str],
    form: str,
    *,
    longest: int = LONGEST_VALUE,
) -> str:
    value = asked.get(name, "")
    if len(value) > longest:
        raise Misread(f"annotation {name}: is longer than {longest} characters")
    if value and not pattern.fullmatch(value):
        raise Misread(f"annotation {name}: {value!r} is not in its form: {form}")
    return value


def _time(asked: Mapping[str, str], name: str) -> int:
    """Return milliseconds, at least 1 and at most what HAProxy can count; 0 if nothing is said."""
    value = asked.get(name, "")
    if not value:
        return 0
    found = _TIME.fullmatch(value)
    if found is None:
        raise Misread(f"annotation {name}: {value!r} is no time, as in 30s, 500ms, 5m")
    if len(found[1]) > _DIGITS:
        return _LONGEST
    return max(1, min(_LONGEST, int(found[1]) * _UNITS[found[2] or "ms"] // 1000))


def _number(asked: Mapping[str, str], name: str) -> int:
    value = asked.get(name, "")
    if not value:
        return 0
    number = whole(value)
    if number is None or number > _LONGEST:
        raise Misread(f"annotation {name}: {value!r} is no number")
    return number


def whole(text: str) -> int | None:
    """Return the whole number that ``text`` is, None if it is none, or one of very many digits."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS else None


def _flag(asked: Mapping[str, str], name: str) -> bool:
    value = asked.get(name, "")
    if value not in TRUE | FALSE:
        raise Misread(f"annotation {name}: {value!r} is neither true nor false")
    return value in TRUE


def _networks(asked: Mapping[str, str]) -> Iterator[Network]:
    for name in RANGES:
        text = asked.get(name, "")
        if not text:
            continue
        words = text.split()
        if len(words) > MOST_RANGES:
            raise Misread(f"annotation {name}: names more than {MOST_RANGES} ranges: join some of them")
        for word in words:
            try:
                yield ipaddress.ip_network(word, strict=False)
            except ValueError:
                raise Misread(f"annotation {name}: {word!r} is neither an address nor a range") from None
        return  # the newer name is the one that counts


def _limits(asked: Mapping[str, str]) -> RateLimits | None:
    """Return the bounds of a client, None without their switch: they are read all the same."""
    limits = RateLimits(
        _number(asked, f"{_LIMIT}.concurrent-tcp"),
        _number(asked, f"{_LIMIT}.rate-tcp"),
        _number(asked, f"{_LIMIT}.rate-http"),
    )
    return limits if _flag(asked, _LIMIT) else None
