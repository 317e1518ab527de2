"""What this room thinks in: security groups with rules, and the sets of addresses the rules refer to."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal, Self

import msgspec

from causeway.kube.objects import LabelSelector, Pod
from causeway.kube.policies import matches
from causeway.rooms.policies.ranges import contains

Direction = Literal["ingress", "egress"]

POLICY, OPEN, NODE = "policy", "policy-open", "policy-node"
"""The ownership kinds of security groups: of a policy, of a direction no policy is about, of a node."""
PEERS = "policy-peers"
"""The ownership kind of address groups."""
GROUP_KINDS = (POLICY, OPEN, NODE)

_ENDED = frozenset({"Succeeded", "Failed"})


class GroupKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which security group: that of a policy (by uid), of an open direction, or of a node (by name).

    ``variant`` tells apart the groups of one policy whose pods give its named ports different numbers.
    """

    kind: str
    uid: str
    variant: str = ""

    def __str__(self) -> str:
        return f"group {self.kind} {self.uid} {self.variant}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that ``str`` made ``text`` of."""
        _, kind, uid, variant = text.split(" ")
        return cls(kind, uid, variant)


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """What a security group allows.

    ``family`` is 4 or 6; ``protocol`` "" means all; ports ``first`` to ``last``, 0 means all. The other end
    is in ``cidr``, or in the set of addresses ``peers``; with neither it is anybody.
    """

    direction: Direction
    family: int
    protocol: str = ""
    first: int = 0
    last: int = 0
    cidr: str = ""
    peers: str = ""


class Member(msgspec.Struct, frozen=True, gc=False):
    """A pod as policies see it; ``ports`` are (name, protocol, number)."""

    uid: str
    namespace: str
    labels: dict[str, str]
    node: str
    addresses: tuple[str, ...] = ()
    ports: tuple[tuple[str, str, int], ...] = ()

    def number(self, name: str, protocol: str) -> int:
        """Return the number of the port ``name``, or 0: the first that bears the name counts."""
        return next((port[2] for port in self.ports if port[:2] == (name, protocol)), 0)


def member_of(pod: Pod) -> Member | None:
    """Return the pod as policies see it.

    None for one that has ended, that no node has yet, or that uses its node's network: its traffic is the
    node's, which no policy can tell from other traffic of the node.
    """
    spec, status, meta = pod.spec, pod.status, pod.metadata
    if spec.host_network or not spec.node_name or status.phase in _ENDED:
        return None
    stay = (each for each in spec.init_containers if each.restart_policy == "Always")
    ports = tuple(
        (port.name, port.protocol, port.container_port)
        for container in (*spec.containers, *stay)
        for port in container.ports
        if port.name
    )
    addresses = tuple(one.ip for one in status.pod_ips if one.ip)
    return Member(meta.uid, meta.namespace, meta.labels, spec.node_name, addresses, ports)


@dataclass(frozen=True, slots=True)
class Block:
    """The addresses of some ranges without others."""

    cidrs: tuple[str, ...]
    without: tuple[str, ...] = ()

    def has(self, address: str) -> bool:
        """Return whether ``address`` is one of them."""
        return any(contains(cidr, address) for cidr in self.cidrs) and not any(
            contains(cidr, address) for cidr in self.without
        )

    def __str__(self) -> str:
        except_ = f" without {', '.join(self.without)}" if self.without else ""
        return ", ".join(self.cidrs) + except_


@dataclass(frozen=True, slots=True)
class Labels:
    """A label selector that equals every other one with the same requirements."""

    text: str
    selector: LabelSelector = field(compare=False)

    @classmethod
    def of(cls, selector: LabelSelector) -> Self:
        """Return ``selector`` with a text that is the same whatever the order of its requirements."""
        parts = {f"{key}={value}" for key, value in selector.match_labels.items()}
        for each in selector.match_expressions:
            values = f" ({','.join(sorted(set(each.values)))})" if each.values else ""
            parts.add(f"{each.key} {each.operator}{values}")
        return cls(" & ".join(sorted(parts)) or "*", selector)

    def match(self, labels: dict[str, str]) -> bool:
        """Return whether ``labels`` are meant."""
        return matches(self.selector, labels)

    def __str__(self) -> str:
        return self.text


ANY = Labels.of(LabelSelector())


@dataclass(frozen=True, slots=True)
class Peers:
    """A set of pods: by their labels, in ``namespace`` or in the namespaces with certain labels.

    With ``block`` only pods with an address in it. With ``port`` (name, protocol) they are told apart by the
    number they give that port, and those without it do not belong.
    """

    pods: Labels = ANY
    namespace: str = ""
    namespaces: Labels = ANY
    block: Block | None = None
    port: tuple[str, str] | None = None

    def __str__(self) -> str:
        where = self.namespace or f"namespaces {self.namespaces}"
        within = f", within {self.block}" if self.block else ""
        port = f", port {self.port[0]}/{self.port[1]}" if self.port else ""
        return f"pods {self.pods} in {where}{within}{port}"


@dataclass(frozen=True, slots=True)
class Front:
    """A port of a Service at one of its addresses, and what answers there as (address, port)."""

    address: str
    protocol: str
    port: int
    backends: frozenset[tuple[str, int]]


def digest(text: str) -> str:
    """Return a short name for ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]
