"""A router without Kubernetes in front of it: what is written into routes reaches a real HAProxy at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.integration.routes.front_door import FrontDoor, until
from tests.integration.routes.stage import LOCAL, Application
from tests.ports import free_port

from causeway.host.haproxy import Haproxy
from causeway.kube.objects import EndpointSlice
from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.router import Router
from causeway.serve.router.default import provide_certificate

HAPROXY = "haproxy.router.openshift.io/"
NAMESPACE = "t"
ROUTER = "router.openshift.io/"


@dataclass
class Bare(FrontDoor):
    """The router in this process, its HAProxy, and the applications behind it by route."""

    directory: Path
    further: int = field(default_factory=free_port)
    log: str = ""
    proxy_protocol: bool = False
    applications: dict[str, Sequence[Application]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)
        self.haproxy = Haproxy(self.directory)
        certificate = self.directory / "default.pem"
        provide_certificate(certificate, "apps.example")
        front = Front(
            plain=(f"127.0.0.1:{self.http}",),
            secure=(f"127.0.0.1:{self.https}",),
            certificate=certificate,
            connections=1000,
            threads=1,
            log=self.log,
            proxy_protocol=self.proxy_protocol,
            ports=(f"127.0.0.1:{self.further}",),
        )
        offer = Offer(directory=self.directory, rules=Rules(wildcards=True))
        self.router = Router(self.haproxy, offer, front, self._slices, spares=16, told=lambda _key: None)

    def _slices(self, _namespace: str, service: str) -> list[EndpointSlice]:
        return [
            msgspec.convert(
                {
                    "metadata": {"name": f"{service}-{each.port}"},
                    "endpoints": [{"addresses": [LOCAL]}],
                    "ports": [{"name": "web", "port": each.port}],
                },
                EndpointSlice,
            )
            for each in self.applications[service]
        ]

    def put(
        self, name: str, applications: Sequence[Application], annotations: Mapping[str, str], **spec: Any
    ) -> str:
        """Take in a route to ``applications``, or as it is now; return its host."""
        host = f"{name}.apps.example"
        self.applications[name] = applications
        metadata = {"name": name, "namespace": NAMESPACE, "uid": name, "annotations": annotations}
        body = {"metadata": metadata, "spec": {"host": host, "to": {"name": name}} | spec}
        self.router.put(msgspec.convert(body, Route))
        return host

    async def settle(self) -> None:
        """Bring all that was taken in to HAProxy, by several loads if it must be."""

        async def done() -> bool:
            await self.router.round()
            outcomes = {each: self.router.outcome(f"{NAMESPACE}/{each}") for each in self.applications}
            assert not [each for each in outcomes.values() if not isinstance(each, bool)], outcomes
            return all(outcomes.values())

        await until(done, "HAProxy has all routes")

    def backend(self, name: str) -> str:
        """Return the backend of a route."""
        owners = self.router.backends().items()
        return next(backend for backend, owner in owners if owner == f"{NAMESPACE}/{name}")

    async def counted(self, name: str, figure: str) -> int:
        """Return what HAProxy counts of the clients of a route, as it names it, of all together."""
        table = (await self.haproxy.ask([f"show table {self.backend(name)}"]))[0]
        return sum(int(each) for each in re.findall(rf" {figure}(?:\(\d+\))?=(\d+)", table))
