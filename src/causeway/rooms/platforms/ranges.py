"""The networks of a platform file: where nodes, pods and services have their addresses."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import combinations
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, field_validator, model_validator

from causeway.rooms.platforms.records import Name, Record, Violation, Violations

LARGEST_SERVICE_PREFIX = 11  # half of it goes to Kubernetes, whose service range is at most a /12
SMALLEST_SERVICE_PREFIX = 27  # the lower half must hold range + 10, the address of the cluster's DNS
SMALLEST_PREFIX = 28
IPV6_PREFIX = 64  # of every IPv6 subnet but the services': with it servers can find their own address
LARGEST_IPV6_SERVICE_PREFIX = 107  # Kubernetes' half is at most a /108
SMALLEST_IPV6_SERVICE_PREFIX = 120
UNIQUE_LOCAL = IPv6Network("fc00::/7")


class Range(Record):
    """A network of the platform: either ``cidr`` for a new one, or ``network`` and ``subnet`` that exist."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["cidr"]}, {"required": ["network", "subnet"]}]}
    )

    cidr: IPv4Network | None = Field(None, description="Range of the network that is to be created.")
    network: Name | None = Field(None, description="Existing network, by name or ID.")
    subnet: Name | None = Field(None, description="Existing subnet of that network, by name or ID.")

    @property
    def exists(self) -> bool:
        """Return whether the platform uses a network it did not create."""
        return self.cidr is None

    @field_validator("cidr")
    @classmethod
    def _usable(cls, cidr: IPv4Network | None) -> IPv4Network | None:
        if cidr is None:
            return None
        if (
            cidr.is_loopback
            or cidr.is_multicast
            or cidr.is_link_local
            or cidr.is_unspecified
            or cidr.is_reserved
        ):
            raise Violations([Violation((), "a range that hosts may have", f"{cidr}")])
        if cidr.prefixlen > SMALLEST_PREFIX:
            raise Violations([Violation((), f"/{SMALLEST_PREFIX} or larger", f"{cidr}")])
        return cidr

    @model_validator(mode="after")
    def _one_form(self) -> "Range":
        expected = "either cidr, or network and subnet of an existing one"
        named = {"network": self.network, "subnet": self.subnet}
        if self.cidr is not None:
            extra = [key for key, value in named.items() if value is not None]
            if extra:
                raise Violations(Violation((key,), expected, f"cidr and {key}") for key in extra)
        else:
            absent = [key for key, value in named.items() if value is None]
            if absent:
                given = [key for key in named if key not in absent]
                raise Violations([Violation((), expected, f"only {given[0]}" if given else "neither")])
        return self


class Ipv6(Record):
    """The second address of everything: networks of its own for it are not needed."""

    nodes: IPv6Network = Field(description="Range of the servers' second addresses: a /64 of fc00::/7.")
    pods: IPv6Network = Field(description="Range of the pods' second addresses: a /64.")
    services: IPv6Network = Field(
        description="Range of the services' second addresses, /107 to /120; divided as the first."
    )

    @model_validator(mode="after")
    def _ranges_fit(self) -> "Ipv6":
        violations = [
            Violation((key,), f"a /{IPV6_PREFIX}", f"{cidr}")
            for key, cidr in (("nodes", self.nodes), ("pods", self.pods))
            if cidr.prefixlen != IPV6_PREFIX
        ]
        if not violations and not self.nodes.subnet_of(UNIQUE_LOCAL):
            # Neutron shows a port's addresses sorted as text, and the first is taken to be the IPv4 one.
            violations.append(Violation(("nodes",), f"a range of {UNIQUE_LOCAL}", f"{self.nodes}"))
        if not (LARGEST_IPV6_SERVICE_PREFIX <= self.services.prefixlen <= SMALLEST_IPV6_SERVICE_PREFIX):
            expected = f"a prefix length from {LARGEST_IPV6_SERVICE_PREFIX} to {SMALLEST_IPV6_SERVICE_PREFIX}"
            violations.append(Violation(("services",), expected, f"{self.services}"))
        if violations:
            raise Violations(violations)
        return self


