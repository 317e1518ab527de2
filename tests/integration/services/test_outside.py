"""The outside of Services against the lab's Octavia: elsewhere, shared, chosen, and what OVN refuses."""

from typing import Any

from tests.integration.services.conftest import Doors, Project, Room
from tests.integration.services.test_services import (
    apply,
    balancers,
    delete,
    endpoints,
    expected,
    gone,
    read,
    serves,
    service,
    until,
)

from causeway.cloud.octavia_objects import LoadBalancer, LoadBalancerRequest
from causeway.cloud.octavia_providers import OVN
from causeway.kube.objects import Condition

PREFIX = "loadbalancer.openstack.org/"
HTTP = [("http", 80, "TCP")]


def outside(name: str, annotations: dict[str, str], port: int = 80, **spec: Any) -> dict[str, Any]:
    body = service(name, [("http", port, "TCP")], type="LoadBalancer", **spec)
    body["metadata"]["annotations"] = annotations
    return body


async def verdict(doors: Doors, name: str, reason: str) -> Condition:
    async def told() -> Condition | None:
        conditions = (await read(doors, name)).status.conditions
        return next((one for one in conditions if one.reason == reason), None)

    return await until(f"{name} is {reason}", told)


async def reached(doors: Doors, name: str) -> str:
    """Return the address a Service says it is reached at."""

    async def told() -> str | None:
        ingress = (await read(doors, name)).status.load_balancer.ingress
        return ingress[0].ip if ingress else None

    return await until(f"{name} has an address", told)


async def named(doors: Doors, project: Project, name: str) -> LoadBalancer | None:
    return next((one for one in await balancers(doors, project) if one.name == name), None)


async def told(doors: Doors, name: str) -> dict[str, str]:
    """Return what the annotations say of the load balancer that serves."""
    given = (await read(doors, name)).metadata.annotations
    return {each.partition("/")[2]: given[each] for each in sorted(given) if "/load-balancer-" in each}


async def test_what_serves_is_told_and_a_copy_gets_its_own(
    room: Room, doors: Doors, project: Project
) -> None:
    await apply(doors, outside("first", {}), endpoints("first", 1, HTTP))
    address = await reached(doors, "first")
    found = await named(doors, project, "default/first")
    assert found
    assert await told(doors, "first") == {"load-balancer-id": found.id, "load-balancer-address": address}
    given = (await read(doors, "first")).metadata.annotations
    assert given["causeway.dev/load-balancer-id"] == found.id
    await apply(doors, outside("copy", given), endpoints("copy", 1, HTTP))
    other = await reached(doors, "copy")
    own = await named(doors, project, "default/copy")
    assert own
    assert await told(doors, "copy") == {"load-balancer-id": own.id, "load-balancer-address": other}
    await apply(
        doors, {**outside("copy", given), "spec": {**outside("copy", {})["spec"], "type": "ClusterIP"}}
    )

    async def told_no_more() -> bool:
        return not await told(doors, "copy")

    await until("a copy that is not reached from outside does not say so", told_no_more)
    await delete(doors, "first", "copy")
    await until("all is gone", lambda: gone(doors, project))


async def test_the_outside_is_elsewhere_changes_and_goes(room: Room, doors: Doors, project: Project) -> None:
    subnet = project.ids["pod_subnet"]
    internal = {"service.beta.kubernetes.io/openstack-internal-load-balancer": "true"}
    given = {PREFIX + "subnet-id": subnet, PREFIX + "enable-health-monitor": "true"}
    await apply(doors, outside("edge", {**given, **internal}), endpoints("edge", 2, HTTP))
    address = await reached(doors, "edge")
    assert address.startswith("10.131.")
    found = await named(doors, project, "default/edge outside")
    assert found
    assert (found.vip_subnet_id, found.vip_address) == (subnet, address)
    tree = await doors.octavia.status_tree(found.id)
    assert tree.listeners[0].pools[0].health_monitor
    await serves(doors, project, "edge", expected(2, HTTP))

    await apply(doors, outside("edge", {}))
    await verdict(doors, "edge", "Served")

    async def alone() -> bool:
        here = await read(doors, "edge")
        names = [one.name for one in await balancers(doors, project)]
        return names == ["default/edge"] and here.status.load_balancer.ingress[:1] != ()

    await until("one load balancer with a floating IP", alone)
    await until("the floating IP is told", lambda: _floating(doors, project, "edge"))
    await delete(doors, "edge")
    await until("all is gone", lambda: gone(doors, project))


async def _floating(doors: Doors, project: Project, name: str) -> bool:
    owned = await doors.neutron.list_floating_ips(project.cluster, "service")
    ingress = (await read(doors, name)).status.load_balancer.ingress
    return [one.floating_ip_address for one in owned] == [one.ip for one in ingress] != []


