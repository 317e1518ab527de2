"""What annotations of ingress-nginx ask for, said in the words of Routes' annotations: pure.

Each is in one of these tables. One that keeps somebody out, or decides who answers, and cannot be followed
has the Ingress refused: without, it would be another thing than what was asked for. Others are told.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping

import msgspec

from causeway.rooms.routes.annotations import FALSE, HAPROXY, ROUTER, TRUE, Misread, whole

PREFIX = "nginx.ingress.kubernetes.io/"
_LIMIT = f"{HAPROXY}rate-limit-connections"


class Translation(msgspec.Struct, frozen=True):
    """What is asked for: ``annotations`` as a Route has them, and what a Route says in its spec.

    ``redirect`` is whether plain requests are sent to HTTPS where there is TLS, ``forced`` whether there is
    TLS anyway. ``target`` is what paths are rewritten to, ``regex`` whether they are expressions. ``notes``
    are what is not followed.
    """

    annotations: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    redirect: bool = True
    forced: bool = False
    passthrough: bool = False
    reencrypt: bool = False
    target: str = ""
    regex: bool = False


def translate(annotations: Mapping[str, str]) -> Translation:
    """Return what the annotations of ingress-nginx among ``annotations`` ask for; raises ``Misread``."""
    asked = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in annotations.items()
        if name.startswith(PREFIX)
    }
    for name, value in sorted(asked.items()):
        if (guard := _guard(name)) and not _is_off(name, value):
            raise Misread(f"annotation {PREFIX}{name}: is not supported: {guard}")
    said: dict[str, str] = {}
    for name in sorted(asked.keys() & SAME.keys()):
        if not asked.get(NEWER.get(name, "")):
            said |= SAME[name](name, asked[name])
    said |= _limits(asked)
    protocol = asked.get("backend-protocol", "HTTP").upper()
    if protocol not in ("", "HTTP", "HTTPS"):
        raise Misread(
            f"annotation {PREFIX}backend-protocol: {protocol} is not supported: for HTTP/2 and gRPC without "
            "TLS give the service's port the appProtocol kubernetes.io/h2c"
        )
    return Translation(
        annotations=said,
        notes=tuple(_notes(asked)),
        redirect=_flag(asked, "ssl-redirect", usual=True),
        forced=_flag(asked, "force-ssl-redirect"),
        passthrough=_flag(asked, "ssl-passthrough"),
        reencrypt=protocol == "HTTPS",
        target=asked.get("rewrite-target", ""),
        regex=_flag(asked, "use-regex"),
    )


def _ranges(name: str, value: str) -> dict[str, str]:
    words = [word.strip() for word in value.split(",") if word.strip()]
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise Misread(f"annotation {PREFIX}{name}: {word!r} is neither an address nor a range") from None
    return {f"{HAPROXY}ip_allowlist": " ".join(words)} if words else {}


def _seconds(name: str, value: str) -> dict[str, str]:
    number = _number(name, value.removesuffix("s"))
    return {f"{HAPROXY}timeout": f"{number}s", f"{HAPROXY}timeout-tunnel": f"{number}s"} if number else {}


def _balance(name: str, value: str) -> dict[str, str]:
    if value not in ("", "round_robin"):
        raise Misread(f"annotation {PREFIX}{name}: {value!r}: use {HAPROXY}balance")
    return {f"{HAPROXY}balance": "roundrobin"} if value else {}


def _hash(name: str, value: str) -> dict[str, str]:
    if value not in ("", "$remote_addr", "$binary_remote_addr"):
        raise Misread(f"annotation {PREFIX}{name}: only by the client's address ($remote_addr)")
    return {f"{HAPROXY}balance": "source"} if value else {}


def _affinity(name: str, value: str) -> dict[str, str]:
    if value not in ("", "cookie"):
        raise Misread(f"annotation {PREFIX}{name}: {value!r} is not cookie")
    return {}


def _same_site(_name: str, value: str) -> dict[str, str]:
    return {f"{ROUTER}cookie-same-site": value.capitalize()} if value else {}  # case is ignored


def _as(other: str) -> Callable[[str, str], dict[str, str]]:
    return lambda _name, value: {other: value} if value else {}


SAME: Mapping[str, Callable[[str, str], dict[str, str]]] = {
    "whitelist-source-range": _ranges,
    "allowlist-source-range": _ranges,
    "proxy-read-timeout": _seconds,
    "load-balance": _balance,
    "upstream-hash-by": _hash,
    "affinity": _affinity,
    "session-cookie-name": _as(f"{ROUTER}cookie_name"),
    "session-cookie-samesite": _same_site,
}
"""Those that mean what annotations of Routes mean."""

NEWER: Mapping[str, str] = {"whitelist-source-range": "allowlist-source-range"}
"""Those that count only as long as their newer name, which is given here, says nothing."""

ELSEWHERE = frozenset(
    {
        "ssl-redirect",
        "force-ssl-redirect",
        "ssl-passthrough",
        "backend-protocol",
        "rewrite-target",
        "use-regex",
        "limit-rps",
        "limit-rpm",
        "limit-connections",
    }
)
"""Those that several together, or the spec of a Route, express."""

NOTHING_TO_DO = frozenset(
    {
        "affinity-mode",
        "client-body-buffer-size",
        "enable-access-log",
        "enable-rewrite-log",
        "http2-push-preload",
        "preserve-trailing-slash",
        "proxy-buffer-size",
        "proxy-buffering",
        "proxy-buffers-number",
        "proxy-http-version",
        "proxy-max-temp-file-size",
        "proxy-request-buffering",
        "session-cookie-change-on-failure",
        "session-cookie-conditional-samesite-none",
    }
)
"""Those about how nginx works inside, or what is so here anyway: nothing waits in a buffer."""

GUARDS: Mapping[str, str] = {
    "auth-tls-": "clients' certificates are asked for by the whole router (CAUSEWAY_ROUTER_CLIENT_VERIFY)",
    "auth-": "let the application, or a proxy in front of it, ask who it is",
    "enable-global-auth": "let the application, or a proxy in front of it, ask who it is",
    "satisfy": "there is no authentication here",
    "denylist-source-range": f"say who may, by {HAPROXY}ip_allowlist",
    "canary": "use a Route with alternateBackends and weights",
    "enable-modsecurity": "put a firewall of applications in front of the service",
    "enable-owasp-core-rules": "put a firewall of applications in front of the service",
    "modsecurity-": "put a firewall of applications in front of the service",
    "configuration-snippet": "there is no nginx; headers are changed by a Route's httpHeaders",
    "server-snippet": "there is no nginx; headers are changed by a Route's httpHeaders",
    "stream-snippet": "there is no nginx",
    "limit-allowlist": "limits are for everybody",
    "limit-whitelist": "limits are for everybody",
    "global-rate-limit": "limits are each router's own (limit-rps)",
    "permanent-redirect": "let the application redirect",
    "temporal-redirect": "let the application redirect",
}
"""Those that have the Ingress refused, by the beginning of their names, with what to do instead."""

INSTEAD: Mapping[str, str] = {
    "app-root": "let the application redirect from /",
    "connection-proxy-header": "HAProxy decides it",
    "cors-": "let the application answer, or set headers by a Route's httpHeaders",
    "custom-http-errors": "let the application make its pages of errors",
    "default-backend": "use spec.defaultBackend",
    "enable-cors": "let the application answer, or set headers by a Route's httpHeaders",
    "enable-opentelemetry": "the router makes no spans of requests",
    "enable-opentracing": "the router makes no spans of requests",
    "from-to-www-redirect": "name both hosts in rules",
    "limit-burst-multiplier": "limits are counted over 10 seconds",
    "limit-rate": "the rate of bytes is not bounded",
    "mirror-": "requests are not copied",
    "proxy-body-size": "bodies are not bounded here; the application may",
    "proxy-connect-timeout": "it is 5 s for all",
    "proxy-cookie-": "let the application set its cookies for the path clients see",
    "proxy-next-upstream": "a request is sent again only if its connection was not accepted",
    "proxy-redirect-": "let the application redirect to the names clients see",
    "proxy-send-timeout": "proxy-read-timeout bounds both directions",
    "proxy-ssl-": "name authorities by route.openshift.io/destination-ca-certificate-secret",
    "server-alias": "name each host in a rule",
    "service-upstream": "endpoints are always used",
    "session-cookie-": "the cookie is for the session and for the path of the rule",
    "ssl-ciphers": "they are the same for the whole router",
    "ssl-prefer-server-ciphers": "they are the same for the whole router",
    "upstream-vhost": "applications are told the host clients asked for",
    "x-forwarded-prefix": "set it by a Route's httpHeaders",
}
"""Those that are told and left out, by the beginning of their names, with what to do instead."""


SWITCHES = frozenset(
    {
        "canary",
        "cors-allow-credentials",
        "enable-cors",
        "enable-global-auth",
        "enable-modsecurity",
        "enable-opentelemetry",
        "enable-opentracing",
        "enable-owasp-core-rules",
        "from-to-www-redirect",
        "service-upstream",
        "ssl-prefer-server-ciphers",
    }
)
"""Those of ``GUARDS`` and ``INSTEAD`` that are true or false: for others ``f`` may be a name."""


def _is_off(name: str, value: str) -> bool:
    """Return whether an annotation asks for nothing."""
    return value in FALSE if name in SWITCHES else value in ("", "false")


def _guard(name: str) -> str:
    return next((text for start, text in GUARDS.items() if name.startswith(start)), "")


def _notes(asked: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(asked):
        if name in SAME or name in ELSEWHERE or name in NOTHING_TO_DO or _is_off(name, asked[name]):
            continue
        found = next((text for start, text in INSTEAD.items() if name.startswith(start)), "it is not known")
        yield f"annotation {PREFIX}{name}: has no effect: {found}"


def _limits(asked: Mapping[str, str]) -> dict[str, str]:
    """Return the bounds of a client: of requests in 10 s, which nginx counts by the second or minute."""
    tens = [_number("limit-rps", asked.get("limit-rps", "")) * 10]
    tens.append(-(-_number("limit-rpm", asked.get("limit-rpm", "")) // 6))
    said = {
        f"{_LIMIT}.rate-http": min((each for each in tens if each), default=0),
        f"{_LIMIT}.concurrent-tcp": _number("limit-connections", asked.get("limit-connections", "")),
    }
    found = {name: str(number) for name, number in said.items() if number}
    return found | {_LIMIT: "true"} if found else {}


def _number(name: str, value: str) -> int:
    number = whole(value or "0")
    if number is None:
        raise Misread(f"annotation {PREFIX}{name}: {value!r} is no number")
    return number


def _flag(asked: Mapping[str, str], name: str, *, usual: bool = False) -> bool:
    value = asked.get(name, "")
    if value not in TRUE | FALSE:
        raise Misread(f"annotation {PREFIX}{name}: {value!r} is neither true nor false")
    return value in TRUE or (usual and not value)
