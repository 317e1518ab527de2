"""Services against the lab's Octavia and a real Kubernetes API."""

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from tests.integration.services.conftest import POD_CIDR, Doors, Project, Room
from tests.pace import pauses

from causeway.cloud.octavia_objects import LoadBalancer, StatusTree
from causeway.cloud.octavia_providers import OVN
from causeway.cloud.ownership import of_cluster
from causeway.engine.explanation import Explanation
from causeway.kube.errors import NotFound
from causeway.kube.objects import Service
from causeway.kube.resource import ENDPOINT_SLICES, EVENTS, SERVICES
from causeway.lab import tree as lab_tree
from causeway.lab.settings import Settings
from causeway.rooms.services.explain import explain, gather
from causeway.rooms.services.model import Place, Setting

T = TypeVar("T")
Say = Callable[[str], None]

PORTS = [("http", 80, "TCP"), ("dns-tcp", 53, "TCP"), ("dns", 53, "UDP")]
Fronts = dict[str, list[str]]


async def until(what: str, probe: Callable[[], Awaitable[T | None]], seconds: float = 240.0) -> T:
    """Return what ``probe`` finds, once it finds something."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while True:
        found = await probe()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"in {seconds:.0f} s not: {what}"
        await asyncio.sleep(next(pause))


def service(name: str, ports: list[tuple[str, int, str]] = PORTS, **spec: Any) -> dict[str, Any]:
    listed = [{"name": n, "port": p, "protocol": pr, "targetPort": 8000 + p} for n, p, pr in ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": listed, **spec},
    }


def endpoints(name: str, count: int, ports: list[tuple[str, int, str]] = PORTS) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"name": n, "port": 8000 + p, "protocol": pr} for n, p, pr in ports],
        "endpoints": [
            {"addresses": [f"10.131.0.{20 + i}"], "conditions": {"ready": True}} for i in range(count)
        ],
    }


async def apply(doors: Doors, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        await doors.kube.apply(body, manager="test")


async def balancers(doors: Doors, project: Project) -> list[LoadBalancer]:
    return await doors.octavia.list_load_balancers(of_cluster(project.cluster))


def settled(tree: StatusTree) -> bool:
    parts = [tree.provisioning_status]
    for listener in tree.listeners:
        parts.append(listener.provisioning_status)
        for pool in listener.pools:
            parts += [pool.provisioning_status, *(member.provisioning_status for member in pool.members)]
    return set(parts) == {"ACTIVE"}


async def served(doors: Doors, project: Project, name: str) -> Fronts | None:
    """Return the members by listener of a Service's settled load balancer."""
    found = [one for one in await balancers(doors, project) if one.name == f"default/{name}"]
    if len(found) != 1:
        return None
    tree = await doors.octavia.status_tree(found[0].id)
    if not settled(tree):
        return None
    return {
        listener.name.rpartition(":")[2]: sorted(
            f"{member.address}:{member.protocol_port}" for pool in listener.pools for member in pool.members
        )
        for listener in tree.listeners
    }


def expected(count: int, ports: list[tuple[str, int, str]] = PORTS) -> Fronts:
    return {f"{p}/{pr}": [f"10.131.0.{20 + i}:{8000 + p}" for i in range(count)] for _, p, pr in ports}


async def serves(doors: Doors, project: Project, name: str, wanted: Fronts, seconds: float = 240.0) -> None:
    async def probe() -> bool:
        return await served(doors, project, name) == wanted

    await until(f"{name} serves {wanted}", probe, seconds)


async def read(doors: Doors, name: str) -> Service:
    return await doors.kube.get(SERVICES, name, "default", of=Service)


async def ready(doors: Doors, name: str) -> Service | None:
    found = await read(doors, name)
    good = [
        one for one in found.status.conditions if one.type == "causeway.dev/Ready" and one.status == "True"
    ]
    return found if good else None


async def explained(doors: Doors, project: Project, name: str) -> Explanation:
    setting = Setting(
        project.cluster,
        project.ids["service_subnet"],
        project.ids["external_network"],
        OVN,
        (Place(POD_CIDR, project.ids["pod_subnet"]),),
    )
    facts = await gather(
        doors.kube,
        doors.octavia,
        doors.neutron,
        setting=setting,
        namespace="default",
        name=name,
        controller=None,
    )
    return explain(facts)


async def gone(doors: Doors, project: Project) -> bool:
    try:
        listed = await doors.kube.list(SERVICES, "default", of=Service)
        left = [one for one in listed.items if one.metadata.name != "kubernetes"]
    except NotFound:
        left = []
    addresses = await doors.neutron.list_floating_ips(project.cluster, "service")
    return not left and not addresses and not await balancers(doors, project)


