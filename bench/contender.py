"""What is measured: somebody who gives pods ports and services load balancers, on one stage for all."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.node import Node
from bench.proxy import Figures
from bench.tenant import Tenant
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.session import Cloud
from causeway.kube.client import Client
from causeway.kube.resource import Resource


@dataclass(frozen=True)
class Stage:
    """Where the contenders perform. ``kube`` and ``cloud`` are ours and go past the counting proxies.

    ``auth_url`` and ``kube_url`` are the proxies' addresses, for the contenders.
    """

    directory: Path
    tenant: Tenant
    nodes: Sequence[Node]
    kube: Client
    cloud: Cloud
    figures: Figures
    auth_url: str
    kube_url: str

    @property
    def neutron(self) -> Neutron:
        """Return our own way to Neutron."""
        return Neutron(self.cloud)

    @property
    def octavia(self) -> Octavia:
        """Return our own way to Octavia."""
        return Octavia(self.cloud)


@dataclass(frozen=True)
class Pools:
    """How many ports a node's pool is to hold ready; 0: none are made before a pod wants them.

    ``played`` says that the nodes' part is to be played, too: no node daemon runs.
    """

    ready: int = 0
    played: bool = True


class Contender(Protocol):
    """A controller under measurement."""

    name: str

    @property
    def kinds(self) -> Sequence[Resource]:
        """The kinds of its own in which it keeps what it has made for pods and services."""
        ...

    def running(self, stage: Stage, pools: Pools) -> AbstractAsyncContextManager[int]:
        """Run it for as long as the block takes, from when it is at work; the value is its process's id."""
        ...

    async def has_pool(self, stage: Stage, node: Node, size: int) -> bool:
        """Return whether that many ports are ready for new pods of ``node``."""
        ...

    async def ports_of_pods(self, stage: Stage, namespace: str) -> set[str]:
        """Return the ports that pods of ``namespace`` have by its own word."""
        ...

    async def served_services(self, stage: Stage, namespace: str) -> int:
        """Return how many services of ``namespace`` are, by its own word, served."""
        ...
