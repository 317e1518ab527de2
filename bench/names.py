"""Names of thousands of Routes, beside the cheapest calls to Designate itself.

Both sides put the same aliases into a zone of their own, each with the note that says whose it is. Causeway
reads them from Routes in a real Kubernetes API; the floor makes as many record sets by as many calls and does
nothing else. Then one more is added to each, and the name server is asked until it answers.
"""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.integration import names
from tests.integration.deployment import deploy
from tests.integration.projects import CLOUD, Project, project, until

from bench.processes import running, usage
from bench.result import FLOOR, Case
from bench.stage import kube_api
from causeway.cloud.designate import Designate, NewRecordSet
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import ROUTES
from causeway.lab.settings import Settings
from demo.resolver import ask

FILLED, ONE_MORE = "names: all of them", "names: one more, until the name server answers"
_ROOM = Path(names.__path__[0]) / "run_names.py"
_AT_ONCE = 16  # calls under way together: the floor's, and those that make Routes
_SECONDS = 3600.0
_PAUSE = 0.1  # seconds between two questions


@dataclass(frozen=True)
class Zone:
    """A zone that the name server at ``server`` serves."""

    name: str
    id: str
    server: str

    async def answers(self, host: str) -> None:
        """Wait until the name server knows an alias of a host; raises ``TimeoutError``."""
        async with asyncio.timeout(_SECONDS):
            while True:
                found = await asyncio.to_thread(ask, self.server, f"{host}.{self.name}", "CNAME")
                if found.records:
                    return
                await asyncio.sleep(_PAUSE)


@dataclass(frozen=True)
class Place:
    """Where it is measured: a project, a Kubernetes API, and room for what processes write."""

    lab: Settings
    made: Project
    cloud: Cloud
    kube: Client
    kubeconfig: Path
    directory: Path

    def zone(self) -> Zone:
        """Make a zone, and wait until the name server serves it."""
        name = f"{uuid.uuid4().hex[:6]}.test."
        zone = self.made.cloud.dns.create_zone(name=name, email="hostmaster@lab.test")
        until(lambda: ask(self.lab.address, f"nothing.{name}").code == 3)
        return Zone(name, zone.id, self.lab.address)


