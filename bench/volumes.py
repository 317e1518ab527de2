"""Volumes from a claim to a mounted file system, beside the cheapest calls to the cloud itself.

Both sides make disks of 1 GiB, attach them to servers, make an ext4 on each and mount it, as many at once as
there are claims. Causeway's does it by the calls the kubelet and the sidecars make. The floor makes and
attaches each disk by one call and waits for all of them by one list.
"""

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from openstack import exceptions as sdk
from rich.console import Console
from tests.integration.projects import Project, clear_volumes, project, until
from tests.integration.volumes.kubernetes import Kubernetes
from tests.integration.volumes.place import Driver, boot, driver_of, seen

from bench.processes import usage
from bench.result import FLOOR, Case
from causeway.host import disks
from causeway.lab.settings import Settings

_A_SERVER = 20  # disks of one server: fewer than any hypervisor takes
_AT_ONCE = 8  # calls of the floor that are under way together
_PAUSE = 0.25  # seconds between two lists of the floor
_SECONDS = 600.0
_KIND = "ext4"


@dataclass(frozen=True)
class Place:
    """A server, its files as the node service sees them, and the driver beside it."""

    server: str
    root: Path
    driver: Driver
    kubernetes: Kubernetes


def run(lab: Settings, directory: Path, counts: Sequence[int], console: Console, cases: list[Case]) -> None:
    """Measure both at every number of claims at once, and append what was found to ``cases``."""
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(lab.clouds_file)
    servers = math.ceil(max(counts) / _A_SERVER)
    with _places(lab, directory, servers) as (made, places):
        console.print("[dim]one claim first, so that both find everything warm[/]")
        _ours(places, ["warm"])
        for count in counts:
            for who, measure in (
                (FLOOR, partial(_floor, made, places)),
                ("causeway", partial(_ours, places)),
            ):
                names = [f"{who}-{count}-{number}" for number in range(count)]
                case = measure(names)
                cases.append(case)
                console.print(f"[dim]{case.what}: {count} by {who}: {case.seconds:.2f} s[/]")
        nodes = [usage(place.driver.processes["node"].pid).rss for place in places]
        controller = usage(places[0].driver.processes["controller"].pid).rss
        cases.append(
            Case("volumes: node service", "causeway", len(nodes), None, len(nodes), memory=max(nodes))
        )
        cases.append(Case("volumes: controller service", "causeway", 1, None, 1, memory=controller))


@contextmanager
def _places(lab: Settings, directory: Path, count: int) -> Iterator[tuple[Project, list[Place]]]:
    """Make a project with servers and a driver at each; only the first has a controller service."""
    with ExitStack() as after:
        made = after.enter_context(project("bench", directory))
        after.callback(clear_volumes, made.cloud)
        made.admin.block_storage.update_quota_set(made.id, volumes=200, gigabytes=500)
        places: list[Place] = []
        for number in range(count):
            home = directory / f"server-{number}"
            (home / "root").mkdir(parents=True)
            server = boot(lab, made.cloud, f"{made.name}-{number}").id
            root = after.enter_context(seen(lab, server, home / "root"))
            driver = driver_of(made, root, home)
            after.callback(driver.stop)
            if not number:
                driver.start("controller")
            driver.start("node")
            kubernetes = Kubernetes(driver, server, controller=places[0].driver if places else driver)
            places.append(Place(server, root, driver, kubernetes))
        yield made, places


def _spread(places: Sequence[Place], names: Sequence[str]) -> list[tuple[Place, str]]:
    return [(places[number % len(places)], name) for number, name in enumerate(names)]


def _ours(places: Sequence[Place], names: Sequence[str]) -> Case:
    log = places[0].driver.directory / "controller.log"
    before = log.stat().st_size
    controller = places[0].driver.processes["controller"].pid
    used = usage(controller).cpu

    def mounted(place: Place, name: str) -> str:
        volume = place.kubernetes.create(name, _KIND)
        place.kubernetes.attach(volume, _KIND)
        place.kubernetes.mount(volume, _KIND)
        return volume

    with ThreadPoolExecutor(len(names)) as pool:
        seconds, volumes = _timed(lambda: list(pool.map(lambda each: mounted(*each), _spread(places, names))))
        calls = _calls(log, before)
        processor = usage(controller).cpu - used
        pairs = [(place, volume) for (place, _), volume in zip(_spread(places, names), volumes, strict=True)]
        removed, _ = _timed(lambda: list(pool.map(lambda each: each[0].kubernetes.away(each[1]), pairs)))
    case = _case("causeway", len(names), seconds, removed, calls)
    case.processor = round(processor, 2)
    return case


