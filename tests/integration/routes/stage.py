"""A router as it is started by hand, on a real Kubernetes API, with real applications behind it."""

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from tests.integration.kube_api import Authority
from tests.integration.routes.front_door import DEADLINE, FrontDoor, until
from tests.ports import free_port

from causeway.host.haproxy import Haproxy
from causeway.kube.client import Client
from causeway.kube.errors import AlreadyExists
from causeway.kube.resource import ENDPOINT_SLICES, EVENTS, NAMESPACES
from causeway.kube.routes import ROUTES

NAME = "test"
SUFFIX = "apps.example"
LOCAL = f"198.51.100.{1 + os.getpid() % 254}"
"""Where applications listen: on the loopback device, but not of its range, which no endpoint may be of.

Another one than that of tests beside these.
"""


class Application:
    """A web application that tells what it was asked; ``name`` tells it from others.

    A request with ``?hold`` in its path is not answered before ``released`` is set; ``held`` counts them.
    """

    def __init__(self, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.port = 0
        self.held = 0
        self.released = asyncio.Event()
        application = web.Application()
        application.router.add_get("/socket", self._echo)
        application.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        self._tls = tls

    async def start(self) -> "Application":
        await self._runner.setup()
        await web.TCPSite(self._runner, LOCAL, self.port, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        self.released.set()
        await self._runner.cleanup()

    async def holds(self) -> bool:
        return self.held > 0

    async def _answer(self, request: web.Request) -> web.Response:
        if "hold" in request.query:
            self.held += 1
            await self.released.wait()
        return web.json_response(
            {
                "application": self.name,
                "path": request.raw_path,
                "headers": {name.lower(): value for name, value in request.headers.items()},
            }
        )

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{self.name} heard {message.data}")
        return socket


class Greeter(Application):
    """An application that speaks first, and then repeats what it hears: it says no HTTP."""

    async def start(self) -> "Greeter":
        self._server = await asyncio.start_server(self._greet, LOCAL, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(f"{self.name}\n".encode())
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        writer.close()


@dataclass
class Router(FrontDoor):
    """The process and its HAProxy."""

    directory: Path
    kubeconfig: Path
    settings: dict[str, str] = field(default_factory=dict)
    health: int = field(default_factory=free_port)
    further: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.haproxy = Haproxy(self.directory / "run")

    async def start(self) -> None:
        environment = os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "CAUSEWAY_ROUTER_DIRECTORY": str(self.haproxy.directory),
            "CAUSEWAY_ROUTER_HTTP": f"127.0.0.1:{self.http}",
            "CAUSEWAY_ROUTER_HTTPS": f"127.0.0.1:{self.https}",
            "CAUSEWAY_ROUTER_PORTS": ",".join(f"127.0.0.1:{each}" for each in self.further),
            "CAUSEWAY_ROUTER_HEALTH_PORT": str(self.health),
            "CAUSEWAY_ROUTER_NAME": NAME,
            "CAUSEWAY_ROUTER_SUFFIX": SUFFIX,
            "CAUSEWAY_ROUTER_SPARES": "16",
            "CAUSEWAY_ROUTER_THREADS": "1",
            "CAUSEWAY_ROUTER_WILDCARDS": "true",
            "CAUSEWAY_ROUTER_LEAVE_SECONDS": "0",
            "CAUSEWAY_ROUTER_DRAIN_SECONDS": "120",  # no request of a test takes as long
            **self.settings,
        }
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(  # noqa: ASYNC220  # it does not wait
                [sys.executable, "-m", "causeway", "serve", "router"],
                env=environment,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        await until(self.ready, f"the router is ready: {self.log}")

    @property
    def log(self) -> Path:
        return self.directory / "router.log"

    async def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return await self.probe("/readyz") == 200

    async def probe(self, path: str) -> int:
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.request("GET", f"http://127.0.0.1:{self.health}{path}") as answer:
                return answer.status
        return 0

    async def figures(self) -> str:
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.health}/metrics") as answer:
            return await answer.text()

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        await asyncio.to_thread(self.process.wait, DEADLINE)
        self.process = None

    async def end(self) -> None:
        if self.process is not None:
            await self.kill()
        await self.haproxy.stop(0)

    async def worker(self) -> str:
        """Return the worker's process: another one after every reload."""
        return (await self.haproxy.about())["Pid"]


def serving(authority: Authority, file: str) -> ssl.SSLContext:
    """Return what a server needs that shows a certificate of the authority's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.path(f"{file}.crt"), authority.path(f"{file}.key"))
    return context


@dataclass
class Site:
    """What users write: namespaces, endpoints, routes."""

    admin: Client
    router: Router
    authority: Authority

    async def namespace(self, name: str) -> None:
        with contextlib.suppress(AlreadyExists):
            await self.admin.create(NAMESPACES, {"metadata": {"name": name}})

    async def endpoints(self, namespace: str, service: str, applications: Sequence[Application]) -> None:
        """Make these the endpoints of a service; each has a port of its own, so each has a slice."""
        labels = f"kubernetes.io/service-name={service}"
        old = await self.admin.list(ENDPOINT_SLICES, namespace, labels=labels)
        wanted = {f"{service}-{each.port}": each for each in applications}
        for name, each in wanted.items():
            body = {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": service},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [LOCAL], "conditions": {"ready": True}}],
                "ports": [{"name": "web", "port": each.port, "protocol": "TCP"}],
            }
            await self.admin.apply(body, manager="test")
        for each_old in old.items:
            if each_old["metadata"]["name"] not in wanted:
                await self.admin.delete(ENDPOINT_SLICES, each_old["metadata"]["name"], namespace)

    async def route(self, namespace: str, name: str, **given: Any) -> dict[str, Any]:
        """Make a route, or change it: ``annotations``, and fields of its spec."""
        annotations = given.pop("annotations", {})
        spec = {"to": {"kind": "Service", "name": name}} | given
        body = {
            "apiVersion": ROUTES.api_version,
            "kind": ROUTES.kind,
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": spec,
        }
        return await self.admin.apply(body, manager="test", resource=ROUTES)

    async def ingress(self, namespace: str, name: str) -> dict[str, Any]:
        """Return what our router says of a route, {} as long as it says nothing."""
        route = await self.admin.get(ROUTES, name, namespace)
        entries = (route.get("status") or {}).get("ingress") or []
        return next((each for each in entries if each["routerName"] == NAME), {})

    async def told(self, namespace: str, name: str, status: str, reason: str = "") -> dict[str, Any]:
        """Wait until a route's status says this; return our entry."""
        found: dict[str, Any] = {}

        async def says() -> bool:
            found.clear()
            found.update(await self.ingress(namespace, name))
            conditions = found.get("conditions") or [{}]
            return (conditions[0].get("status"), conditions[0].get("reason", "")) == (status, reason)

        await until(says, f"{namespace}/{name} is {status} {reason}")
        return found

    async def event(self, namespace: str, name: str, reason: str) -> str:
        """Wait until an Event about an object has this reason; return what it says."""
        found: list[str] = []

        async def says() -> bool:
            events = (await self.admin.list(EVENTS, namespace)).items
            about = [each for each in events if each["regarding"].get("name") == name]
            found[:] = [each["note"] for each in about if each["reason"] == reason]
            return bool(found)

        await until(says, f"{namespace}/{name} is told {reason}")
        return found[0]

    def pem(self, file: str) -> str:
        return Path(self.authority.path(file)).read_text()