async def run(
    lab: Settings, directory: Path, counts: Sequence[int], console: Console, cases: list[Case]
) -> None:
    """Measure both at every number of names, and append what was found to ``cases``."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(lab.clouds_file)
    async with AsyncExitStack() as after:
        made = after.enter_context(_tenant(directory, max(counts)))
        api = after.enter_context(kube_api(lab, directory))
        cloud = await after.enter_async_context(await Cloud.open(CLOUD, made.clouds))
        kube = await after.enter_async_context(Client(from_kubeconfig(api.kubeconfig)))
        await deploy(kube)
        place = Place(lab, made, cloud, kube, Path(api.kubeconfig), directory)
        for count in counts:
            for measure in (_floor, _ours):
                found = await measure(place, count)
                cases += found
                for case in found:
                    console.print(f"[dim]{case.what}: {count} by {case.who}: {case.seconds:.2f} s[/]")


@contextmanager
def _tenant(directory: Path, most: int) -> Iterator[Project]:
    with project("names", directory) as made:
        quota = {"zone_recordsets": 4 * most, "zone_records": 4 * most}
        headers = {"X-Auth-All-Projects": "true"}
        answer = made.admin.dns.patch(f"/quotas/{made.id}", json=quota, headers=headers)
        assert answer.status_code == 200, answer.text
        try:
            yield made
        finally:
            for zone in made.cloud.dns.zones():
                made.cloud.dns.delete_zone(zone)
            until(lambda: not list(made.cloud.dns.zones()), _SECONDS)


async def _floor(place: Place, count: int) -> list[Case]:
    zone, designate = await asyncio.to_thread(place.zone), Designate(place.cloud)

    async def put(number: int) -> None:
        host = f"shop-{number}.{zone.name}"
        await designate.create_record_set(zone.id, NewRecordSet(f"note-{host}", "TXT", ('"owner"',)))
        await designate.create_record_set(zone.id, NewRecordSet(host, "CNAME", (f"router.{zone.name}",)))

    before = place.cloud.calls.copy()
    written = await _timed(_all(put, range(count)))
    calls = {f"{service} {verb}": number for (service, verb), number in (place.cloud.calls - before).items()}
    await zone.answers(f"shop-{count - 1}")
    more = await _timed(_both(put(count), zone.answers(f"shop-{count}")))
    return [
        Case(FILLED, FLOOR, count, round(written, 2), count, calls=calls),
        Case(ONE_MORE, FLOOR, count, round(more, 2), 1),
    ]


async def _ours(place: Place, count: int) -> list[Case]:
    zone = await asyncio.to_thread(place.zone)
    figures, log = place.directory / f"figures-{count}.json", place.directory / f"names-{count}.log"
    settings = {
        "cloud": CLOUD,
        "clouds": str(place.made.clouds),
        "kubeconfig": str(place.kubeconfig),
        "cluster": str(uuid.uuid4()),
        "zone": zone.name,
        "owner": "bench",
        "fixed": {},
        "figures": str(figures),
    }
    file = place.directory / f"settings-{count}.json"
    file.write_text(json.dumps(settings))

    async def put(number: int) -> None:
        await _admitted(place.kube, zone, f"shop-{number}")

    await _all(put, range(count))  # a platform that is given its zone, or whose controller starts
    with running([sys.executable, _ROOM, file], log, os.environ) as process:
        written = await _timed(_filled(place, zone, 2 * count))
        used = usage(process.pid)
        await zone.answers(f"shop-{count - 1}")
        more = await _timed(_both(put(count), zone.answers(f"shop-{count}")))
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 120)
    for number in range(count + 1):
        await place.kube.delete(ROUTES, f"shop-{number}", "default")
    calls = json.loads(figures.read_text())
    filled = Case(FILLED, "causeway", count, round(written, 2), count, calls=calls)
    filled.memory, filled.processor = used.rss, round(used.cpu, 2)
    return [filled, Case(ONE_MORE, "causeway", count, round(more, 2), 1)]


async def _admitted(kube: Client, zone: Zone, name: str) -> None:
    """Make a Route that a router has admitted."""
    body: dict[str, Any] = {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"host": f"{name}.{zone.name}".rstrip("."), "to": {"kind": "Service", "name": "shop"}},
    }
    await kube.apply(body, manager="bench", resource=ROUTES)
    entry = {
        "host": body["spec"]["host"],
        "routerName": "default",
        "routerCanonicalHostname": f"router.{zone.name}".rstrip("."),
        "conditions": [{"type": "Admitted", "status": "True"}],
    }
    await kube.patch(ROUTES, name, {"status": {"ingress": [entry]}}, "default", subresource="status")


async def _filled(place: Place, zone: Zone, wanted: int) -> None:
    """Wait until a zone has as many record sets besides its own; the room is not asked, but the cloud."""
    path = f"/v2/zones/{zone.id}/recordsets?limit=1"
    async with asyncio.timeout(_SECONDS):
        while True:
            answer = json.loads(await place.cloud.call("dns", "GET", path))
            if answer["metadata"]["total_count"] >= wanted + 2:  # its SOA and NS
                return
            await asyncio.sleep(_PAUSE * 5)


async def _all(put: Callable[[int], Awaitable[None]], numbers: Iterable[int]) -> None:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            await put(number)

    await asyncio.gather(*(one(number) for number in numbers))


async def _both(first: Awaitable[None], then: Awaitable[None]) -> None:
    await first
    await then


async def _timed(work: Awaitable[None]) -> float:
    began = time.monotonic()
    await work
    return time.monotonic() - began
