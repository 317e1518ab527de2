"""The annotations of a Service of type LoadBalancer, read into typed wishes. Pure.

The names and meanings are those of cloud-provider-openstack, so that manifests written for it mean the same
here; a few of our own say what it has no word for. What is malformed becomes a note and counts as not given.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from causeway.rooms.services.model import ANY_SUBNET, Note, SubnetChoice

PREFIX = "loadbalancer.openstack.org/"
INTERNAL = "service.beta.kubernetes.io/openstack-internal-load-balancer"
ADDRESS = PREFIX + "load-balancer-address"
"""Written by us: the address a Service is reached at, also where its status shows a hostname."""
BALANCER = PREFIX + "load-balancer-id"
"""A wish to use this load balancer, or written by us: then ``NOTED`` says the same."""
NOTED = "causeway.dev/load-balancer-id"
"""Written by us: the load balancer a Service is reached through."""
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
PROVIDER = "causeway.dev/load-balancer-provider"
SHARE = "causeway.dev/load-balancer"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_LIMITS = {
    "timeout-client-data": "client_data",
    "timeout-member-connect": "member_connect",
    "timeout-member-data": "member_data",
    "timeout-tcp-inspect": "tcp_inspect",
}
_MONITOR = {
    "health-monitor-delay": "delay",
    "health-monitor-timeout": "timeout",
    "health-monitor-max-retries": "max_retries",
    "health-monitor-max-retries-down": "max_retries_down",
}
_LONGEST_WAIT = 365 * 24 * 3600 * 1000  # milliseconds; Octavia takes no more
_MOST = 2**31 - 1
_MOST_RETRIES = 10
_ALGORITHMS = ("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP", "SOURCE_IP_PORT")
_PROXY = {"true": "PROXY", "v1": "PROXY", "v2": "PROXYV2", "false": "", "": ""}
KNOWN = frozenset(
    {
        *(PREFIX + name for name in (*_LIMITS, *_MONITOR)),
        *(PREFIX + "floating-" + name for name in ("network-id", "subnet", "subnet-id", "subnet-tags")),
        *(PREFIX + name for name in ("subnet-id", "network-id", "member-subnet-id", "port-id")),
        *(PREFIX + name for name in ("class", "availability-zone", "flavor-id", "node-selector")),
        *(PREFIX + name for name in ("lb-method", "connection-limit", "proxy-protocol", "x-forwarded-for")),
        *(PREFIX + name for name in ("default-tls-container-ref", "enable-health-monitor", "hostname")),
        *(PREFIX + name for name in ("load-balancer-id", "load-balancer-address", "keep-floatingip")),
    }
)
"""The annotations of cloud-provider-openstack: each is honoured, or refused with a reason."""


@dataclass(frozen=True)
class Wishes:
    """What the annotations say; "" and None mean that nothing was said."""

    internal: bool = False
    class_name: str = ""
    provider: str = ""
    flavor: str = ""
    zone: str = ""
    subnet_id: str = ""
    network_id: str = ""
    port_id: str = ""
    member_subnet_id: str = ""
    floating_network_id: str = ""
    floating_subnet: SubnetChoice = ANY_SUBNET
    keep_floating: bool = False
    balancer_id: str = ""
    share: str = ""
    hostname: str = ""
    algorithm: str = ""
    connection_limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    proxy_protocol: str = ""  # the pool's protocol
    forwarded_for: bool = False
    tls: str = ""
    monitored: bool = False
    monitor: Mapping[str, int] = field(default_factory=dict)
    source_ranges: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def wishes(annotations: Mapping[str, str]) -> Wishes:
    """Return what ``annotations`` ask for."""
    return _Reader(annotations).read()


def written(annotations: Mapping[str, str]) -> Mapping[str, str]:
    """Return those annotations that we have written.

    They go with a copy of the Service, which does not thereby ask for the load balancer of the other.
    """
    names = {ADDRESS, NOTED}
    if NOTED in annotations and annotations[NOTED] == annotations.get(BALANCER):
        names.add(BALANCER)
    return {name: annotations[name] for name in names if name in annotations}


def telling(address: str, balancer_id: str) -> Mapping[str, str]:
    """Return the annotations that say how a Service is reached; ``balancer_id`` "": its user said that."""
    told = {ADDRESS: address, BALANCER: balancer_id, NOTED: balancer_id}
    return {name: value for name, value in told.items() if value}


class _Reader:
    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._given = annotations
        self._notes: list[Note] = []

    def read(self) -> Wishes:
        short = self._short
        proxy = self._parse(
            PREFIX + "proxy-protocol", "true, v1, v2 or false", lambda text: _PROXY[text], "", closes=True
        )
        forwarded = self._flag(PREFIX + "x-forwarded-for")
        if proxy and forwarded:
            self._note(
                "ConflictingAnnotations",
                "proxy-protocol and x-forwarded-for exclude each other",
                "Leave one of the two out.",
                closes=True,
            )
            proxy, forwarded = "", False
        found = Wishes(
            internal=self._flag(INTERNAL),
            class_name=short("class"),
            provider=self._given.get(PROVIDER, "").strip(),
            flavor=self._id("flavor-id"),
            zone=short("availability-zone"),
            subnet_id=self._id("subnet-id"),
            network_id=self._id("network-id"),
            port_id=self._id("port-id"),
            member_subnet_id=self._id("member-subnet-id"),
            floating_network_id=self._id("floating-network-id"),
            floating_subnet=self._floating_subnet(),
            keep_floating=self._flag(PREFIX + "keep-floatingip"),
            balancer_id="" if BALANCER in written(self._given) else self._id("load-balancer-id"),
            share=self._parse(SHARE, "a name of lower case letters, digits, - and .", _label, ""),
            hostname=short("hostname"),
            algorithm=self._parse(PREFIX + "lb-method", f"one of {', '.join(_ALGORITHMS)}", _algorithm, ""),
            connection_limit=self._number("connection-limit", 1, _MOST, also=-1),
            limits=self._numbers(_LIMITS, 0, _LONGEST_WAIT),
            proxy_protocol=proxy,
            forwarded_for=forwarded,
            tls=short("default-tls-container-ref"),
            monitored=self._flag(PREFIX + "enable-health-monitor"),
            monitor=self._numbers(_MONITOR, 1, _MOST),
            source_ranges=tuple(
                part for part in re.split(r"[\s,]+", self._given.get(SOURCE_RANGES, "")) if part
            ),
        )
        self._unhonoured()
        return dataclasses.replace(found, notes=tuple(self._notes))

    def _floating_subnet(self) -> SubnetChoice:
        by_id = self._id("floating-subnet-id")
        if by_id:
            return SubnetChoice(by_id)
        pattern = self._short("floating-subnet")
        try:
            re.compile(pattern.lstrip("!").removeprefix("~"))
        except re.error:
            if pattern.lstrip("!").startswith("~"):
                self._invalid(PREFIX + "floating-subnet", "a name, a pattern with *, or ~ and an expression")
                pattern = ""
        return SubnetChoice("", pattern, self._short("floating-subnet-tags"))

    def _unhonoured(self) -> None:
        if self._short("node-selector"):
            self._note(
                "NodeSelector",
                "node-selector has no effect: members are the pods themselves, no node is on the way",
                "Choose the nodes of the pods by their nodeSelector or affinity.",
            )
        for name in sorted(self._given):
            if name.startswith(PREFIX) and name not in KNOWN:
                self._note("UnknownAnnotation", f"{name} is not known", "Remove it, or correct its name.")

    def _short(self, name: str) -> str:
        return self._given.get(PREFIX + name, "").strip()

    def _id(self, name: str) -> str:
        found: str = self._parse(PREFIX + name, "the id of an object of the cloud", _uuid, "", closes=True)
        return found

    def _flag(self, name: str) -> bool:
        values = {"true": True, "false": False, "": False}
        found: bool = self._parse(
            name, "true or false", lambda text: values[text], default=False, closes=True
        )
        return found

    def _number(self, name: str, least: int, most: int, also: int | None = None) -> int | None:
        def number(text: str) -> int | None:
            if not text:
                return None
            value = int(text)
            if value != also and not least <= value <= most:
                raise ValueError(text)
            return value

        found: int | None = self._parse(PREFIX + name, f"a number from {least} to {most}", number, None)
        return found

    def _numbers(self, names: Mapping[str, str], least: int, most: int) -> dict[str, int]:
        found = {
            to: self._number(name, least, _MOST_RETRIES if "retries" in name else most)
            for name, to in names.items()
        }
        return {to: value for to, value in found.items() if value is not None}

    def _parse(
        self, name: str, form: str, parse: Callable[[str], Any], default: Any, *, closes: bool = False
    ) -> Any:
        try:
            return parse(self._given.get(name, "").strip())
        except (ValueError, KeyError):
            self._invalid(name, form, closes=closes)
            return default

    def _invalid(self, name: str, form: str, *, closes: bool = False) -> None:
        cause = f"{name}: {self._given[name]!r} is not {form}"
        self._note("InvalidAnnotation", cause, "Correct or remove it.", closes=closes)

    def _note(self, reason: str, cause: str, remedy: str, *, closes: bool = False) -> None:
        self._notes.append(Note(reason, cause, remedy, closes))


def _uuid(text: str) -> str:
    if text and not _UUID.fullmatch(text):
        raise ValueError(text)
    return text.lower()


def _label(text: str) -> str:
    if text and not _LABEL.fullmatch(text):
        raise ValueError(text)
    return text


def _algorithm(text: str) -> str:
    if text and text.upper() not in _ALGORITHMS:
        raise ValueError(text)
    return text.upper()
