"""Names against the lab's Designate, its name server and a real Kubernetes API."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from tests.integration.names.conftest import Doors, Room, ZoneOfTest

from causeway.kube.ingresses import INGRESSES
from causeway.kube.resource import EVENTS, NAMESPACES, NODES, SERVICES
from causeway.kube.routes import ROUTES
from demo.resolver import ask

PREFIX = "external-dns.alpha.kubernetes.io/"
NO_SUCH_NAME = 3


async def until(what: str, probe: Callable[[], Awaitable[Any]], seconds: float = 300.0) -> Any:
    """Return what ``probe`` finds, once it finds something.

    What Designate gave up to tell its name server, for that was busy, it tells it again minutes later.
    """
    deadline = time.monotonic() + seconds
    while not (found := await probe()):
        assert time.monotonic() < deadline, f"in {seconds:.0f} s not: {what}"
        await asyncio.sleep(0.05)
    return found


async def answers(zone: ZoneOfTest, host: str, *records: str, kind: str = "A") -> None:
    """Wait until the name server answers exactly these records, or that there is no such name."""

    async def probe() -> bool:
        found = await asyncio.to_thread(zone.answer, host, kind)
        return found.records == tuple(sorted(records)) and (found.code == NO_SUCH_NAME) == (not records)

    await until(f"{host} {kind} is {records}", probe)


async def make(doors: Doors, name: str, *addresses: str, namespace: str = "default", **said: str) -> None:
    """Make a Service with addresses, as the services' room would give it."""
    named = {PREFIX + key.replace("_", "-"): value for key, value in said.items()}
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": named},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "allocateLoadBalancerNodePorts": False},
    }
    await doors.kube.apply(body, manager="test")
    await give(doors, name, *addresses, namespace=namespace)


async def give(doors: Doors, name: str, *addresses: str, namespace: str = "default") -> None:
    """Give a Service its addresses."""
    status = {"status": {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}}
    await doors.kube.patch(SERVICES, name, status, namespace, subresource="status")


async def told(doors: Doors, name: str, reason: str, words: str, namespace: str = "default") -> None:
    """Wait for an Event with a reason about a Service that says ``words``."""

    async def probe() -> bool:
        found = await doors.kube.list(EVENTS, namespace, fields=f"regarding.name={name},reason={reason}")
        return any(words in one["note"] for one in found.items)

    await until(f"{reason} is told of {name}: {words}", probe)


async def test_a_name_lives_as_its_service_does(
    doors: Doors, zone: ZoneOfTest, room: Room, floating_ip: str, say: Callable[[str], None]
) -> None:
    room.start()
    reverse = f"{ip_address(floating_ip).reverse_pointer}."
    await make(doors, "web", hostname=f"www.{zone.name},shop.{zone.name}", ttl="2m")
    started = time.monotonic()
    await give(doors, "web", floating_ip)
    await answers(zone, "www", floating_ip)
    say(f"address given to answered by the name server: {time.monotonic() - started:.2f} s")
    await answers(zone, "shop", floating_ip)
    assert (await asyncio.to_thread(zone.answer, "www")).ttl == 120
    (txt,) = zone.answer("a-www", "TXT").records
    assert txt == (
        f"heritage=external-dns,external-dns/owner={room.owner},"
        "external-dns/resource=service/default/web,causeway=marked"
    )

    async def reversed_to(*names: str) -> bool:
        return (await asyncio.to_thread(ask, zone.server, reverse, "PTR")).records == names

    await until("the address answers its name", lambda: reversed_to(f"www.{zone.name}"))

    started = time.monotonic()
    await give(doors, "web", "192.0.2.8")
    await answers(zone, "www", "192.0.2.8")
    say(f"another address: {time.monotonic() - started:.2f} s")
    await until("the old address answers no name", reversed_to)
    started = time.monotonic()
    assert await doors.kube.delete(SERVICES, "web", "default")
    await answers(zone, "www")
    say(f"deleted to no such name: {time.monotonic() - started:.2f} s")
    await answers(zone, "shop")
    await answers(zone, "a-www", kind="TXT")
    await until("nothing is left in the zone", lambda: _empty(doors))