class NamespaceNetworks(Record):
    """Ranges of the networks that namespaces have of their own."""

    cidr: IPv4Network = Field(description="Range their subnets are taken from.")
    prefix_length: Annotated[int, Field(ge=16, le=SMALLEST_PREFIX)] = Field(
        24, description="Prefix length of each subnet."
    )
    ipv6_cidr: IPv6Network | None = Field(
        None, description="Range of which each gets a /64 as well; only with networks.ipv6."
    )
    default: Literal["shared", "own"] = Field(
        "shared", description="What a namespace has that does not say: the pods' network, or one of its own."
    )

    @model_validator(mode="after")
    def _subnets_fit(self) -> "NamespaceNetworks":
        violations = []
        if self.cidr.prefixlen > self.prefix_length:
            expected = f"at least {self.cidr.prefixlen}, for {self.cidr}"
            violations.append(Violation(("prefixLength",), expected, f"{self.prefix_length}"))
        if self.ipv6_cidr is not None and self.ipv6_cidr.prefixlen > IPV6_PREFIX:
            violations.append(Violation(("ipv6Cidr",), f"a /{IPV6_PREFIX} or larger", f"{self.ipv6_cidr}"))
        if violations:
            raise Violations(violations)
        return self


class Networks(Record):
    """Where nodes, pods and services have their addresses."""

    external: Name = Field(description="External network the floating IPs come from, by name or ID.")
    nodes: Range = Field(description="Network of the servers.")
    pods: Range = Field(description="Network of the pods' ports.")
    services: Range = Field(
        description="Network of the services' load balancers. Kubernetes gets the lower half of the range "
        "for its services, Neutron the upper half for ports of its own."
    )
    namespaces: NamespaceNetworks | None = Field(
        None, description="Where namespaces that have a network of their own get it from."
    )
    ipv6: Ipv6 | None = Field(
        None, description="Ranges of second addresses; with them nodes, pods and services have both."
    )
    dns_nameservers: tuple[IPv4Address, ...] = Field((), description="Name servers of new subnets.")

    @model_validator(mode="after")
    def _ranges_fit(self) -> "Networks":
        violations = []
        services = self.services.cidr
        if services is not None and not (
            LARGEST_SERVICE_PREFIX <= services.prefixlen <= SMALLEST_SERVICE_PREFIX
        ):
            expected = f"a prefix length from {LARGEST_SERVICE_PREFIX} to {SMALLEST_SERVICE_PREFIX}"
            violations.append(Violation(("services", "cidr"), expected, f"{services}"))
        for (one, first), (other, second) in combinations(self.claimed_ranges().items(), 2):
            if first.overlaps(second):
                expected = f"a range apart from {one} ({first})"
                found = f"{second}, which overlaps it"
                violations.append(
                    Violation((other, "cidr"), expected, found, "Choose ranges that share nothing.")
                )
        violations += self._ipv6_violations()
        if violations:
            raise Violations(violations)
        return self

    def _ipv6_violations(self) -> Iterable[Violation]:
        own = self.namespaces.ipv6_cidr if self.namespaces else None
        if self.ipv6 is None:
            if own is not None:
                yield Violation(("namespaces", "ipv6Cidr"), "networks.ipv6 as well", f"only {own}")
            return
        if old := [key for key in ("nodes", "pods", "services") if key not in self.new_ranges()]:
            expected = "nodes, pods and services whose networks are created"
            yield Violation(("ipv6",), expected, f"existing networks for {', '.join(old)}")
        ranges = {"nodes": self.ipv6.nodes, "pods": self.ipv6.pods, "services": self.ipv6.services}
        paths = {key: ("ipv6", key) for key in ranges}
        if own is not None:
            ranges["namespaces"], paths["namespaces"] = own, ("namespaces", "ipv6Cidr")
        for (one, first), (other, second) in combinations(ranges.items(), 2):
            if first.overlaps(second):
                found = f"{second}, which overlaps it"
                yield Violation(paths[other], f"a range apart from {one} ({first})", found)

    def claimed_ranges(self) -> dict[str, IPv4Network]:
        """Return the ranges nothing else on the router may have, by their key."""
        return self.new_ranges() | ({"namespaces": self.namespaces.cidr} if self.namespaces else {})

    def new_ranges(self) -> dict[str, IPv4Network]:
        """Return the ranges of the networks that are to be created, by their key."""
        ranges = {"nodes": self.nodes.cidr, "pods": self.pods.cidr, "services": self.services.cidr}
        return {key: cidr for key, cidr in ranges.items() if cidr is not None}


AnyNetwork = TypeVar("AnyNetwork", IPv4Network, IPv6Network)


def kubernetes_services(services: AnyNetwork) -> AnyNetwork:
    """Return the lower half of the services' range: where Kubernetes takes its ClusterIPs from."""
    return next(iter(services.subnets()))


def neutron_services(services: AnyNetwork) -> AnyNetwork:
    """Return the upper half of the services' range: where Neutron puts router ports and the like."""
    return list(services.subnets())[1]
