"""What statuses of Gateway API say."""

from collections.abc import Sequence
from typing import Any

from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, listener, secret, tables

from causeway.kube.gateways import GatewayAddress
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.gateway.addresses import usable
from causeway.rooms.routes.gateway.listeners import Condition
from causeway.rooms.routes.gateway.statuses import (
    FEATURES,
    accepting,
    class_status,
    gateway_status,
    left_status,
    parents,
)
from causeway.rooms.routes.model import Refusal

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def _reasons(body: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: f"{each['status']} {each['reason']}" for each in body["conditions"]}


def _parents(*given: Any, elsewhere: Sequence[str] = ()) -> list[dict[str, Any]]:
    return parents(*given, elsewhere=lambda reference: reference.name in elsewhere)


def test_a_class_tells_what_is_supported() -> None:
    status = class_status({}, (), 2, NOW)
    assert _reasons(status) == {"Accepted": "True Accepted"}
    assert [each["name"] for each in status["supportedFeatures"]] == sorted(FEATURES)
    assert class_status(status, (), 2, LATER) == status
    more = {each["name"] for each in class_status({}, (8080,), 2, NOW)["supportedFeatures"]} - set(FEATURES)
    assert more == {"GatewayPort8080", "HTTPRouteParentRefPort", "TCPRoute"}


def test_a_class_tells_what_any_of_its_routers_supports() -> None:
    """Routers with other ports, or of another release, may not undo what each other writes."""
    one, two = class_status({}, (9000,), 2, NOW), class_status({}, (8080,), 2, NOW)
    both = class_status(one, (8080,), 2, LATER)
    assert both == class_status(two, (9000,), 2, NOW)
    assert class_status(both, (9000,), 2, LATER) == class_status(both, (), 2, LATER) == both
    assert class_status(both, (9000,), 3, NOW)["supportedFeatures"] == one["supportedFeatures"]


def test_a_gateway_tells_of_its_listeners() -> None:
    found = derived(gateway(listener(), listener("UDP", name="udp")), http()).listeners["one/edge"]
    status = gateway_status({}, found, "192.0.2.1", 3, NOW)
    assert _reasons(status) == {"Accepted": "True ListenersNotValid", "Programmed": "True Programmed"}
    good, bad = status["listeners"]
    assert good["attachedRoutes"] == 1
    assert good["supportedKinds"] == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}]
    assert _reasons(good)["Programmed"] == "True Programmed"
    assert _reasons(bad)["Accepted"] == "False UnsupportedProtocol"
    assert status["addresses"] == [{"type": "IPAddress", "value": "192.0.2.1"}]
    assert all(each["observedGeneration"] == 3 for each in status["conditions"])
    assert gateway_status(status, found, "192.0.2.1", 3, LATER) == status


def test_nothing_that_is_served_and_addresses_of_others() -> None:
    found = derived(gateway(listener(port=81))).listeners["one/edge"]
    status = gateway_status({}, found, "", 1, NOW)
    assert _reasons(status) == {"Accepted": "False ListenersNotValid", "Programmed": "False Invalid"}
    away = gateway(addresses=[{"value": "192.0.2.9"}])
    found = derived(away, http()).listeners["one/edge"]
    status = gateway_status({}, found, "192.0.2.1", 1, NOW)
    assert _reasons(status) == {
        "Accepted": "False UnsupportedAddress",
        "Programmed": "False AddressNotUsable",
    }
    assert _reasons(status["listeners"][0])["Programmed"] == "False Invalid"
    assert not tables(derived(away, http()))  # and nothing is served
    assert usable([], "")
    assert usable([GatewayAddress("a.example", "Hostname")], "a.example")
    assert usable([GatewayAddress("", "IPAddress")], "a.example")
    assert not usable([GatewayAddress("192.0.2.9", "IPAddress")], "192.0.2.1")


def test_a_gateway_that_was_ours_is_told_that_its_class_is_gone() -> None:
    found = derived(gateway(), http()).listeners["one/edge"]
    before = gateway_status({}, found, "192.0.2.1", 1, NOW)
    status = left_status(before, "causeway", 2, LATER)
    assert _reasons(status) == {"Accepted": "Unknown Pending", "Programmed": "Unknown Pending"}
    assert (status["listeners"], status["addresses"]) == ([], [])
    assert left_status(status, "causeway", 2, "later") == status


