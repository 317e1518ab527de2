"""Which ports a pod may have, by the ports alone."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud.neutron import FixedIP
from causeway.cloud.prepared_ports import PreparedPort, tags_of
from causeway.rooms.pods.neighbours import NetworkOfNamespace, Subnet
from causeway.rooms.pods.prepared import find, strange_use, usable

NET = NetworkOfNamespace("net", (Subnet("v4", 16),), (), 1442)


def port(name: str = "db", **more: Any) -> PreparedPort:
    values = {"fixed_ips": (FixedIP("v4", "10.1.0.5"),), "tags": tags_of("c", "shop"), **more}
    return PreparedPort(f"id-{name}", name, "DOWN", "net", "m", **values)


def cause(made: PreparedPort, **more: bool) -> str:
    finding = usable(made, NET, **{"native": False, "selected": False, "placed": False, **more}).finding
    return finding.cause if finding else ""


def test_a_port_is_meant_by_its_id_before_any_name() -> None:
    named = port("x", tags=tags_of("c", "shop"))
    posing = PreparedPort("other", "id-x", "DOWN", "net", "m", tags=tags_of("c", "shop"))
    found, wish = find("id-x", "shop", "c", [posing, named])
    assert found is named
    assert (wish.port_id, wish.finding) == ("id-x", None)


@given(st.text(max_size=300), st.sampled_from(["shop", "sho", "shop2", "another"]))
def test_no_text_leads_to_a_port_that_is_not_given_to_the_namespace(asked: str, namespace: str) -> None:
    others = [port(asked, tags=tags_of("c", "vault")), port("x", tags=("causeway-for=c",))]
    found, wish = find(asked, namespace, "c", others)
    assert found is None
    assert wish.reason == "PortNotFound"
    assert wish.finding is not None
    assert len(wish.finding.cause) < 1000


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"network_id": "else"}, "is on network else"),
        ({"fixed_ips": ()}, "no address in the pods' subnets"),
        ({"fixed_ips": (FixedIP("v4", "10.1.0.5"), FixedIP("strange", "10.9.0.1"))}, "an address outside"),
        ({"admin_state_up": False}, "is switched off"),
        ({"vnic_type": "direct"}, "vnic_type is direct: it needs hardware"),
        ({"vnic_type": "macvtap"}, "vnic_type is macvtap"),
        ({"vif_type": "vhostuser"}, "a socket of DPDK (vif_type vhostuser)"),
        ({"vif_type": "binding_failed"}, "could not bind it"),
    ],
)
def test_what_no_pod_can_use_is_refused(more: dict[str, Any], words: str) -> None:
    made = msgspec.structs.replace(port(), **more)
    for native, node in ((False, "a trunk carries VLANs alone"), (True, "by its bridge alone")):
        told = cause(made, native=native)
        assert words in told
        assert (node in told) == ("vnic" in words or "vif" in words or "bind" in words)


def test_what_a_binding_of_ours_made_of_it_is_no_obstacle() -> None:
    assert cause(msgspec.structs.replace(port(), vif_type="vhostuser"), placed=True) == ""
    assert "macvtap" in cause(msgspec.structs.replace(port(), vnic_type="macvtap"), placed=True)


def test_policies_and_own_groups_do_not_go_together() -> None:
    assert cause(port()) == ""
    assert "NetworkPolicies could not be kept" in cause(port(), selected=True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"device_owner": "compute:nova", "device_id": "server"}, "it belongs to compute:nova server"),
        ({"device_owner": "trunk:subport"}, "on a trunk that is not this platform's"),
        ({"device_owner": "causeway:pod", "device_id": "another"}, "it belongs to causeway:pod another"),
        ({"host": "elsewhere"}, "bound to host elsewhere"),
        ({"device_owner": "causeway:pod", "device_id": "c", "host": "m1"}, ""),
        ({}, ""),
    ],
)
def test_who_uses_a_port_is_named(more: dict[str, str], words: str) -> None:
    finding = strange_use(port(**more), "c", parents=())
    assert words in (finding.cause if finding else "")
    assert bool(finding) == bool(words)
    assert strange_use(port(), "c", parents={"id-db"}) is not None