async def test_services_share_one_load_balancer_and_its_address(
    room: Room, doors: Doors, project: Project
) -> None:
    share = {"causeway.dev/load-balancer": "together"}
    for name, port in (("left", 80), ("right", 81), ("late", 81)):
        await apply(doors, outside(name, share, port), endpoints(name, 1, [("http", port, "TCP")]))
    addresses = {await reached(doors, name) for name in ("left",)}
    both = [name for name in ("right", "late") if (await _ends(doors, name)) == "Served"]
    assert len(both) == 1  # the port of the other is taken
    addresses |= {await reached(doors, both[0])}
    assert len(addresses) == 1
    assert len(await doors.neutron.list_floating_ips(project.cluster, "service")) == 1
    await delete(doors, "left")

    async def handed_over() -> bool:
        shared = await named(doors, project, "default/together")
        return shared is not None and len(shared.listeners) == 1

    await until("only the other's listener is left", handed_over)
    assert {await reached(doors, both[0])} == addresses
    await delete(doors, "right", "late")
    await until("all is gone", lambda: gone(doors, project))


async def _ends(doors: Doors, name: str) -> str:
    async def told() -> str | None:
        conditions = (await read(doors, name)).status.conditions
        return next((one.reason for one in conditions if one.reason in {"Served", "PortTaken"}), None)

    return await until(f"{name} is served or refused", told)


async def test_a_persons_load_balancer_and_floating_ip_are_used_and_stay(
    room: Room, doors: Doors, project: Project
) -> None:
    made = await doors.octavia.create_load_balancer(
        LoadBalancerRequest("by hand", OVN.name, ["mine"], vip_subnet_id=project.ids["pod_subnet"])
    )
    theirs = made.balancer.id
    network: Any = project.admin.network
    owner = project.admin.identity.find_project(project.name)
    chosen = network.create_ip(
        floating_network_id=project.ids["external_network"], project_id=owner.id, description="mine"
    )
    address = chosen.floating_ip_address
    given = {PREFIX + "load-balancer-id": theirs}
    await apply(doors, outside("guest", given, loadBalancerIP=address), endpoints("guest", 1, HTTP))
    assert await reached(doors, "guest") == address
    found = await doors.octavia.get_load_balancer(theirs)
    assert (len(found.listeners), found.tags) == (1, ["mine"])
    assert await told(doors, "guest") == {"load-balancer-id": theirs, "load-balancer-address": address}
    room.kill()
    room.start()
    await delete(doors, "guest")
    await until("all of ours is gone", lambda: gone(doors, project))
    left = await doors.octavia.get_load_balancer(theirs)
    assert (left.listeners, left.pools, left.provisioning_status) == ([], [], "ACTIVE")
    kept = network.get_ip(chosen.id)
    assert (kept.port_id, kept.description, list(kept.tags)) == (None, "mine", [])


async def test_what_ovn_cannot_do_is_refused_before_it_is_tried(
    room: Room, doors: Doors, project: Project
) -> None:
    given = {PREFIX + "x-forwarded-for": "true", PREFIX + "timeout-client-data": "1000"}
    body = outside("strict", given, loadBalancerSourceRanges=["192.0.2.0/24"])
    await apply(doors, body, endpoints("strict", 1, HTTP))
    told = await verdict(doors, "strict", "UnsupportedSourceRanges")
    assert told.status == "False"
    assert "x-forwarded-for" in told.message
    assert "timeout-client-data" in told.message
    assert "amphora" in told.message
    await serves(doors, project, "strict", expected(1, HTTP))
    assert not await doors.neutron.list_floating_ips(project.cluster, "service")
    await delete(doors, "strict")
    await until("all is gone", lambda: gone(doors, project))


async def test_amphora_does_it_when_it_is_chosen(room: Room, doors: Doors, project: Project) -> None:
    given = {"causeway.dev/load-balancer-provider": "amphora", PREFIX + "x-forwarded-for": "true"}
    body = outside("rich", given, loadBalancerSourceRanges=["192.0.2.0/24"])
    await apply(doors, body, endpoints("rich", 1, HTTP))
    await verdict(doors, "rich", "Served")
    found = await named(doors, project, "default/rich outside")
    assert found
    (listener,) = await doors.octavia.list_listeners(balancer_id=found.id)
    assert (listener.protocol, listener.allowed_cidrs) == ("HTTP", ["192.0.2.0/24"])

    limited = {**given, PREFIX + "connection-limit": "5"}
    await apply(doors, outside("rich", limited, loadBalancerSourceRanges=["198.51.100.0/24"]))

    async def changed() -> bool:
        (now,) = await doors.octavia.list_listeners(balancer_id=found.id)
        return (now.connection_limit, now.allowed_cidrs) == (5, ["198.51.100.0/24"])

    await until("the listener follows", changed)
    await delete(doors, "rich")
    await until("all is gone", lambda: gone(doors, project))
