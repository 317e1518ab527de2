"""The router beside the way OpenShift's configures HAProxy: the same HAProxy, the same applications, one run.

The other way is a map of regular expressions and a reload for every change. It is given what helps it: one
lookup where OpenShift's template makes two, and a reload at once instead of at most one in five seconds.
Neither is measured through Kubernetes' API.
"""

import asyncio
import contextlib
import os
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from bench.result import Case
from causeway.host.haproxy import Haproxy
from causeway.kube.objects import EndpointSlice
from causeway.kube.routes import Route
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.router import Router
from causeway.serve.router.default import provide_certificate

CONNECTIONS = 8
_AHEAD = 16  # requests of a connection that are sent before their answers have come
_OK = re.compile(rb"HTTP/1\.1 200")
_NOTHING = re.compile(rb"HTTP/1\.1 503")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ANY = re.compile(rb"HTTP/1\.1 \d\d\d")
_SPARES = 100
_LOOK = 0.002  # seconds between two looks at whether a route answers: who waits must not take the processor
_PATIENCE = 5.0  # seconds a client waits for an answer


@dataclass(frozen=True)
class Plan:
    """What is measured: numbers of routes, seconds of load, changes under load."""

    routes: Sequence[int]
    seconds: float
    changes: int


def host(number: int) -> str:
    """Return the host of a route."""
    return f"app{number}-project{number % 97}.apps.example"


class Ours:
    """Causeway's router, without Kubernetes in front of it."""

    name = "causeway"

    def __init__(self, directory: Path, port: int, application: int) -> None:
        self.haproxy = Haproxy(directory)
        self.application = application
        self.port = port
        certificate = directory / "default.pem"
        provide_certificate(certificate, "apps.example")
        front = Front(
            plain=(f"127.0.0.1:{port}",),
            secure=(f"127.0.0.1:{port + 1}",),
            certificate=certificate,
            connections=1000,
            threads=1,
        )
        self.router = Router(
            self.haproxy,
            Offer(directory=directory),
            front,
            self._slices,
            spares=_SPARES,
            told=lambda _key: None,
        )

    def _slices(self, _namespace: str, _service: str) -> list[EndpointSlice]:
        ports = [{"name": "web", "port": self.application}]
        endpoints = [{"addresses": ["127.0.0.1"]}]
        body = {"metadata": {"name": "x"}, "endpoints": endpoints, "ports": ports}
        return [msgspec.convert(body, EndpointSlice)]

    def _route(self, number: int, weight: int = 1) -> Route:
        meta = {"name": f"app{number}", "namespace": f"project{number % 97}", "uid": str(number)}
        spec = {"host": host(number), "to": {"name": "app", "weight": weight}}
        return msgspec.convert({"metadata": meta, "spec": spec}, Route)

    async def begin(self, count: int) -> None:
        for number in range(count):
            self.router.put(self._route(number))
        await self.router.round()

    async def add(self, number: int) -> None:
        self.router.put(self._route(number))
        await self.router.round()

    async def change(self, number: int, turn: int) -> None:
        """Take a service out and put it back, turn by turn."""
        self.router.put(self._route(number, weight=turn % 2))
        await self.router.round()


class Regular:
    """The configuration style of OpenShift's router."""

    name = "map_reg and reload"

    def __init__(self, directory: Path, port: int, application: int) -> None:
        self.haproxy = Haproxy(directory)
        self.application, self.port = application, port
        self.count = 0
        self.turn = 0

    def _write(self, weights: dict[int, int]) -> str:
        directory = self.haproxy.directory
        self.turn += 1
        mark = f"turn{self.turn}"
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
            "  http-request del-header Proxy",
            "  http-request set-header Host %[req.hdr(Host),lower]",
            f"  use_backend be_http:%[base,map_reg({directory}/http.map)]",
            "  default_backend nothing",
            "backend nothing",
            '  http-request return status 503 content-type text/plain string "no route"',
        ]
        entries = []
        for number in range(self.count):
            key = f"project{number % 97}:app{number}"
            escaped = host(number).replace(".", r"\.")
            entries.append(f"^{escaped}\\.?(:[0-9]+)?(/.*)?$ {key}")
            lines += [
                f"backend be_http:{key}",
                "  balance random",
                "  option redispatch",
                "  option forwardfor",
                "  http-request add-header X-Forwarded-Host %[req.hdr(host)]",
                "  http-request add-header X-Forwarded-Port %[dst_port]",
                "  http-request add-header X-Forwarded-Proto http if !{ ssl_fc }",
                "  http-request add-header Forwarded for=%[src];host=%[req.hdr(host)];proto=http",
                f"  cookie c{number} insert indirect nocache httponly",
                f"  server app 127.0.0.1:{self.application} cookie app weight {weights.get(number, 1)}",
            ]
        (directory / "http.map").write_text("\n".join(sorted(entries, reverse=True)) + "\n")
        (directory / "haproxy.cfg").write_text("\n".join(lines) + "\n")
        return mark

    async def begin(self, count: int) -> None:
        self.count = count
        await self.haproxy.run(self._write({}))

    async def add(self, number: int) -> None:
        self.count = number + 1
        await self.haproxy.run(self._write({}))

    async def change(self, number: int, turn: int) -> None:
        await self.haproxy.run(self._write({number: turn % 2}))


