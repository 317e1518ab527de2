"""A platform larger than the lab: a simulated cloud, a real Kubernetes API, and the real controller between.

Ten thousand pods on two hundred nodes, a thousand services, five hundred policies are there before the
controller starts: it has to make all of it. Then it is killed and started again, and has to find that nothing
is left to do.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import uuid4

from rich.console import Console
from tests.ports import free_port

from bench.contenders.causeway import causeway, until_at_work
from bench.kubelets import Kubelets
from bench.processes import prefer, running, usage
from bench.result import Case
from bench.simulator.cloud import SimulatedCloud
from bench.stage import kube_api, our_definitions
from bench.waiting import seconds_until
from causeway.cloud.ownership import Owner
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.objects import Service
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, NODES, PODS, SERVICES, Resource
from causeway.lab.settings import Settings
from causeway.rooms.services.model import CONDITION

WITHIN = 1800.0  # seconds to converge
_QUIET = 35.0  # seconds without a write by which it is known that nothing is left to do: more than a poll
_AT_ONCE = 32
# Of the controller, the probe and Kubernetes: what else runs for the measurement (simulated cloud, nodes) has
# machines of its own elsewhere, and must not count as lag.
_PRIORITY = -10
_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")


@dataclass(frozen=True)
class Size:
    """How large the platform is; calls a second are those the controller is allowed."""

    pods: int = 10_000
    services: int = 1_000
    policies: int = 500
    nodes: int = 200
    namespaces: int = 100
    calls_per_second: int = 100


async def run(lab: Settings, directory: Path, size: Size, console: Console, cases: list[Case]) -> None:
    """Measure and append what was found to ``cases``."""
    cloud = SimulatedCloud()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(cloud.answering())
        api = stack.enter_context(kube_api(lab, directory))
        for program in (api.etcd, api.server):
            if program.process is not None:
                prefer(program.process.pid, _PRIORITY)
        kube = await stack.enter_async_context(Client(from_kubeconfig(api.kubeconfig)))
        for each in our_definitions():
            await kube.apply(each, manager="bench")
        platform = _site(cloud, size)
        console.print("[dim]filling Kubernetes[/]")
        started = time.monotonic()
        kubelets = Kubelets(kube)
        await _fill(kube, size, kubelets)
        console.print(f"[dim]filled in {time.monotonic() - started:.0f} s[/]")
        await stack.enter_async_context(kubelets.running())
        config = directory / "config.json"
        config.write_text(json.dumps({**platform, "cloudCallsPerSecond": size.calls_per_second}))
        controller = _Controller(directory, cloud, api.kubeconfig, config)

        async def converged() -> bool:
            return kubelets.served >= size.pods and await _served(kube) >= size.services

        cases.append(await _observe("from nothing", controller, size, converged, console))
        _tell(console, cases[-1])

        async def nothing_is_left() -> bool:
            return True

        cases.append(await _observe("from a restart", controller, size, nothing_is_left, console))
        _tell(console, cases[-1])


@dataclass(frozen=True)
class _Controller:
    directory: Path
    cloud: SimulatedCloud
    kubeconfig: Path
    config: Path

    @contextlib.asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[tuple[int, Path]]:
        """Run the controller and the probe of its event loop; the values are its process and the lags."""
        port, lags = free_port(), self.directory / f"{name}.lags"
        environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "CAUSEWAY_CONFIG": str(self.config),
            "OS_CLIENT_CONFIG_FILE": str(self.cloud.clouds(self.directory / "clouds.yaml")),
            "OS_CLOUD": "openstack",
            "POD_NAME": "bench",
            "CAUSEWAY_HEALTH_PORT": str(port),
        }
        with causeway(["serve", "controller"], self.directory / f"{name}.log", environment) as process:
            prefer(process.pid, _PRIORITY)
            await until_at_work(port)
            argv = [sys.executable, "-m", "bench.probe", str(port), str(lags)]
            with running(argv, self.directory / "probe.log", os.environ) as probe:
                prefer(probe.pid, _PRIORITY)
                yield process.pid, lags


async def _observe(
    name: str,
    controller: _Controller,
    size: Size,
    done: Callable[[], Awaitable[bool]],
    console: Console,
) -> Case:
    """Run the controller until ``done`` and until it is quiet; return what it took."""
    cloud = controller.cloud
    cloud.forget()
    started = time.monotonic()
    async with controller.running(name.replace(" ", "-")) as (pid, lags):
        peak = 0.0

        async def served() -> bool:
            nonlocal peak
            peak = max(peak, usage(pid).rss)
            return await done()

        async def quiet() -> bool:
            nonlocal peak
            peak = max(peak, usage(pid).rss)
            return time.monotonic() - max(cloud.last_write, started) > _QUIET

        seconds = await seconds_until(served, WITHIN, every=1.0, since=started)
        console.print(f"[dim]{name}: all served after {seconds} s[/]")
        await seconds_until(quiet, WITHIN, every=1.0)
        took = usage(pid)
    told = [float(line) for line in lags.read_text().splitlines()]
    spread = quantiles(told, n=100, method="inclusive")
    return Case(
        f"scale, {name}",
        "causeway",
        size.pods,
        seconds,
        size.pods if seconds is not None else 0,
        memory=peak,
        processor=round(took.cpu, 1),
        more={
            "last write to the cloud after s": round(max(cloud.last_write, started) - started, 1),
            "MiB at the end": took.rss,
            "event loop lag p50 ms": round(spread[49], 1),
            "event loop lag p99 ms": round(spread[98], 1),
            "event loop lag most ms": max(told),
            "cloud calls": cloud.calls,
            "cloud writes": cloud.writes,
            "most calls in ten seconds": cloud.most_in_ten,
            **asdict(size),
        },
    )


def _site(cloud: SimulatedCloud, size: Size) -> dict[str, Any]:
    """Make in the cloud what a platform's stack makes; return the controller's settings."""
    make, cluster = cloud.network.make, str(uuid4())
    networks = {name: make("networks", {"name": name}) for name in ("nodes", "pods", "services", "external")}
    ranges = {"nodes": "10.110.0.0/16", "pods": "10.120.0.0/16", "services": "172.30.0.0/16"}
    subnets = {
        name: make("subnets", {"network_id": networks[name]["id"], "cidr": cidr})
        for name, cidr in ranges.items()
    }
    for number in range(size.nodes):
        name = _node(number)
        tags = Owner(cluster, "node").tags()
        port = make("ports", {"network_id": networks["nodes"]["id"], "name": name, "tags": tags})
        make("trunks", {"name": name, "port_id": port["id"]})
    return {
        "clusterId": cluster,
        "platform": "scale",
        "externalNetworkId": networks["external"]["id"],
        "podNetworkId": networks["pods"]["id"],
        "podSubnetId": subnets["pods"]["id"],
        "podSecurityGroupId": make("security-groups", {"name": "pods"})["id"],
        "serviceNetworkId": networks["services"]["id"],
        "serviceSubnetId": subnets["services"]["id"],
        "nodeSubnetId": subnets["nodes"]["id"],
        "loadBalancerProvider": "ovn",
        "serviceCidr": "172.30.0.0/17",
    }


async def _fill(kube: Client, size: Size, kubelets: Kubelets) -> None:
    """Make everything in Kubernetes."""
    await _all(
        kube.create(NAMESPACES, {"metadata": {"name": _namespace(number)}})
        for number in range(size.namespaces)
    )
    await _all(kube.create(NODES, {"metadata": {"name": _node(number)}}) for number in range(size.nodes))

    async def pod(number: int) -> None:
        labels = {"app": f"a{number % size.services}"}
        spec = {"nodeName": _node(number % size.nodes), "containers": [{"name": "c", "image": "i"}]}
        meta = {"name": f"p{number}", "labels": labels}
        made = await kube.create(PODS, {"metadata": meta, "spec": spec}, _namespace(number % size.namespaces))
        kubelets.bound(made, isolated=number % size.services < size.policies)

    await _all(pod(number) for number in range(size.pods))
    await _all(_service(kube, number, size) for number in range(size.services))
    await _all(_policy(kube, number, size) for number in range(size.policies))


async def _service(kube: Client, number: int, size: Size) -> None:
    namespace, name = _namespace(number % size.namespaces), f"s{number}"
    spec = {"selector": {"app": f"a{number}"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    await kube.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, namespace)
    endpoints = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [f"10.120.{100 + number // 80}.{1 + number % 80 * 3 + each}"]} for each in range(3)
        ],
    }
    await kube.create(ENDPOINT_SLICES, endpoints, namespace)


async def _policy(kube: Client, number: int, size: Size) -> None:
    """Make a policy that lets the pods of one application be reached by those of another."""
    peer = {"podSelector": {"matchLabels": {"app": f"a{(number + size.namespaces) % size.services}"}}}
    spec = {
        "podSelector": {"matchLabels": {"app": f"a{number}"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [peer], "ports": [{"port": 8080}]}],
    }
    body = {"metadata": {"name": f"n{number}"}, "spec": spec}
    await kube.create(_POLICIES, body, _namespace(number % size.namespaces))


async def _served(kube: Client) -> int:
    found = await kube.list(SERVICES, of=Service)
    return sum(
        any(one.type == CONDITION and one.status == "True" for one in each.status.conditions)
        for each in found.items
    )


async def _all(work: Iterable[Awaitable[object]]) -> None:
    """Do much at once, but not all of it."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[object]) -> None:
        async with free:
            await each

    await asyncio.gather(*map(one, work))


def _node(number: int) -> str:
    return f"node-{number:03d}"


def _namespace(number: int) -> str:
    return f"ns-{number:03d}"


def _tell(console: Console, case: Case) -> None:
    console.print(f"[dim]{case.what}: {case.seconds} s, {case.memory} MiB[/]")
