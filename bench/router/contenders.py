"""Who is measured: Causeway's router, and the way OpenShift's configures the same HAProxy.

The other way is a map of regular expressions and a reload for every change. It is given what helps it: one
lookup where OpenShift's template makes two, and a reload at once instead of at most one in five seconds.
Neither is measured through Kubernetes' API.
"""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from bench.router.changes import Change, State
from bench.router.load import host
from causeway.host.haproxy import Haproxy
from causeway.kube.objects import EndpointSlice
from causeway.kube.routes import Route
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.router import Router
from causeway.serve.router.default import provide_certificate

_SPARES = 100
_WEIGHTS = (3, 1)  # of both services of a route that has two


def certificates(directory: Path) -> tuple[Path, Path]:
    """Make two certificates for all hosts, and return their files, keys included."""
    files = directory / "first.pem", directory / "second.pem"
    for each in files:
        provide_certificate(each, "apps.example")
    return files


class Ours:
    """Causeway's router, without Kubernetes in front of it."""

    name = "causeway"

    def __init__(self, directory: Path, port: int, application: int) -> None:
        self.haproxy = Haproxy(directory)
        self.port = port
        self._application = application
        self._state = State()
        self._certificates = [each.read_text() for each in certificates(directory)]
        front = Front(
            plain=(f"127.0.0.1:{port}",),
            secure=(f"127.0.0.1:{port + 1}",),
            certificate=directory / "first.pem",
            connections=1000,
            threads=1,
        )
        offer = Offer(directory=directory)
        self.router = Router(self.haproxy, offer, front, self._slices, spares=_SPARES, told=lambda _key: None)

    @property
    def loads(self) -> int:
        """Return how often HAProxy was given a configuration."""
        return self.router.reloads

    def _slices(self, _namespace: str, service: str) -> list[EndpointSlice]:
        two = service.startswith("app") and int(service[3:]) in self._state.endpoints
        addresses = ["127.0.0.1", "127.0.0.2"] if two else ["127.0.0.1"]
        endpoints = [{"addresses": [each]} for each in addresses]
        ports = [{"name": "web", "port": self._application}]
        body = {"metadata": {"name": "x"}, "endpoints": endpoints, "ports": ports}
        return [msgspec.convert(body, EndpointSlice)]

    def _route(self, number: int, path: str = "") -> Route:
        name = f"app{number}{path.replace('/', '-')}"
        meta = {"name": name, "namespace": f"project{number % 97}", "uid": name}
        spec: dict[str, Any] = {"host": host(number), "path": path, "to": {"name": f"app{number}"}}
        if number in self._state.weights and not path:
            first, second = _WEIGHTS
            spec["to"] = {"name": f"app{number}", "weight": first}
            spec["alternateBackends"] = [{"name": f"other{number}", "weight": second}]
        if number in self._state.certificate and not path:
            text = self._certificates[self._state.certificate[number]]
            tls = {"termination": "edge", "insecureEdgeTerminationPolicy": "Allow"}
            spec["tls"] = tls | {"certificate": text}  # its key is with it
        return msgspec.convert({"metadata": meta, "spec": spec}, Route)

    async def begin(self, count: int) -> None:
        """Have the first ``count`` routes."""
        for number in range(count):
            self.router.put(self._route(number))
        await self.router.round()

    async def add(self, number: int) -> None:
        """Have one more route."""
        self.router.put(self._route(number))
        await self.router.round()

    async def change(self, change: Change) -> None:
        """Do a change."""
        self._state.take(change)
        number, namespace = change.number, f"project{change.number % 97}"
        if change.kind == "endpoints":
            self.router.touch(f"{namespace}/app{number}")
        elif change.kind == "path" and change.done:
            self.router.put(self._route(number, "/page"))
        elif change.kind == "path":
            self.router.remove(f"{namespace}/app{number}-page")
        elif change.kind == "host" and not change.done:
            self.router.remove(f"{namespace}/app{number}")
        else:
            self.router.put(self._route(number))
        await self.router.round()
        if self.router.refused:
            raise RuntimeError(f"{change} has a route refused, which no change of a measurement does")