Contender = Ours | Regular
CONTENDERS: tuple[type[Ours] | type[Regular], ...] = (Ours, Regular)


@contextlib.asynccontextmanager
async def application(directory: Path, port: int) -> AsyncIterator[None]:
    """A HAProxy that answers every request itself: what a router has behind it, and never the slowest."""
    text = f"""global
  description app
  stats socket {directory}/haproxy.sock mode 600 level admin
  maxconn 2000
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend app
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain string "ok"
"""
    await asyncio.to_thread((directory / "haproxy.cfg").write_text, text)
    haproxy = Haproxy(directory)
    await haproxy.run("app")
    try:
        yield
    finally:
        await haproxy.stop(0)


async def rate(port: int, count: int, seconds: float, expected: re.Pattern[bytes] = _OK) -> tuple[float, int]:
    """Return requests per second that were answered as expected, and how many were not; no URL comes twice.

    Of ``count`` routes one after the other is asked for by chance; where nothing is expected, of hosts that
    look like theirs and have none.
    """
    end = time.monotonic() + seconds
    served = wrong = serial = 0

    async def connection(chance: random.Random) -> None:
        nonlocal served, wrong, serial
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            requests = []
            for _ in range(_AHEAD):
                serial += 1
                name = host(chance.randrange(count) + (count * 2 if expected is _NOTHING else 0))
                requests.append(f"GET /page/{serial} HTTP/1.1\r\nHost: {name}\r\n\r\n")
            writer.write("".join(requests).encode())
            text, seen = b"", 0
            while seen < _AHEAD:
                part = await reader.read(65536)
                if not part:
                    raise ConnectionError("the connection ended")
                text += part
                seen = len(_ANY.findall(text))
            good = len(expected.findall(text))
            served += good
            wrong += seen - good
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(connection(random.Random(each)) for each in range(CONNECTIONS)))
    return served / (time.monotonic() - started), wrong


