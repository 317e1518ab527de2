from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.nodes.examples import REGION, WAITING, node, server

from causeway.cloud.nova import Server
from causeway.kube.objects import Meta, Node, NodeSpec, NodeStatus, Taint
from causeway.rooms.nodes.apply import patch_of
from causeway.rooms.nodes.model import (
    OFF,
    OUT_OF_SERVICE,
    UNINITIALISED,
    ChangeNode,
    DeleteNode,
    Step,
    WriteAddresses,
)
from causeway.rooms.nodes.plan import plan, plan_gone

NOT_READY = Taint("node.kubernetes.io/not-ready", "", "NoSchedule")
STOPPED, MOVED = OFF
BY_HAND = Taint(OUT_OF_SERVICE, "nodeshutdown", "NoExecute")


def after(it: Node, steps: list[Step]) -> Node:
    """Return the node as it is when the steps have been taken, by the patches that are really sent."""
    for step in steps:
        if isinstance(step, WriteAddresses):
            it = Node(it.metadata, it.spec, NodeStatus(step.addresses, it.status.conditions))
        if isinstance(step, ChangeNode):
            it = patched(it, patch_of(step, it))
    return it


def patched(it: Node, patch: list[dict[str, Any]]) -> Node:
    """Return a node with a JSON patch applied (RFC 6902, as far as this room uses it)."""
    document: dict[str, Any] = {
        "/metadata/uid": it.metadata.uid,
        "/spec/providerID": it.spec.provider_id,
    }
    labels = dict(it.metadata.labels)
    taints = [{"key": each.key, "value": each.value, "effect": each.effect} for each in it.spec.taints]
    for entry in patch:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in entry["path"].split("/")[1:]]
        match entry["op"], parts:
            case "test", ["spec", "taints", index, "key"]:
                assert taints[int(index)]["key"] == entry["value"]
            case "test", ["spec", "taints"]:
                assert not taints
            case "remove", ["spec", "taints", index]:
                del taints[int(index)]
            case "add", ["spec", "taints"]:
                taints = [*entry["value"]]
            case "add", ["spec", "taints", "-"]:
                taints.append(entry["value"])
            case "add", ["metadata", "labels"]:
                labels = {}
            case "add", ["metadata", "labels", key]:
                labels[key] = entry["value"]
            case "add", _:
                document[entry["path"]] = entry["value"]
            case _:
                assert document[entry["path"]] == entry["value"]
    meta = Meta(
        name=it.metadata.name, uid=it.metadata.uid, labels=labels, annotations=it.metadata.annotations
    )
    kept = tuple(Taint(each["key"], each.get("value", ""), each["effect"]) for each in taints)
    return Node(meta, NodeSpec(document["/spec/providerID"], taints=kept), it.status)


def test_a_new_node_gets_its_addresses_before_its_taint_goes() -> None:
    addresses, change = plan(node(taints=(NOT_READY, WAITING)), server(), REGION)
    assert isinstance(addresses, WriteAddresses)
    assert isinstance(change, ChangeNode)
    assert change.taints_removed == ((1, UNINITIALISED),)
    assert set(change.labels.values()) == {"nova", REGION, "m1.large"}


def test_a_node_waits_while_its_server_has_no_port() -> None:
    steps = plan(node(taints=(WAITING,)), server(fixed=()), REGION)
    assert not any(isinstance(step, ChangeNode) and step.taints_removed for step in steps)


def test_a_node_made_known_by_its_name_gets_its_provider_id() -> None:
    it = after(waiting := node(provider_id="", taints=(WAITING,)), plan(waiting, server(), REGION))
    assert it.spec.provider_id == "openstack:///s1"


def test_a_stopped_server_taints_its_node_only_when_the_kubelet_is_silent() -> None:
    down = server(status="SHUTOFF")
    silent = node(ready=False, taints=(NOT_READY,))
    assert after(silent, plan(silent, down, REGION)).spec.taints == (NOT_READY, STOPPED, MOVED)
    bare = node(ready=False)
    assert after(bare, plan(bare, down, REGION)).spec.taints == OFF
    reporting = node()
    assert not after(reporting, plan(reporting, down, REGION)).spec.taints


def test_the_taints_go_when_the_server_runs_again() -> None:
    tainted = node(ready=False, taints=(STOPPED, NOT_READY, MOVED))
    assert after(tainted, plan(tainted, server(), REGION)).spec.taints == (NOT_READY,)


def test_what_somebody_wrote_by_hand_stays_whatever_the_server_does() -> None:
    by_hand = node(ready=False, taints=(BY_HAND,))
    assert after(by_hand, plan(by_hand, server(), REGION)).spec.taints == (BY_HAND,)
    off = plan(by_hand, server(status="SHUTOFF"), REGION)
    assert after(by_hand, off).spec.taints == (BY_HAND, STOPPED)


def test_a_node_that_reports_is_never_deleted() -> None:
    assert plan_gone(node(), "s1") == []
    assert plan_gone(node(ready=False), "s1") == [DeleteNode("s1")]


TAINTS = st.lists(
    st.sampled_from(
        [WAITING, STOPPED, MOVED, BY_HAND, NOT_READY, Taint("example.org/mine", "x", "NoExecute")]
    ),
    unique_by=lambda each: each.key,
).map(tuple)
NODES = st.builds(
    node,
    provider_id=st.sampled_from(["", "openstack:///s1"]),
    ready=st.booleans(),
    taints=TAINTS,
    provided=st.sampled_from(["", "10.10.0.5", "10.10.0.5,fd00::5"]),
    labels=st.dictionaries(st.sampled_from(["a", "topology.kubernetes.io/zone"]), st.just("old")),
)
SERVERS = st.builds(
    server,
    status=st.sampled_from(["ACTIVE", "SHUTOFF", "BUILD", "ERROR", "PAUSED"]),
    fixed=st.sampled_from([("10.10.0.5", "fd00::5"), ("fd00::5", "10.10.0.5", "10.9.0.1")]),
    floating=st.sampled_from([(), ("172.24.4.9",)]),
)


@given(NODES, SERVERS)
def test_one_round_suffices_and_what_is_not_ours_stays(it: Node, its: Server) -> None:
    done = after(it, plan(it, its, REGION))
    assert plan(done, its, REGION) == []
    assert not any(each.key == UNINITIALISED for each in done.spec.taints)
    others = [each for each in it.spec.taints if each.key != UNINITIALISED and each not in OFF]
    assert [each for each in done.spec.taints if each not in OFF] == others
    assert done.metadata.labels.get("a") == it.metadata.labels.get("a")
