"""Pods: how long until every one of them has an ACTIVE port on its node's trunk, and what that takes."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from bench.contender import Contender, Stage
from bench.node import Node
from bench.processes import usage
from bench.proxy import Call
from bench.result import FLOOR, Case, counted
from bench.waiting import seconds_until
from causeway.cloud.neutron import Neutron, PortRequest, Subport
from causeway.cloud.ownership import Owner
from causeway.cloud.session import Cloud
from causeway.kube.resource import NAMESPACES, NODES, PODS

WITHIN = 300.0  # seconds a case may take
_LOOK, _LOOK_FOR_ONE = 0.1, 0.02  # seconds between looks at what has become of many pods, and of one
_QUIET = 1.0  # seconds without a write after which a case is over
_AFTERWARDS = 8.0  # the same, with all that a controller does when it has time
_MANAGER = "bench"
_CHUNK = 10
_AT_ONCE = 3


async def declare_nodes(stage: Stage) -> None:
    """Make the nodes known to Kubernetes, as their kubelets would."""
    for node in stage.nodes:
        meta = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}}
        await stage.kube.apply(meta, manager=_MANAGER)
        addresses = [{"type": "InternalIP", "address": node.port.address}]
        await stage.kube.apply(
            {**meta, "status": {"addresses": addresses}},
            manager=_MANAGER,
            resource=NODES,
            subresource="status",
        )


async def measure(
    stage: Stage, who: Contender, pid: int, count: int, *, what: str, pooled: bool = False
) -> Case:
    """Make ``count`` pods on the first node and wait until their ports are ACTIVE; then remove them.

    ``handed out`` of the case is when, by the contender's own word, every pod had a port, ``pods a second``
    how many that makes. A list of Neutron's ports confirms it afterwards, which takes its time while Neutron
    makes the pool's next ports.

    Removed they are when no port of theirs is left in the cloud; ``pooled``, when Kubernetes is rid of them.
    Nothing of an earlier case is counted with it: it begins, and ends, when nobody writes any more. The calls
    are those of creation; what is written to Kubernetes to remove the pods is told beside them.
    """
    await at_rest(stage, _AFTERWARDS)
    namespace = f"pods-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    calls, before = stage.figures.calls.copy(), usage(pid)
    started = time.monotonic()
    await make_pods(stage, stage.nodes[0], namespace, range(count))
    served: set[str] = set()

    async def all_served() -> bool:
        nonlocal served
        served = await who.ports_of_pods(stage, namespace)
        return len(served) >= count

    async def all_active() -> bool:
        return await active(stage, served)

    # The floor looks for the first time when its last call has answered: a pod that is alone is not made to
    # wait for the next look, either.
    every = min(_LOOK, _LOOK_FOR_ONE * count)
    handed_out = await seconds_until(all_served, WITHIN, every=every, since=started)
    seconds = await seconds_until(all_active, WITHIN, every=_LOOK, since=started) if handed_out else None
    after = usage(pid)
    await at_rest(stage)
    case = Case(
        what,
        who.name,
        count,
        seconds,
        min(len(served), count),
        calls=counted(stage.figures.since(calls)),
        memory=after.rss,
        processor=round(after.cpu - before.cpu, 2),
        more=_rate(count, handed_out) if handed_out else {},
    )
    calls = stage.figures.calls.copy()
    started = time.monotonic()
    await remove_pods(stage, namespace, range(count))
    if not pooled:
        await no_ports_left(stage)
    case.removed = round(time.monotonic() - started, 3)
    await at_rest(stage, _AFTERWARDS)
    case.more["Kubernetes writes to remove"] = _writes(stage.figures.since(calls))
    return case


def _rate(count: int, seconds: float) -> dict[str, float]:
    return {"handed out": seconds, "pods a second": round(count / seconds, 1)}


async def at_rest(stage: Stage, seconds: float = _QUIET) -> None:
    """Wait until nobody under measurement has written to Kubernetes for so long; leases do not count."""
    deadline = time.monotonic() + WITHIN
    written, since = -1, time.monotonic()
    while time.monotonic() < min(deadline, since + seconds) or written < 0:
        now = _writes(stage.figures.calls)
        if now != written:
            written, since = now, time.monotonic()
        await asyncio.sleep(_LOOK)


def _writes(calls: "Counter[Call]") -> int:
    kept = counted(Counter({call: number for call, number in calls.items() if call.writes}))
    return sum(number for call, number in kept.items() if call.startswith("kubernetes "))


async def bring(stage: Stage, who: Contender, count: int) -> int:
    """Have ``count`` pods there with their ports, or as many as come in time; return how many. They stay."""
    namespace = f"pods-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    await make_pods(stage, stage.nodes[0], namespace, range(count))

    async def served() -> bool:
        return len(await who.ports_of_pods(stage, namespace)) >= count

    await seconds_until(served, WITHIN)
    return len(await who.ports_of_pods(stage, namespace))


async def make_pods(stage: Stage, node: Node, namespace: str, numbers: Sequence[int]) -> None:
    """Make pods bound to ``node``, with the status its kubelet would write at first."""

    async def make(number: int) -> None:
        spec = {"nodeName": node.name, "containers": [{"name": "c", "image": "i"}]}
        name = f"pod-{number}"
        await stage.kube.create(PODS, {"metadata": {"name": name}, "spec": spec}, namespace)
        status: dict[str, Any] = {"hostIP": node.port.address, "hostIPs": [{"ip": node.port.address}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}}
        await stage.kube.apply(
            {**body, "status": status}, manager=_MANAGER, resource=PODS, subresource="status"
        )

    await asyncio.gather(*(make(number) for number in numbers))


async def remove_pods(stage: Stage, namespace: str, numbers: Sequence[int]) -> None:
    """Delete pods and wait until none is left, their finalizers included."""

    async def delete(number: int) -> None:
        await stage.kube.delete(PODS, f"pod-{number}", namespace, grace_seconds=0)

    await asyncio.gather(*(delete(number) for number in numbers))

    async def gone() -> bool:
        return not (await stage.kube.list(PODS, namespace)).items

    await seconds_until(gone, WITHIN)


async def active(stage: Stage, ports: set[str]) -> bool:
    """Return whether all these ports of the pods' network are ACTIVE."""
    found = await stage.neutron.list_ports(network_id=stage.tenant.ids["pods"])
    return ports <= {port.id for port in found if port.status == "ACTIVE"}


