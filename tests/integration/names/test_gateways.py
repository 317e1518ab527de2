"""Names of routes of Gateway API, whose statuses a controller writes; here the test does."""

from pathlib import Path

from tests.integration.names.conftest import Doors, Room, ZoneOfTest
from tests.integration.names.test_names import PREFIX, answers, make
from tests.integration.routes.gateway_api import install

from causeway.kube.gateways import GATEWAYS, HTTP_ROUTES, TLS_ROUTES
from causeway.kube.resource import Resource
from causeway.lab.settings import Settings

RULES = {"rules": [{"backendRefs": [{"name": "safe", "port": 443}]}]}
SINCE = {"lastTransitionTime": "2026-01-01T00:00:00Z"}


async def test_a_route_of_gateway_api_has_its_hosts_where_its_gateway_is(
    doors: Doors, zone: ZoneOfTest, room: Room, lab: Settings, tmp_path: Path
) -> None:
    """Gateway API may be installed when the names are there already."""
    room.start()
    await make(doors, "before", "192.0.2.7", hostname=f"before.{zone.name}")
    await answers(zone, "before", "192.0.2.7")
    await install(doors.kube, lab.cache, tmp_path / "definitions.log")
    domain = zone.name.rstrip(".")
    listeners = [
        {"name": "http", "protocol": "HTTP", "port": 80, "hostname": f"*.{domain}"},
        {"name": "tls", "protocol": "TLS", "port": 443, "tls": {"mode": "Passthrough"}},
    ]
    parent = {"name": "edge"}
    named = {f"{PREFIX}hostname": f"further.{domain}"}
    for resource, name, annotations, spec in (
        (GATEWAYS, "edge", {}, {"gatewayClassName": "any", "listeners": listeners}),
        (HTTP_ROUTES, "shop", named, {"parentRefs": [parent], "hostnames": [f"web.{domain}"]}),
        (TLS_ROUTES, "safe", {}, {"parentRefs": [parent], "hostnames": [f"safe.{domain}"]} | RULES),
    ):
        meta = {"name": name, "namespace": "default", "annotations": annotations}
        await doors.kube.apply({"metadata": meta, "spec": spec}, manager="test", resource=resource)

    async def serve(*places: tuple[str, str]) -> None:
        status = {"addresses": [{"type": kind, "value": value} for kind, value in places]}
        await doors.kube.patch(GATEWAYS, "edge", {"status": status}, "default", subresource="status")

    async def accept(resource: Resource, name: str, status: str) -> None:
        condition = {"type": "Accepted", "status": status, "reason": "Any", "message": "", **SINCE}
        entry = {"parentRef": parent, "controllerName": "test/any", "conditions": [condition]}
        said = {"status": {"parents": [entry]}}
        await doors.kube.patch(resource, name, said, "default", subresource="status")

    await serve(("IPAddress", "192.0.2.77"))
    for resource, name in ((HTTP_ROUTES, "shop"), (TLS_ROUTES, "safe")):
        await accept(resource, name, "True")
    for host in ("web", "further", "safe"):
        await answers(zone, host, "192.0.2.77")
    for host, route in (("web", "httproute/default/shop"), ("safe", "tlsroute/default/safe")):
        (txt,) = zone.answer(f"a-{host}", "TXT").records
        assert f"external-dns/resource={route}" in txt
    await serve(("Hostname", f"router.{domain}"))
    await answers(zone, "web", f"router.{zone.name}", kind="CNAME")
    await accept(HTTP_ROUTES, "shop", "False")
    for host in ("web", "further"):
        await answers(zone, host, kind="CNAME")
    await answers(zone, "safe", f"router.{zone.name}", kind="CNAME")
    await doors.kube.delete(TLS_ROUTES, "safe", "default")
    await answers(zone, "safe", kind="CNAME")
    await answers(zone, "before", "192.0.2.7")
    room.stop()