async def test_an_address_that_is_released_before_its_name_answers_none(
    doors: Doors, zone: ZoneOfTest, room: Room, floating_ip: str
) -> None:
    async def reversed_to(*names: str) -> bool:
        reverse = f"{ip_address(floating_ip).reverse_pointer}."
        return (await asyncio.to_thread(ask, zone.server, reverse, "PTR")).records == names

    room.start()
    await make(doors, "web", floating_ip, hostname=f"www.{zone.name}")
    await until("the address answers its name", lambda: reversed_to(f"www.{zone.name}"))
    network = zone.project.cloud.network
    (address,) = network.ips(floating_ip_address=floating_ip)
    await asyncio.to_thread(network.delete_ip, address)
    assert await doors.kube.delete(SERVICES, "web", "default")
    await until("the address answers no name", reversed_to)


async def _empty(doors: Doors) -> bool:
    return not await doors.sets()


async def test_a_zone_of_external_dns_is_taken_over(doors: Doors, zone: ZoneOfTest, room: Room) -> None:
    def text(resource: str, owner: str) -> str:
        return f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource={resource}"'

    zone.put("www", "A", "192.0.2.7")
    zone.put("a-www", "TXT", text("service/default/web", room.owner))
    zone.put("old", "A", "192.0.2.7")
    zone.put("old", "TXT", text("service/default/web", room.owner))
    zone.put("gone", "A", "192.0.2.6")
    zone.put("a-gone", "TXT", text("service/default/gone", room.owner))
    zone.put("routed", "A", "192.0.2.5")
    zone.put("a-routed", "TXT", text("crd/default/routed", room.owner))
    zone.put("else", "A", "192.0.2.4")
    zone.put("a-else", "TXT", text("service/default/web", "somebody-else"))
    zone.put("hand", "A", "192.0.2.3")
    before = await doors.sets()
    hosts = ",".join(f"{each}.{zone.name}" for each in ("www", "old", "else", "hand", "routed"))
    await make(doors, "web", "192.0.2.7", hostname=hosts)
    room.start()
    await answers(zone, "gone")
    for words in ("somebody-else", "crd/default/routed", "made by somebody else"):
        await told(doors, "web", "NameTaken", words)

    async def gone_entirely() -> bool:
        return not {("gone", "A"), ("a-gone", "TXT")} & set(await doors.sets())

    await until("what nobody wants is gone", gone_entirely)
    for key, each in (await doors.sets()).items():
        assert (each.id, each.records, each.description) == (
            before[key].id,
            before[key].records,
            before[key].description,
        )

    await give(doors, "web", "192.0.2.8")
    await answers(zone, "www", "192.0.2.8")
    await answers(zone, "old", "192.0.2.8")
    assert await doors.kube.delete(SERVICES, "web", "default")
    await answers(zone, "www")

    async def left() -> bool:
        kept = {("routed", "A"), ("a-routed", "TXT"), ("else", "A"), ("a-else", "TXT"), ("hand", "A")}
        return set(await doors.sets()) == kept

    await until("what is foreign is left, and nothing else", left)
    assert zone.answer("hand").records == ("192.0.2.3",)
    calls = room.stop()
    # Two updates; deletions of gone, www and old with a TXT each.
    # Attempts are counted, and a Designate that is busy is asked again.
    assert 2 <= sum(count for call, count in calls.items() if "PUT" in call) <= 4
    assert 6 <= sum(count for call, count in calls.items() if "DELETE" in call) <= 9
    assert not [call for call in calls if "POST" in call]


async def test_killed_while_it_writes_it_leaves_nothing_half_done(
    doors: Doors, zone: ZoneOfTest, room: Room, say: Callable[[str], None]
) -> None:
    names = [f"s{number}" for number in range(12)]
    for name in names:
        await make(doors, name, "192.0.2.7")
    room.start()

    async def begun() -> bool:
        return len(await doors.sets()) > 8

    await until("it has begun", begun)
    room.kill()
    half = await doors.sets()
    assert all((f"a-{host}", "TXT") in half for host, kind in half if kind == "A")
    started = time.monotonic()
    room.start()
    await asyncio.gather(*(answers(zone, f"{name}.default", "192.0.2.7") for name in names))
    say(f"started again to the last of {len(names)} names answered: {time.monotonic() - started:.2f} s")
    room.kill()

    for name in names:
        assert await doors.kube.delete(SERVICES, name, "default")
    started = time.monotonic()
    room.start()
    await until("all is gone", lambda: _empty(doors))
    calls = room.stop()
    listings = sum(count for call, count in calls.items() if call.endswith("GET /v2/zones/{}/recordsets"))
    say(f"deleted {len(names)} names with {listings} listings of the zone")
    took = time.monotonic() - started
    assert listings < max(len(names), 2 + took)  # where it takes long, one a second