async def delete(doors: Doors, *names: str) -> None:
    for name in names:
        await doors.kube.delete(SERVICES, name, "default")
        await doors.kube.delete(ENDPOINT_SLICES, f"{name}-1", "default")


@pytest.fixture(autouse=True, scope="module")
def _settings(project: Project) -> None:
    """Have the project before the API server starts: the order in which what fails is clearest."""


async def test_a_service_lives_its_life(room: Room, doors: Doors, project: Project, say: Say) -> None:
    begun = time.monotonic()
    await apply(doors, service("web"), endpoints("web", 3))
    await serves(doors, project, "web", expected(3))
    say(f"3 ports x 3 members served after {time.monotonic() - begun:.1f} s")
    found = await until("the Service is ready", lambda: ready(doors, "web"))
    assert "causeway.dev/load-balancer" in found.metadata.finalizers
    explanation = await explained(doors, project, "web")
    assert (explanation.remaining, explanation.causes) == ((), ())
    assert explanation.actual["listeners"] == expected(3)
    (balancer,) = await balancers(doors, project)
    assert balancer.vip_address == found.spec.cluster_ip
    assert f"causeway-uid={found.metadata.uid}" in balancer.tags

    for count in (5, 1, 0, 2):
        begun = time.monotonic()
        await apply(doors, endpoints("web", count))
        await serves(doors, project, "web", expected(count))
        say(f"scaled to {count} members after {time.monotonic() - begun:.1f} s")

    begun = time.monotonic()
    await apply(doors, service("web", type="LoadBalancer"))
    found = await until("an address outside", lambda: _outside(doors, "web"))
    say(f"floating IP after {time.monotonic() - begun:.1f} s")
    (address,) = await doors.neutron.list_floating_ips(project.cluster, "service")
    assert found.status.load_balancer.ingress[0].ip == address.floating_ip_address
    assert address.port_id == balancer.vip_port_id
    assert f"causeway-uid={found.metadata.uid}" in address.tags

    await apply(doors, service("web", type="ClusterIP"))
    await until("the floating IP goes", lambda: _no_address(doors, project))
    await until("nobody is sent there any more", lambda: _inside(doors, "web"))

    fewer = [("http", 80, "TCP"), ("admin", 8443, "TCP")]
    await apply(doors, service("web", fewer, sessionAffinity="ClientIP"), endpoints("web", 2, fewer))
    await serves(doors, project, "web", expected(2, fewer))
    await until("the Service is ready", lambda: ready(doors, "web"))
    assert [one.id for one in await balancers(doors, project)] == [balancer.id]

    patch = {"spec": {"type": "ExternalName", "externalName": "example.org", "clusterIP": None}}
    patch["spec"] |= {"clusterIPs": None, "ports": None}
    await doors.kube.patch(SERVICES, "web", patch, "default")
    await until("nothing is left in the cloud", lambda: _nothing(doors, project))
    await until("the finalizer goes", lambda: _free(doors, "web"))

    await delete(doors, "web")
    await until("all is gone", lambda: gone(doors, project))


async def _outside(doors: Doors, name: str) -> Service | None:
    found = await ready(doors, name)
    return found if found and found.status.load_balancer.ingress else None


async def _inside(doors: Doors, name: str) -> bool:
    return not (await read(doors, name)).status.load_balancer.ingress


async def _no_address(doors: Doors, project: Project) -> bool:
    return not await doors.neutron.list_floating_ips(project.cluster, "service")


async def _nothing(doors: Doors, project: Project) -> bool:
    return not await balancers(doors, project)


async def _free(doors: Doors, name: str) -> bool:
    return not (await read(doors, name)).metadata.finalizers


async def test_what_a_service_costs_in_calls(room: Room, doors: Doors, project: Project, say: Say) -> None:
    # Endpoints first, and a selector, for which they are waited: told of late they would be another call.
    await apply(doors, endpoints("cost", 3), service("cost", selector={"app": "cost"}))
    await until("the Service is ready", lambda: ready(doors, "cost"))
    calls = room.stop()
    say(f"calls for 3 ports x 3 members: {calls}")
    assert calls["load-balancer POST /v2/lbaas/loadbalancers"] == 1
    writes = [call for call in calls if " GET " not in call]
    assert writes == ["load-balancer POST /v2/lbaas/loadbalancers"]
    room.start()
    begun = time.monotonic()
    await delete(doors, "cost")
    await until("all is gone", lambda: gone(doors, project))
    say(f"deleted after {time.monotonic() - begun:.1f} s")


