"""The router's settings, all from its environment."""

import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from causeway.kit.errors import Exit, Problem
from causeway.rooms.routes.admission import Rules
from causeway.rooms.routes.certificates import Unusable, authorities
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.controller import Selection
from causeway.rooms.routes.statuses import Identity
from causeway.serve.router.default import require_pair
from causeway.serve.router.variables import PREFIX, settings_in, unknown

_PORTS = re.compile(r".*:([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_USUAL = {"HTTP": "*:80", "HTTPS": "*:443"}
_CONNECTIONS = 20_000
_FILES = 1_000  # that HAProxy has open beside connections


@dataclass(frozen=True)
class Settings:
    """What ``causeway serve router`` goes by; ``drain`` and ``leave`` are seconds.

    ``unknown`` are variables that look like settings, each with the one that may be meant, "" for none.
    """

    offer: Offer
    front: Front
    selection: Selection
    identity: Identity
    spares: int
    health_port: int
    metrics_address: str
    leave: float
    drain: float
    unknown: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings; raises ``Problem`` naming the variable that is malformed."""
        read = _Reader(environment)
        directory = Path(read.text("DIRECTORY", "/run/causeway-router"))
        suffix = read.text("SUFFIX", "")
        cookie = read.text("COOKIE", "causeway")
        drain = read.number("DRAIN_SECONDS", 30)
        return cls(
            offer=Offer(
                directory=directory,
                rules=Rules(
                    wildcards=read.flag("WILDCARDS"),
                    suffix=suffix,
                    reserved=frozenset(filter(None, read.text("RESERVED", "").split(","))),
                ),
                cookie=cookie,
                authorities=read.authorities("DESTINATION_CA"),
                balance=read.choice("BALANCE", ("random", "roundrobin", "leastconn", "source")),
            ),
            front=Front(
                plain=read.places("HTTP"),
                secure=read.places("HTTPS"),
                certificate=read.certificate("CERTIFICATE", directory / "default.pem"),
                proxy_protocol=read.flag("PROXY_PROTOCOL"),
                connections=read.number("CONNECTIONS", _connections()),
                threads=read.number("THREADS", 0),
                drain_seconds=max(1, read.number("HARD_STOP_SECONDS", 3600)),
                log=read.text("ACCESS_LOG", "stdout"),
                client_authorities=read.text("CLIENT_CA", ""),
                client_verify=read.client_verify(),
                forwarded=read.choice("FORWARDED", ("append", "replace", "if-none", "never")),
                cookie=cookie,
                ports=read.ports("PORTS"),
            ),
            selection=Selection(read.text("ROUTE_LABELS", ""), read.text("NAMESPACE_LABELS", "")),
            identity=Identity(read.text("NAME", "default"), read.text("CANONICAL_HOSTNAME", "")),
            spares=read.number("SPARES", 100),
            health_port=read.number("HEALTH_PORT", 9879),
            metrics_address=environment.get("CAUSEWAY_METRICS_ADDRESS", ""),
            leave=float(read.number("LEAVE_SECONDS", 5)),
            drain=float(drain),
            unknown=unknown(read.given, read.asked),  # the last: all others have been asked for
        )


class _Reader:
    """Reads what is ``given``, and keeps which names were ``asked`` for: all there are, in the end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.given = settings_in(environment)
        self.asked: set[str] = set()

    def text(self, name: str, default: str) -> str:
        self.asked.add(name)
        value = self.given.get(name, default)
        if any(each.isspace() for each in value):
            raise _wrong(name, f"{value!r} has space in it", "Give it without.")
        return value

    def number(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit()):
            raise _wrong(name, f"{value!r} is not a number", "Give a whole number.")
        return int(value)

    def flag(self, name: str) -> bool:
        return self.choice(name, ("false", "true")) == "true"

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            raise _wrong(name, f"{value!r} is none of {', '.join(choices)}", "Give one of them.")
        return value

    def ports(self, name: str) -> tuple[str, ...]:
        found = tuple(filter(None, self.text(name, "").split(",")))
        usual = {
            number for each in (*self.places("HTTP"), *self.places("HTTPS")) for number in _numbers(each)
        }
        for each in found:
            numbers = _numbers(each)
            if not numbers:
                raise _wrong(
                    name, f"{each!r} is no place to listen", "Give ADDRESS:PORT or ADDRESS:FIRST-LAST."
                )
            if not usual.isdisjoint(numbers):
                raise _wrong(name, f"{each!r} has a port of HTTP or HTTPS", "Leave that port out.")
        return found

    def places(self, name: str) -> tuple[str, ...]:
        return tuple(self.text(name, _USUAL[name]).split(","))

    def client_verify(self) -> str:
        verify = self.choice("CLIENT_VERIFY", ("none", "optional", "required"))
        if verify != "none" and not self.text("CLIENT_CA", ""):
            raise _wrong("CLIENT_CA", "is not set", "Name the file of authorities clients are verified by.")
        return verify

    def certificate(self, name: str, otherwise: Path) -> Path:
        path = self.text(name, "")
        if not path:
            return otherwise
        try:
            require_pair(Path(path))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise _wrong(
                name, f"{path} cannot be used: {error}", "Name a file of a PEM certificate with its key."
            ) from None
        return Path(path)

    def authorities(self, name: str) -> str:
        path = self.text(name, "")
        if not path:
            return ""
        try:
            return authorities(Path(path).read_text(), "its text")
        except (OSError, UnicodeDecodeError, Unusable) as error:
            raise _wrong(
                name, f"{path} cannot be used: {error}", "Name a file of PEM certificates."
            ) from None


def _numbers(place: str) -> range:
    """Return the ports of a place to listen, ADDRESS:PORT or ADDRESS:FIRST-LAST; none if it is neither."""
    ends = _PORTS.fullmatch(place)
    if ends is None:
        return range(0)
    first, last = int(ends[1]), int(ends[2] or ends[1])
    return range(first, last + 1) if 0 < first <= last < 65_536 else range(0)


def _connections() -> int:
    """Return how many connections this process' bound of open files allows; each takes two."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _CONNECTIONS if most == resource.RLIM_INFINITY else max(100, min(_CONNECTIONS, (most - _FILES) // 2))
    )


def _wrong(name: str, cause: str, remedy: str) -> Problem:
    return Problem.of(PREFIX + name, cause, remedy, exit_code=Exit.USAGE)