class Regular:
    """The configuration style of OpenShift's router."""

    name = "map_reg and reload"

    def __init__(self, directory: Path, port: int, application: int) -> None:
        self.haproxy = Haproxy(directory)
        self.port = port
        self._application = application
        self._state = State()
        self._certificates = certificates(directory)
        self._count = 0
        self.loads = 0

    def _write(self) -> str:
        directory = self.haproxy.directory
        self.loads += 1
        mark = f"turn{self.loads}"
        lines = [
            "global",
            f"  description {mark}",
            f"  stats socket {directory}/haproxy.sock mode 600 level admin expose-fd listeners",
            "  maxconn 1000",
            "  nbthread 1",
            "  tune.bufsize 32768",
            "  tune.maxrewrite 8192",
            "  hard-stop-after 60s",
            "defaults",
            "  mode http",
            "  timeout connect 5s",
            "  timeout client 30s",
            "  timeout server 30s",
            "frontend public",
            f"  bind 127.0.0.1:{self.port}",
            f"  bind 127.0.0.1:{self.port + 1} ssl crt {self._certificates[0]} crt-list {directory}/list",
            "  http-request del-header Proxy",
            "  http-request set-header Host %[req.hdr(Host),lower]",
            f"  use_backend be_http:%[base,map_reg({directory}/http.map)]",
            "  default_backend nothing",
            "backend nothing",
            '  http-request return status 503 content-type text/plain string "no route"',
        ]
        entries = []
        for number in [*range(self._count), *self._state.host]:
            key, escaped = f"project{number % 97}:app{number}", host(number).replace(".", r"\.")
            entries.append(f"^{escaped}\\.?(:[0-9]+)?(/.*)?$ {key}")
            lines += self._backend(number, key)
            if number in self._state.path:
                entries.append(f"^{escaped}\\.?(:[0-9]+)?/page(/.*)?$ {key}-page")
                lines += self._backend(number, f"{key}-page")
        shown = [f"{self._certificates[each]} {host(it)}" for it, each in self._state.certificate.items()]
        (directory / "list").write_text("".join(f"{each}\n" for each in shown))
        (directory / "http.map").write_text("\n".join(sorted(entries, reverse=True)) + "\n")
        (directory / "haproxy.cfg").write_text("\n".join(lines) + "\n")
        return mark

    def _backend(self, number: int, key: str) -> list[str]:
        first, second = _WEIGHTS if number in self._state.weights else (1, 0)
        place = f"127.0.0.1:{self._application}"
        lines = [
            f"backend be_http:{key}",
            f"  balance {'roundrobin' if second else 'random'}",
            "  option redispatch",
            "  option forwardfor",
            "  http-request add-header X-Forwarded-Host %[req.hdr(host)]",
            "  http-request add-header X-Forwarded-Port %[dst_port]",
            "  http-request add-header X-Forwarded-Proto http if !{ ssl_fc }",
            "  http-request add-header Forwarded for=%[src];host=%[req.hdr(host)];proto=http",
            f"  cookie c{number} insert indirect nocache httponly",
            f"  server app {place} cookie app weight {first}",
        ]
        if second:
            lines.append(f"  server other {place} cookie other weight {second}")
        if number in self._state.endpoints:
            lines.append(f"  server more 127.0.0.2:{self._application} cookie more weight {first}")
        return lines

    async def begin(self, count: int) -> None:
        """Have the first ``count`` routes."""
        self._count = count
        await self.haproxy.run(await asyncio.to_thread(self._write))

    async def add(self, number: int) -> None:
        """Have one more route."""
        self._count = number + 1
        await self.haproxy.run(await asyncio.to_thread(self._write))

    async def change(self, change: Change) -> None:
        """Do a change."""
        self._state.take(change)
        await self.haproxy.run(await asyncio.to_thread(self._write))


Contender = Ours | Regular
CONTENDERS: tuple[type[Ours] | type[Regular], ...] = (Ours, Regular)