def test_our_entries_stand_beside_others_and_a_transition_is_a_change() -> None:
    (attached,) = derived(gateway(), http()).attached["HTTPRoute one/shop"]
    others = {"controllerName": "else.dev/x", "parentRef": {"name": "edge"}, "conditions": []}
    first = _parents([others], [attached], {}, 1, NOW)
    assert first[0] == others
    assert first[1]["parentRef"] == {"name": "edge"}
    assert _reasons(first[1]) == {"Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"}
    assert _parents(first, [attached], {}, 1, LATER) == first
    changed = _parents(
        first, [attached], {"one/gateway:every-host": Refusal("HostAlreadyClaimed", "x")}, 2, LATER
    )
    accepted, resolved = changed[1]["conditions"]
    assert (accepted["status"], accepted["lastTransitionTime"]) == ("False", LATER)
    assert (resolved["observedGeneration"], resolved["lastTransitionTime"]) == (2, NOW)
    assert _parents(changed, [], {}, 2, LATER) == [others]


def _refused(*hosts: str, because: str = "is held") -> dict[str, Refusal]:
    return {f"one/gateway:{each}": Refusal("HostAlreadyClaimed", f"{each} {because}") for each in hosts}


def test_a_route_that_has_some_of_its_hosts_tells_which_it_has_not() -> None:
    listeners = [listener(), listener("HTTPS", tls={"certificateRefs": [{"name": "shown"}]})]
    given = gateway(*listeners), secret("shown"), http(hostnames=["a.example", "b.example", "c.example"])
    (attached,) = derived(*given).attached["HTTPRoute one/shop"]
    assert len(attached.tables) == 6  # each host at both listeners, of which it is told once
    assert accepting(attached, {}) == Condition("Accepted", True, "Accepted")
    some = accepting(attached, _refused("a.example", "c.example"))
    message = "not served: a.example: a.example is held; c.example: c.example is held"
    assert some == Condition("Accepted", True, "Accepted", message)
    none = accepting(attached, _refused("a.example", "b.example", "c.example"))
    assert (none.status, none.reason) == (False, "HostAlreadyClaimed")
    assert none.message.startswith("not served: a.example: a.example is held; b.example: ")
    (status,) = _parents([], [attached], _refused("a.example"), 1, NOW)
    assert status["conditions"][0]["message"] == "not served: a.example: a.example is held"


def test_of_a_route_with_one_host_its_cause_alone_is_told() -> None:
    (attached,) = derived(gateway(), http()).attached["HTTPRoute one/shop"]
    refused = accepting(attached, {"one/gateway:every-host": Refusal("HostAlreadyClaimed", "is held")})
    assert refused == Condition("Accepted", False, "HostAlreadyClaimed", "is held")


def test_what_is_told_of_hosts_is_bounded() -> None:
    hosts = [f"h{number}.example" for number in range(16)]
    (attached,) = derived(gateway(), http(hostnames=hosts)).attached["HTTPRoute one/shop"]
    message = accepting(attached, _refused(*hosts[1:], because="x" * 150)).message
    assert len(message) < 1000
    assert message.endswith("; and 11 more")


def test_routers_of_several_shards_leave_each_others_entries() -> None:
    """Both are of one name, and look at the same route: neither may undo what the other writes."""
    (mine,) = derived(gateway(), http()).attached["HTTPRoute one/shop"]
    (theirs,) = derived(gateway(name="far"), http(parentRefs=[{"name": "far"}])).attached[
        "HTTPRoute one/shop"
    ]
    one = _parents([], [mine], {}, 1, NOW, elsewhere=["far"])
    both = _parents(one, [theirs], {}, 1, NOW, elsewhere=["edge"])
    assert [each["parentRef"]["name"] for each in both] == ["edge", "far"]
    assert _parents(both, [mine], {}, 1, LATER, elsewhere=["far"]) == both
    assert _parents(both, [theirs], {}, 1, LATER, elsewhere=["edge"]) == both
    gone = _parents(both, [theirs], {}, 1, LATER)  # nobody has the other gateway any more
    assert [(each["controllerName"], each["parentRef"]["name"]) for each in gone] == [(CONTROLLER, "far")]