async def no_ports_left(stage: Stage) -> None:
    """Wait until no port of a pod is left in the cloud."""

    async def none() -> bool:
        found = await stage.neutron.list_ports(network_id=stage.tenant.ids["pods"])
        return all(port.device_owner.startswith("network:") for port in found)

    await seconds_until(none, WITHIN)


async def floor(stage: Stage, count: int, *, what: str) -> Case:
    """Make the same ports by the cheapest calls there are: the quicker of one bulk call and several.

    The subports are added in one call; what is found quicker is the floor, both are kept. The calls pass the
    counting proxies, which take their milliseconds of everybody.
    """
    ways = {"one call": count, f"calls of {_CHUNK}, {_AT_ONCE} at once": _CHUNK}
    took: dict[str, float | None] = {}
    removed = None
    clouds = stage.tenant.clouds(stage.directory / "floor.yaml", stage.auth_url)
    async with await Cloud.open("openstack", clouds) as cloud:
        await Neutron(cloud).get_trunk(stage.nodes[0].port.trunk_id)  # from here on it has a token
        for way, chunk in list(ways.items())[: 1 if count <= _CHUNK else 2]:
            took[way], removed = await _raw(stage, Neutron(cloud), count, chunk)
    best = min((one for one in took.values() if one is not None), default=None)
    return Case(what, FLOOR, count, best, count if best else 0, removed, more={"ways": took})


async def _raw(stage: Stage, neutron: Neutron, count: int, chunk: int) -> tuple[float | None, float]:
    tenant, trunk = stage.tenant, stage.nodes[0].port.trunk_id
    request = PortRequest(
        name="floor",
        network_id=tenant.ids["pods"],
        tags=Owner(tenant.cluster, "floor").tags(),
        fixed_ips=[{"subnet_id": tenant.ids["pods-subnet"]}],
        security_groups=[tenant.ids["group"]],
    )
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def create(number: int) -> list[str]:
        async with at_once:
            return [port.id for port in await neutron.create_ports([request] * number)]

    started = time.monotonic()
    chunks = [min(chunk, count - begin) for begin in range(0, count, chunk)]
    made = [port for ports in await asyncio.gather(*map(create, chunks)) for port in ports]
    await neutron.add_subports(trunk, [Subport(port, 100 + each) for each, port in enumerate(made)])

    async def done() -> bool:
        return await active(stage, set(made))

    seconds = await seconds_until(done, WITHIN, since=started)
    started = time.monotonic()
    await neutron.remove_subports(trunk, made)
    deleting = asyncio.Semaphore(8)

    async def delete(port: str) -> None:
        async with deleting:
            await neutron.delete_port(port)

    await asyncio.gather(*map(delete, made))
    return seconds, round(time.monotonic() - started, 3)


async def fill_pool(stage: Stage, who: Contender, size: int) -> float | None:
    """Bring the pool of the first node to ``size``, by one pod that comes and goes; return the seconds."""
    namespace = f"fill-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    await make_pods(stage, stage.nodes[0], namespace, range(1))

    async def served() -> bool:
        return bool(await who.ports_of_pods(stage, namespace))

    await seconds_until(served, WITHIN)
    await remove_pods(stage, namespace, range(1))

    async def full() -> bool:
        return await who.has_pool(stage, stage.nodes[0], size)

    return await seconds_until(full, WITHIN)