async def latencies(port: int, count: int, seconds: float) -> tuple[list[float], int]:
    """Return the seconds each request took, in order of length, and how many were not answered 200.

    Every client waits for an answer before it asks again, unlike those of ``rate``; no URL comes twice.
    """
    end = time.monotonic() + seconds
    found: list[float] = []
    wrong = serial = 0

    async def client(chance: random.Random) -> None:
        nonlocal wrong, serial
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.monotonic()) < end:
            serial += 1
            name = host(chance.randrange(count))
            writer.write(f"GET /one/{serial} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            text = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(text)
            await reader.readexactly(int(length[1]) if length else 0)
            found.append(time.monotonic() - began)
            wrong += not _OK.match(text)
        writer.close()

    await asyncio.gather(*(client(random.Random(each)) for each in range(CONNECTIONS)))
    return sorted(found), wrong


async def _good(port: int, request: bytes) -> bool:
    """Return whether a request over a connection of its own is answered 200 in time."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                return bool(_OK.match(await reader.read()))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


async def first_answer(port: int, number: int) -> None:
    """Return once a route answers."""
    request = f"GET / HTTP/1.1\r\nHost: {host(number)}\r\nConnection: close\r\n\r\n".encode()
    while not await _good(port, request):  # noqa: ASYNC110  # HAProxy tells nobody
        await asyncio.sleep(_LOOK)


async def errors_while(port: int, work: asyncio.Task[None]) -> tuple[int, int]:
    """Return requests and failures among them, one connection each, while ``work`` is done."""
    asked = failed = 0
    request = f"GET / HTTP/1.1\r\nHost: {host(0)}\r\nConnection: close\r\n\r\n".encode()

    async def client() -> None:
        nonlocal asked, failed
        while not work.done():
            asked += 1
            failed += not await _good(port, request)

    await asyncio.gather(*(client() for _ in range(2)))
    return asked, failed


async def _memory(haproxy: Haproxy) -> float:
    """Return the worker's resident set in MiB."""
    pid = (await haproxy.about())["Pid"]
    status = Path(f"/proc/{pid}/status").read_text()  # noqa: ASYNC240  # a read of memory
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


async def _processor(haproxy: Haproxy) -> float:
    """Return the seconds of processor time the worker has used: other than the clock's, nobody else's."""
    pid = (await haproxy.about())["Pid"]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # noqa: ASYNC240
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(directory: Path, port: int, plan: Plan, console: Console, cases: list[Case]) -> None:
    """Measure both, one after the other, at every number of routes."""
    (directory / "app").mkdir()
    async with application(directory / "app", port):
        for count in plan.routes:
            for place, kind in enumerate(CONTENDERS):
                home = directory / f"{count}-{place}"
                home.mkdir()
                console.print(f"{count} routes by {kind.name}")
                contender = kind(home, port + 10, port)
                try:
                    cases += await _measured(contender, count, plan)
                finally:
                    await contender.haproxy.stop(0)


async def _measured(contender: Contender, count: int, plan: Plan) -> list[Case]:
    def case(what: str, seconds: float, **more: float) -> Case:
        return Case(f"router: {what}", contender.name, count, seconds, count, more=more)

    started = time.monotonic()
    await contender.begin(count)
    begun = time.monotonic() - started
    memory = await _memory(contender.haproxy)
    found = [case("all routes from nothing", begun, **{"KiB a route": round(memory * 1024 / count, 1)})]
    found[0].memory = round(memory, 1)
    await rate(contender.port, count, min(1.0, plan.seconds))  # once through, so that all is warm
    found.append(await _rated(contender, "a request, unique URLs", count, plan))
    found.append(await _waited(contender, count, plan))
    found.append(await _rated(contender, "a lookup that finds nothing", count, plan, _NOTHING))
    times = []
    for number in range(count, count + 3):
        started = time.monotonic()
        adding = asyncio.create_task(contender.add(number))
        await first_answer(contender.port, number)
        times.append(time.monotonic() - started)
        await adding
    found.append(case("a new route to its first answer", sorted(times)[1], **{"worst": round(max(times), 4)}))
    found.append(await _changed(contender, count, plan))
    return found


async def _rated(
    contender: Contender, what: str, count: int, plan: Plan, expected: re.Pattern[bytes] = _OK
) -> Case:
    before = await _processor(contender.haproxy)
    per_second, wrong = await rate(contender.port, count, plan.seconds, expected)
    used = await _processor(contender.haproxy) - before
    more = {
        "a second": round(per_second),
        "a second of HAProxy's processor": round(per_second * plan.seconds / used) if used else 0,
        "not as expected": wrong,
    }
    return Case(
        f"router: {what}", contender.name, count, 1 / per_second, count, processor=round(used, 2), more=more
    )


async def _waited(contender: Contender, count: int, plan: Plan) -> Case:
    took, wrong = await latencies(contender.port, count, plan.seconds)
    more = {
        "a second": round(len(took) / plan.seconds),
        "median ms": round(took[len(took) // 2] * 1000, 2),
        "p99 ms": round(took[len(took) * 99 // 100] * 1000, 2),
        "not as expected": wrong,
    }
    what = f"router: {CONNECTIONS} clients that wait, 99th percentile"
    return Case(what, contender.name, count, took[len(took) * 99 // 100], count, more=more)


async def _changed(contender: Contender, count: int, plan: Plan) -> Case:
    changes = plan.changes if isinstance(contender, Ours) else max(1, min(5, plan.changes // 100))

    async def work() -> None:
        for turn in range(changes):
            await contender.change(1, turn)

    started = time.monotonic()
    asked, failed = await errors_while(contender.port, asyncio.create_task(work()))
    seconds = (time.monotonic() - started) / changes
    more = {"changes": changes, "requests": asked, "failed": failed}
    return Case("router: a change under load", contender.name, count, seconds, count, more=more)
