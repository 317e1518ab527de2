"""The stores this room reads, in one."""

from dataclasses import dataclass

from causeway.kube.informers import Lister
from causeway.kube.objects import NetworkPolicy, Node, Pod, PortPool


@dataclass(frozen=True)
class Stores:
    """What the room knows of Kubernetes."""

    pods: Lister[Pod]
    pools: Lister[PortPool]
    nodes: Lister[Node]
    policies: Lister[NetworkPolicy]
