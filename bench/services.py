"""Services: how long until each has a load balancer with all its members ACTIVE, and what that takes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from bench.contender import Contender, Stage
from bench.processes import usage
from bench.result import FLOOR, Case, counted
from bench.waiting import seconds_until
from causeway.cloud.errors import NotFound
from causeway.cloud.octavia_objects import (
    ACTIVE,
    ListenerRequest,
    LoadBalancerRequest,
    MemberRequest,
    PoolRequest,
    StatusTree,
)
from causeway.cloud.ownership import Owner
from causeway.kube.errors import Object
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES, Resource

WITHIN = 300.0  # seconds a case may take
_ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
_MANAGER = "bench"
_AT_ONCE = 8
_LETS_GO = 60.0  # seconds a controller may take to let go of services without load balancers
_LOOK = 0.25  # seconds between two looks at a status tree


@dataclass(frozen=True)
class Shape:
    """How many ports a service has, and members behind each."""

    ports: int
    members: int

    def __str__(self) -> str:
        return f"{self.ports} x {self.members}"

    @property
    def addresses(self) -> list[str]:
        """The members' addresses on the pods' network; nobody answers there, which no one here minds."""
        return [f"10.120.200.{number}" for number in range(1, self.members + 1)]

    @property
    def fronts(self) -> list[tuple[str, int, int]]:
        """Name, port and target port of each port."""
        return [(f"p{number}", 80 + number, 8080 + number) for number in range(self.ports)]


async def measure(stage: Stage, who: Contender, pid: int, shape: Shape, count: int, *, what: str) -> Case:
    """Make ``count`` services with their endpoints, wait until all are ACTIVE, and remove them.

    Counted is when the look began that found everything ACTIVE; nobody looks before the contender says that
    all are served. Reading the status of many load balancers takes seconds that are not its own.

    What was not served in time is not waited for any more: ``removed`` is None then, and much may be left.
    """
    namespace = f"services-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    await _backing_pods(stage, namespace, shape)
    calls, before = stage.figures.calls.copy(), usage(pid)
    started = time.monotonic()
    await asyncio.gather(*(_make(stage, namespace, f"s{number}", shape) for number in range(count)))
    served = 0
    seconds: float | None = None

    async def all_active() -> bool:
        nonlocal served, seconds
        served = await who.served_services(stage, namespace)
        began = round(time.monotonic() - started, 3)
        if served < count or await _active(stage, shape) < count:
            return False
        seconds = began
        return True

    await seconds_until(all_active, WITHIN, since=started, every=_LOOK)
    after = usage(pid)
    case = Case(
        what,
        who.name,
        count,
        seconds,
        count if seconds is not None else served,
        calls=counted(stage.figures.since(calls)),
        memory=after.rss,
        processor=round(after.cpu - before.cpu, 2),
    )
    started = time.monotonic()
    await asyncio.gather(*(_drop(stage, namespace, f"s{number}") for number in range(count)))
    if seconds is None:
        return case
    case.removed = await seconds_until(lambda: _none_left(stage), WITHIN, since=started, every=_LOOK)
    # What it still has to write about these must not be counted for the next.
    await seconds_until(lambda: _no_services(stage, namespace), _LETS_GO, every=_LOOK)
    for number in range(shape.members):
        await stage.kube.delete(PODS, f"member-{number}", namespace, grace_seconds=0)
    return case


async def bring(stage: Stage, who: Contender, shape: Shape, count: int) -> int:
    """Have ``count`` services there, or as many as come in time; return how many. They stay."""
    namespace = f"services-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    await _backing_pods(stage, namespace, shape)
    await asyncio.gather(*(_make(stage, namespace, f"s{number}", shape) for number in range(count)))

    async def served() -> bool:
        return await who.served_services(stage, namespace) >= count

    await seconds_until(served, WITHIN, every=_LOOK)
    return await who.served_services(stage, namespace)


async def floor(stage: Stage, shape: Shape, count: int, *, what: str) -> Case:
    """Make the same load balancers with one fully populated call each.

    When the first of them calls itself ACTIVE is told too: its members are not there by then.
    """
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def make(number: int) -> str:
        async with at_once:
            return (await stage.octavia.create_load_balancer(_request(stage, shape, number))).balancer.id

    started = time.monotonic()
    made = await asyncio.gather(*map(make, range(count)))
    waiting = set(made)
    called_active: float | None = None

    async def done() -> bool:
        nonlocal called_active
        for identifier in list(waiting):
            tree = await stage.octavia.status_tree(identifier)
            if called_active is None and tree.provisioning_status == ACTIVE:
                called_active = round(time.monotonic() - started, 2)
            if not complete(tree, shape):
                return False
            waiting.discard(identifier)
        return True

    seconds = await seconds_until(done, WITHIN, since=started, every=_LOOK)
    finished = count - len(waiting)
    started = time.monotonic()
    if waiting:
        await asyncio.to_thread(stage.tenant.clear)
    else:
        await asyncio.gather(*map(stage.octavia.delete_load_balancer, made))
    removed = await seconds_until(lambda: _none_left(stage), WITHIN, since=started, every=_LOOK)
    return Case(
        what, FLOOR, count, seconds, finished, removed, more={"calls itself ACTIVE after s": called_active}
    )


def complete(tree: StatusTree, shape: Shape) -> bool:
    """Return whether a load balancer is there with all that is below it, and all of it ACTIVE."""
    pools = [pool for listener in tree.listeners for pool in listener.pools]
    members = [member for pool in pools for member in pool.members]
    parts: Sequence[object] = (tree, *tree.listeners, *pools, *members)
    sizes = (len(tree.listeners), len(pools), len(members))
    return sizes == (shape.ports, shape.ports, shape.ports * shape.members) and all(
        getattr(part, "provisioning_status", "") == ACTIVE for part in parts
    )


async def _active(stage: Stage, shape: Shape) -> int:
    """Return how many load balancers of the project are complete."""
    number = 0
    for balancer in await stage.octavia.list_load_balancers(()):
        try:
            number += complete(await stage.octavia.status_tree(balancer.id), shape)
        except NotFound:
            continue
    return number


async def _no_services(stage: Stage, namespace: str) -> bool:
    return not (await stage.kube.list(SERVICES, namespace)).items


async def _none_left(stage: Stage) -> bool:
    return not await stage.octavia.list_load_balancers(())


async def _backing_pods(stage: Stage, namespace: str, shape: Shape) -> None:
    """Make the pods behind the members; without a node, so that nobody makes ports for them."""
    for number, address in enumerate(shape.addresses):
        name = f"member-{number}"
        spec = {"containers": [{"name": "c", "image": "i"}]}
        await stage.kube.create(PODS, {"metadata": {"name": name}, "spec": spec}, namespace)
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        meta = {"name": name, "namespace": namespace}
        await stage.kube.apply(
            {"metadata": meta, "status": status}, manager=_MANAGER, resource=PODS, subresource="status"
        )


async def _make(stage: Stage, namespace: str, name: str, shape: Shape) -> None:
    """Make a service with its endpoints in both forms, as Kubernetes' own controllers would."""
    ports = [{"name": each, "port": port, "targetPort": target} for each, port, target in shape.fronts]
    spec = {"selector": {"app": name}, "ports": ports}
    await stage.kube.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, namespace)
    targets = [
        (address, {"kind": "Pod", "name": f"member-{number}", "namespace": namespace})
        for number, address in enumerate(shape.addresses)
    ]
    named = [{"name": each, "port": target, "protocol": "TCP"} for each, _, target in shape.fronts]
    endpoints: Object = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": named,
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": True}, "targetRef": target}
            for address, target in targets
        ],
    }
    addresses = [{"ip": address, "targetRef": target} for address, target in targets]
    older: Object = {"metadata": {"name": name}, "subsets": [{"addresses": addresses, "ports": named}]}
    await asyncio.gather(
        stage.kube.create(ENDPOINT_SLICES, endpoints, namespace),
        stage.kube.create(_ENDPOINTS, older, namespace),
    )


async def _drop(stage: Stage, namespace: str, name: str) -> None:
    await stage.kube.delete(SERVICES, name, namespace)
    await stage.kube.delete(ENDPOINT_SLICES, name, namespace)
    await stage.kube.delete(_ENDPOINTS, name, namespace)


def _request(stage: Stage, shape: Shape, number: int) -> LoadBalancerRequest:
    listeners = [
        ListenerRequest(
            name,
            "TCP",
            port,
            PoolRequest(
                name,
                "TCP",
                "SOURCE_IP_PORT",
                members=[
                    MemberRequest(address, target, stage.tenant.ids["pods-subnet"])
                    for address in shape.addresses
                ],
            ),
        )
        for name, port, target in shape.fronts
    ]
    return LoadBalancerRequest(
        f"floor-{number}",
        "ovn",
        Owner(stage.tenant.cluster, "floor").tags(),
        f"172.30.64.{number + 1}",
        vip_subnet_id=stage.tenant.ids["services-subnet"],
        listeners=listeners,
    )