async def test_killed_at_any_moment_all_converge(
    room: Room, doors: Doors, project: Project, say: Say
) -> None:
    names = [f"kill-{number}" for number in range(6)]
    two = PORTS[:2]
    begun = time.monotonic()
    for name in names:
        await apply(doors, service(name, two, type="LoadBalancer"), endpoints(name, 2, two))
    for pause in (0.7, 1.1, 1.9, 3.1):
        await asyncio.sleep(pause)  # not a wait for anything: the moment of the kill
        room.kill()
        room.start()
    for name in names:
        await until(f"{name} has an address", lambda name=name: _outside(doors, name))  # type: ignore[misc]  # bound
        await serves(doors, project, name, expected(2, two))
    say(f"6 services with floating IPs after {time.monotonic() - begun:.1f} s and 4 kills")

    async def six_of_each() -> bool:
        addresses = await doors.neutron.list_floating_ips(project.cluster, "service")
        return len(await balancers(doors, project)) == len(addresses) == 6

    await until("what a killed one made twice is gone", six_of_each)
    await delete(doors, *names)
    for pause in (0.6, 1.3, 2.2):
        await asyncio.sleep(pause)
        room.kill()
        room.start()
    await until("all is gone", lambda: gone(doors, project))


async def test_what_the_provider_has_lost_is_made_again(
    room: Room, doors: Doors, project: Project, lab: Settings
) -> None:
    """As after a fault outside its error handling: a part stays PENDING below an ACTIVE load balancer."""
    await apply(doors, service("holes"), endpoints("holes", 2))
    await serves(doors, project, "holes", expected(2))
    (balancer,) = await balancers(doors, project)
    lost = next(
        each.id
        for each in (await doors.octavia.status_tree(balancer.id)).listeners
        if each.name.endswith("UDP")
    )
    room.kill()
    running = lab_tree.running(lab)
    assert running is not None
    # OVN has a load balancer for each protocol.
    of_udp = f"ovn-nbctl --bare --columns=_uuid find load_balancer name={balancer.id} protocol=udp"
    harm = f"""
        ovn-nbctl lb-del $({of_udp})
        mariadb octavia -e "UPDATE listener SET provisioning_status = 'PENDING_CREATE' WHERE id = '{lost}'"
    """
    command = lab_tree.enter(running, "chroot", str(lab.root), "sh", "-ec", harm)
    await asyncio.to_thread(subprocess.run, command, check=True)
    room.start(lost_after="2")
    await serves(doors, project, "holes", expected(2))
    assert [each.id for each in await balancers(doors, project)] == [balancer.id]
    await delete(doors, "holes")
    await until("all is gone", lambda: gone(doors, project))


async def test_what_is_left_of_a_service_nobody_knows_is_cleared(
    room: Room, doors: Doors, project: Project
) -> None:
    await apply(doors, service("lost", type="LoadBalancer"), endpoints("lost", 1))
    await until("an address outside", lambda: _outside(doors, "lost"))
    room.kill()
    await doors.kube.patch(SERVICES, "lost", {"metadata": {"finalizers": None}}, "default")
    await delete(doors, "lost")
    assert await balancers(doors, project)
    room.start()
    await until("all is gone", lambda: gone(doors, project))


async def test_an_exhausted_quota_is_told_and_overcome(room: Room, doors: Doors, project: Project) -> None:
    made = project.admin.identity.find_project(project.name)
    project.admin.network.update_quota(made.id, floating_ips=0)
    try:
        await apply(doors, service("poor", type="LoadBalancer"), endpoints("poor", 1))

        async def told() -> str | None:
            conditions = (await read(doors, "poor")).status.conditions
            return next((one.message for one in conditions if one.reason == "Quota"), None)

        message = await until("the condition names the quota", told)
        assert "floatingip" in message.lower()
        assert "higher quota" in message
        await serves(doors, project, "poor", expected(1))  # inside it is served all the same
        explanation = await explained(doors, project, "poor")
        assert explanation.causes[0].cause == "the controller met Quota"
        assert explanation.remaining == ("take a floating IP for the service",)
        events = await doors.kube.list(EVENTS, "default")
        assert [
            one for one in events.items if one["reason"] == "Quota" and "floatingip" in one["note"].lower()
        ]
    finally:
        project.admin.network.update_quota(made.id, floating_ips=50)
    await until("an address outside", lambda: _outside(doors, "poor"))
    await delete(doors, "poor")
    await until("all is gone", lambda: gone(doors, project))


async def test_headless_services_and_the_platforms_own_have_none(
    room: Room, doors: Doors, project: Project
) -> None:
    await apply(doors, service("headless", clusterIP="None"), service("last"), endpoints("last", 1))
    await serves(doors, project, "last", expected(1))
    assert [one.name for one in await balancers(doors, project)] == ["default/last"]
    await delete(doors, "headless", "last")
    await until("all is gone", lambda: gone(doors, project))