async def test_nodes_the_platform_and_two_who_want_one_name(
    doors: Doors, zone: ZoneOfTest, room: Room
) -> None:
    room.start(**{"api": "192.0.2.1", "*.apps": "192.0.2.2"})
    await answers(zone, "api", "192.0.2.1")
    await answers(zone, "any.thing.apps", "192.0.2.2")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "w1"}}
    await doors.kube.apply(node, manager="test")
    status = {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.5"}]}}
    await doors.kube.patch(NODES, "w1", status, subresource="status")
    await answers(zone, "w1.nodes", "10.0.0.5")

    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    await doors.kube.apply(other, manager="test")
    await make(doors, "first", "192.0.2.7", hostname=f"one.{zone.name}")
    await answers(zone, "one", "192.0.2.7")
    await make(doors, "second", "192.0.2.9", namespace="other", hostname=f"one.{zone.name},api.{zone.name}")
    await told(doors, "second", "NameTaken", "belongs to service/default/first", "other")
    await told(doors, "second", "NameTaken", "belongs to platform/", "other")
    assert zone.answer("one").records == ("192.0.2.7",)
    assert zone.answer("api").records == ("192.0.2.1",)
    assert await doors.kube.delete(SERVICES, "first", "default")
    await answers(zone, "one", "192.0.2.9")

    assert await doors.kube.delete(SERVICES, "second", "other")
    assert await doors.kube.delete(NODES, "w1")
    await doors.kube.delete(NAMESPACES, "other")
    await answers(zone, "one")
    await answers(zone, "w1.nodes")


async def test_a_routes_host_is_an_alias_of_its_router_once_admitted(
    doors: Doors, zone: ZoneOfTest, room: Room
) -> None:
    room.start()
    body = {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"host": f"shop.{zone.name}".rstrip("."), "to": {"kind": "Service", "name": "shop"}},
    }
    route = await doors.kube.apply(body, manager="test", resource=ROUTES)

    async def admit(status: str) -> None:
        entry = {
            "host": route["spec"]["host"],
            "routerName": "default",
            "routerCanonicalHostname": f"router.{zone.name}".rstrip("."),
            "conditions": [{"type": "Admitted", "status": status}],
        }
        await doors.kube.patch(
            ROUTES, "shop", {"status": {"ingress": [entry]}}, "default", subresource="status"
        )

    await admit("True")
    await answers(zone, "shop", f"router.{zone.name}", kind="CNAME")
    (txt,) = zone.answer("cname-shop", "TXT").records
    assert "external-dns/resource=route/default/shop" in txt
    await admit("False")
    await answers(zone, "shop", kind="CNAME")
    await admit("True")
    await answers(zone, "shop", f"router.{zone.name}", kind="CNAME")
    await doors.kube.delete(ROUTES, "shop", "default")
    await answers(zone, "shop", kind="CNAME")
    room.stop()


async def test_an_ingress_has_its_hosts_where_it_is_served(
    doors: Doors, zone: ZoneOfTest, room: Room
) -> None:
    room.start()
    host = f"open.{zone.name}".rstrip(".")
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    body = {
        "apiVersion": INGRESSES.api_version,
        "kind": INGRESSES.kind,
        "metadata": {"name": "open", "namespace": "default"},
        "spec": {"defaultBackend": backend, "rules": [{"host": host}]},
    }
    await doors.kube.apply(body, manager="test", resource=INGRESSES)

    async def serve(*places: dict[str, str]) -> None:
        status = {"status": {"loadBalancer": {"ingress": [*places]}}}
        await doors.kube.patch(INGRESSES, "open", status, "default", subresource="status")

    await serve({"ip": "192.0.2.77"})
    await answers(zone, "open", "192.0.2.77")
    (txt,) = zone.answer("a-open", "TXT").records
    assert "external-dns/resource=ingress/default/open" in txt
    await serve({"hostname": f"router.{zone.name}".rstrip(".")})
    await answers(zone, "open", f"router.{zone.name}", kind="CNAME")
    await doors.kube.delete(INGRESSES, "open", "default")
    await answers(zone, "open", kind="CNAME")
    room.stop()
