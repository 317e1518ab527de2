"""What is told of services that lack what is asked for."""

from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, rule
from tests.unit.rooms.routes.ingress_examples import derived as derived_ingress
from tests.unit.rooms.routes.ingress_examples import ingress, path, service
from tests.unit.rooms.routes.ingress_examples import rule as ingress_rule

from causeway.rooms.routes.backing import lacking


def test_a_service_without_a_port_is_told_with_those_it_has() -> None:
    assert lacking("shop", service(), 8080) == "service shop has no port 8080: it has 80"
    named = service(web=80, admin=81)
    assert lacking("shop", named, "http") == "service shop has no port http: it has 80 (web), 81 (admin)"
    many = service("shop", **{f"p{number}": number for number in range(1, 41)})
    assert lacking("shop", many, 80).endswith("10 (p10) and 30 more")


def test_so_it_is_for_an_ingress_and_for_a_route_of_gateway_api() -> None:
    given = ingress(rules=[ingress_rule("", path("/", port=81))])
    found = derived_ingress(given, services={"shop": service(web=80)})
    assert [each.message for each in found.notes] == ["service shop has no port 81: it has 80 (web)"]
    wrong = rule(backendRefs=[{"name": "shop", "port": 81}])
    (attached,) = derived(gateway(), http(wrong)).attached["HTTPRoute one/shop"]
    assert attached.resolved is not None
    assert attached.resolved.message == "service one/shop has no port 81: it has 80"