def _floor(made: Project, places: Sequence[Place], names: Sequence[str]) -> Case:
    storage, compute = made.cloud.block_storage, made.cloud.compute
    calls: Counter[str] = Counter()

    def send(service: Any, verb: str, path: str, **body: Any) -> Any:
        what = (
            path.replace(path.split("/")[2], "ID") if path.count("/") > 1 and "detail" not in path else path
        )
        calls[f"{'block-storage' if service is storage else 'compute'} {verb} {what}"] += 1
        response = getattr(service, verb.lower())(path, **({"json": body} if body else {}))
        sdk.raise_from_response(response)
        return response.json() if response.content else None

    def wait(ids: set[str], status: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while True:
            found = send(storage, "GET", "/volumes/detail")["volumes"]
            there = {each["id"]: each["status"] for each in found if each["id"] in ids}
            if set(there.values()) <= {status} and (len(there) == len(ids) or not status):
                return
            assert time.monotonic() < deadline, f"not {status}: {there}"
            time.sleep(_PAUSE)

    def create(name: str) -> str:
        made = send(storage, "POST", "/volumes", volume={"name": name, "size": 1})
        return str(made["volume"]["id"])

    def attach(place: Place, volume: str) -> None:
        path = f"/servers/{place.server}/os-volume_attachments"
        send(compute, "POST", path, volumeAttachment={"volumeId": volume})

    def mount(place: Place, volume: str) -> None:
        until(lambda: disks.find(volume, place.root))
        device, target = disks.find(volume, place.root), place.driver.directory / "floor" / volume
        script = f"mkfs.{_KIND} -q {device} && mkdir -p {target} && mount {device} {target}"
        place.kubernetes.said(script)

    def away(place: Place, volume: str) -> None:
        place.kubernetes.said(f"umount {place.driver.directory / 'floor' / volume}")
        send(compute, "DELETE", f"/servers/{place.server}/os-volume_attachments/{volume}")

    with ThreadPoolExecutor(_AT_ONCE) as pool:

        def each(work: Callable[..., Any], things: Sequence[Any]) -> list[Any]:
            return list(pool.map(lambda thing: work(*thing), things))

        def all_mounted() -> list[tuple[Place, str]]:
            volumes = each(create, [(name,) for name in names])
            wait(set(volumes), "available")
            pairs = [(place, each) for (place, _), each in zip(_spread(places, names), volumes, strict=True)]
            each(attach, pairs)
            wait(set(volumes), "in-use")
            each(mount, pairs)
            return pairs

        def all_gone(pairs: Sequence[tuple[Place, str]]) -> None:
            volumes = [volume for _, volume in pairs]
            each(away, pairs)
            wait(set(volumes), "available")
            each(lambda volume: send(storage, "DELETE", f"/volumes/{volume}"), [(each,) for each in volumes])
            wait(set(volumes), "")

        seconds, pairs = _timed(all_mounted)
        used = Counter(calls)
        removed, _ = _timed(lambda: all_gone(pairs))
    return _case(FLOOR, len(names), seconds, removed, used)


def _case(who: str, count: int, seconds: float, removed: float, calls: Counter[str]) -> Case:
    case = Case("volumes: claim to mounted", who, count, seconds, count, round(removed, 2), dict(calls))
    case.more = {f"{name} calls each": case.calls_each(name) for name in ("block-storage", "compute")}
    return case


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


def _calls(log: Path, begin: int) -> Counter[str]:
    """Return the calls to the cloud a service's log tells of, from ``begin`` (bytes) on."""
    with log.open("rb") as text:
        text.seek(begin)
        lines = [json.loads(line) for line in text if line.startswith(b"{")]
    made = [line for line in lines if line.get("event") == "call"]
    return Counter(f"{line['service']} {line['verb']}" for line in made)
