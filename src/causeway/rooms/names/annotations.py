"""The annotations of external-dns, read as it reads them. Pure.

Since its release 0.22 their prefix is ``external-dns.kubernetes.io/``; the older one, with ``alpha``, is read
as well, and loses where both are given.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

PREFIXES = ("external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/")
HOSTNAME, INTERNAL_HOSTNAME, TARGET, TTL = "hostname", "internal-hostname", "target", "ttl"
CONTROLLER, _OURS = "controller", "dns-controller"
HOSTS, GATEWAY_HOSTS = "ingress-hostname-source", "gateway-hostname-source"
_BOTH = (True, True)  # whether those of annotations count, and the object's own
_ONLY = {"annotation-only": (True, False), "defined-hosts-only": (False, True)}

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+")
_LONGEST_NAME = 255
_LARGEST_TTL = 2**31 - 1
_LONGEST_TTL = 40  # characters: a number of many digits is more than can be read, or counted
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|m|s|ms))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Annotations:
    """What an object says of its names; ``errors`` are sentences about what cannot be read.

    Without ``ours`` another controller is meant. ``hostnames`` are left out if only the object's own hosts
    count, ``hosts`` says whether these do. Without ``inherits`` an object without hosts has none of others'.
    """

    ours: bool = True
    hostnames: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    ttl: int | None = None
    errors: tuple[str, ...] = ()
    hosts: bool = True
    inherits: bool = True

    @property
    def given(self) -> bool:
        """Return whether any name is given."""
        return bool(self.hostnames or self.internal)


def relevant(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations this room reads, by their names without a prefix."""
    return {
        key: annotations[prefix + key]
        for prefix in reversed(PREFIXES)
        for key in (CONTROLLER, HOSTNAME, INTERNAL_HOSTNAME, TARGET, TTL, HOSTS, GATEWAY_HOSTS)
        if prefix + key in annotations
    }


def read(annotations: Mapping[str, str], chosen_by: str = HOSTS) -> Annotations:
    """Return what annotations say; what cannot be read is left out and told.

    ``chosen_by`` is the one that says which hosts count.
    """
    found = relevant(annotations)
    errors: list[str] = []
    choice = found.get(chosen_by, "").lower()
    annotated, hosts = _ONLY.get(choice, _BOTH)
    if choice and choice not in _ONLY:
        errors.append(f"{chosen_by} {choice!r} is neither {' nor '.join(_ONLY)}: both count")
    return Annotations(
        found.get(CONTROLLER, _OURS) == _OURS,
        tuple(_names(found, HOSTNAME, errors)) if annotated else (),
        tuple(_names(found, INTERNAL_HOSTNAME, errors)),
        tuple(_targets(found, errors)),
        _ttl(found, errors),
        tuple(errors),
        hosts,
        choice not in _ONLY,
    )


def absolute(name: str) -> str | None:
    """Return a name in lower case with the dot at its end, None if it is none."""
    name = f"{name.strip().rstrip('.').lower()}."
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else None


def target(text: str) -> str | None:
    """Return where a name can lead, an address or an absolute name, None if it is neither.

    An address with a zone is none: any text may follow the ``%``. Nor are digits at the end of a name one:
    it would be an address that is written wrongly.
    """
    try:
        return str(ip_address(text)) if "%" not in text else None
    except ValueError:
        name = absolute(text)
    if name is None or name.startswith("*") or name.split(".")[-2].isdigit():
        return None
    return name


def record_type(target: str) -> str:
    """Return the type of the record that leads to a target."""
    try:
        return "A" if ip_address(target).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def _names(found: Mapping[str, str], key: str, errors: list[str]) -> list[str]:
    names: list[str] = []
    for text in _listed(found.get(key, "")):
        name = absolute(text)
        if name is None:
            errors.append(f"{key} {text!r} is not a host name")
        elif name not in names:
            names.append(name)
    return names


def _targets(found: Mapping[str, str], errors: list[str]) -> list[str]:
    targets: list[str] = []
    before = len(errors)
    for text in _listed(found.get(TARGET, "")):
        place = target(text)
        if place is None:
            errors.append(f"{TARGET} {text!r} is neither an address nor a host name")
        elif place not in targets:
            targets.append(place)
    if len(errors) > before and not targets:
        errors[-1] += ", and names lead to the object's own addresses"
    return targets


def _ttl(found: Mapping[str, str], errors: list[str]) -> int | None:
    text = found.get(TTL, "").strip()
    if not text:
        return None
    if len(text) > _LONGEST_TTL:
        seconds = -1
    elif text.isascii() and text.isdigit():
        seconds = int(text)
    elif _DURATION.fullmatch(text):
        seconds = int(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    else:
        seconds = -1
    if not 0 <= seconds <= _LARGEST_TTL:
        form = "seconds or a duration such as 10m"
        errors.append(f"{TTL} {text[:_LONGEST_TTL]!r} is not {form}, from 1 second to {_LARGEST_TTL} seconds")
        return None
    return seconds or None  # 0 means that none is given


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
