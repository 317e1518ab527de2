"""What statuses of Gateway API say."""

from typing import Any

from tests.unit.rooms.routes.gateway_examples import derived, gateway, http, listener

from causeway.rooms.routes.gateway.statuses import FEATURES, class_status, gateway_status, parents, usable
from causeway.rooms.routes.model import Refusal

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def _reasons(body: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: f"{each['status']} {each['reason']}" for each in body["conditions"]}


def test_a_class_tells_what_is_supported() -> None:
    status = class_status({}, 2, NOW)
    assert _reasons(status) == {"Accepted": "True Accepted"}
    assert [each["name"] for each in status["supportedFeatures"]] == sorted(FEATURES)
    assert class_status(status, 2, LATER) == status


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
    status = gateway_status({}, found, "", 1, NOW, unusable=True)
    assert _reasons(status) == {
        "Accepted": "False UnsupportedAddress",
        "Programmed": "False AddressNotUsable",
    }
    assert usable([], "")
    assert usable([("Hostname", "a.example")], "a.example")
    assert usable([("IPAddress", "")], "a.example")
    assert not usable([("IPAddress", "192.0.2.9")], "192.0.2.1")


def test_our_entries_stand_beside_others_and_a_transition_is_a_change() -> None:
    (attached,) = derived(gateway(), http()).attached["HTTPRoute one/shop"]
    others = {"controllerName": "else.dev/x", "parentRef": {"name": "edge"}, "conditions": []}
    first = parents([others], [(attached, None)], 1, NOW)
    assert first[0] == others
    assert first[1]["parentRef"] == {"name": "edge"}
    assert _reasons(first[1]) == {"Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"}
    assert parents(first, [(attached, None)], 1, LATER) == first
    changed = parents(first, [(attached, Refusal("HostAlreadyClaimed", "x"))], 2, LATER)
    accepted, resolved = changed[1]["conditions"]
    assert (accepted["status"], accepted["lastTransitionTime"]) == ("False", LATER)
    assert (resolved["observedGeneration"], resolved["lastTransitionTime"]) == (2, NOW)
    assert parents(changed, [], 2, LATER) == [others]
