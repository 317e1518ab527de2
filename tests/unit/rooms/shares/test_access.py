"""Which rules are made and taken away: applied to rules in memory, a plan ends in what was wanted."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.shares.examples import CLUSTER, NODE, OTHER, rule, share

from causeway.cloud.manila_objects import AccessRule, ExportLocation
from causeway.engine.storage.model import Reason, Refused
from causeway.rooms.shares.access import (
    ADDRESS,
    LEAVING,
    Allow,
    Deny,
    Leave,
    Mark,
    Plan,
    Wanted,
    holders,
    open_to_all,
    to_grant,
    to_revoke,
    user,
    wanted,
)
from causeway.rooms.shares.model import (
    CEPHFS,
    LEFT,
    Clients,
    access_marks,
    handle_key,
    handles_at,
    node_of,
)

V4, V6 = ExportLocation("10.0.0.10:/a"), ExportLocation("[fd00::10]:/a")
HANDLES = ["", "a", "b"]
HOSTS = ["10.0.1.1", "10.0.1.2", "10.0.1.3"]
rules = st.lists(
    st.builds(
        lambda to, node, handle, state: rule(to, node, handle, state=state),
        st.sampled_from([*HOSTS, "192.0.2.0/24"]),
        st.sampled_from([NODE, OTHER, ""]),
        st.sampled_from(HANDLES),
        st.sampled_from(["active", "queued_to_apply", "applying", "queued_to_deny", "denying", "error"]),
    )
    | st.builds(lambda to: rule(to, None), st.sampled_from([*HOSTS, "0.0.0.0/0"])),
    unique_by=lambda each: each.access_to,
)
wishes = st.builds(
    Wanted,
    st.just(ADDRESS),
    st.lists(st.sampled_from(HOSTS), min_size=1, unique=True).map(tuple),
    st.sampled_from([NODE, ""]),
    st.sampled_from(HANDLES),
)


def done(found: list[AccessRule], plan: Plan) -> list[AccessRule]:
    """Return the rules after a plan was done and everything under way has ended."""
    kept = {each.id: each for each in found if each.state not in ("queued_to_deny", "denying")}
    for act in plan.acts:
        match act:
            case Allow(_, to, node, handle, others):
                made = rule(to, node, handle)
                marks = made.metadata | dict.fromkeys(others, node)
                kept[made.id] = msgspec.structs.replace(made, metadata=marks)
            case Mark(it, node, handle, others):
                marks = it.metadata | access_marks(CLUSTER, node, handle) | dict.fromkeys(others, node)
                kept[it.id] = msgspec.structs.replace(it, metadata=marks)
            case Leave(it, handle):
                marks = it.metadata | {handle_key(handle): LEFT}
                kept[it.id] = msgspec.structs.replace(it, metadata=marks)
            case Deny(it):
                del kept[it.id]
    return [
        each if each.state == "error" else msgspec.structs.replace(each, state="active")
        for each in kept.values()
    ]


def handles_of(it: AccessRule) -> set[str]:
    """Return by which handles the node has a share, by a rule that was made for it."""
    return handles_at(it.metadata, NODE) if node_of(it.metadata, CLUSTER) == NODE else set()


@given(rules, wishes)
def test_plans_end_in_what_is_wanted_and_leave_alone_what_others_made(
    found: list[AccessRule], want: Wanted
) -> None:
    left = found
    handles: frozenset[str] = frozenset()
    for _ in range(4):
        plan = to_grant(left, want, CLUSTER, handles)
        if plan.is_done:
            break
        handles |= plan.handles_denied(want.node)
        left = done(left, plan)
    assert to_grant(left, want, CLUSTER) == Plan()
    let_in = {each.access_to: each for each in left if each.state == "active"}
    assert set(want.to) <= set(let_in)
    for each in found:
        if not each.metadata:
            assert each in left
    if want.node:
        staying = (each for each in left if each.state not in LEAVING)
        mine = {each.access_to for each in staying if node_of(each.metadata, CLUSTER) == NODE}
        assert mine <= set(want.to)
        by_all = {key for each in found if each.state not in LEAVING for key in handles_of(each)}
        ours = [each for each in left if node_of(each.metadata, CLUSTER) == NODE]
        if ours:  # else it is let in by rules of others, which stay whoever leaves
            assert by_all <= {key for each in ours for key in handles_of(each)}


@given(rules, st.sampled_from([NODE, OTHER, ""]), st.sampled_from(HANDLES))
def test_closing_takes_away_the_nodes_rules_and_no_other(
    found: list[AccessRule], node: str, handle: str
) -> None:
    left = done(found, to_revoke(found, node, CLUSTER, handle))
    assert to_revoke(left, node, CLUSTER, handle).is_done
    for each in found:
        made_for = node_of(each.metadata, CLUSTER)
        stays = not made_for or node not in ("", made_for)
        stays = stays or bool(handles_at(each.metadata, made_for or "") - {handle_key(handle)})
        if stays and each.state == "active":
            assert each in left
        elif not stays:
            assert each.id not in {it.id for it in left}


def test_a_node_that_has_a_share_by_two_handles_keeps_its_rule_until_both_are_left() -> None:
    found: list[AccessRule] = []
    for handle in ("a", "b", "a"):
        found = done(found, to_grant(found, Wanted(ADDRESS, ("10.0.1.1",), NODE, handle), CLUSTER))
    assert to_grant(found, Wanted(ADDRESS, ("10.0.1.1",), NODE, "b"), CLUSTER).is_done
    for _ in range(2):
        found = done(found, to_revoke(found, NODE, CLUSTER, "a"))
        assert holders(found, CLUSTER) == [NODE]
    assert done(found, to_revoke(found, NODE, CLUSTER, "b")) == []


def test_a_share_is_held_by_nodes_of_whichever_platform() -> None:
    theirs = rule("10.0.1.9", metadata=access_marks("other", "n"))
    for_all = rule("10.0.1.8", metadata=access_marks("other", ""))
    found = [theirs, rule("10.0.1.1", NODE), rule("10.0.1.2", ""), rule("10.0.1.3", None), for_all]
    assert holders(found, CLUSTER) == [NODE, "n of platform other by rule rule-10.0.1.9"]


def test_a_rule_that_failed_or_has_an_old_address_hands_its_handles_on() -> None:
    for old in (rule("10.0.1.1", handle="a", state="error"), rule("10.0.1.2", handle="a")):
        want = Wanted(ADDRESS, ("10.0.1.1",), NODE, "b")
        first = to_grant([old], want, CLUSTER)
        kept = done([old], first)
        kept = done(kept, to_grant(kept, want, CLUSTER, first.handles_denied(NODE)))
        assert [handles_of(each) for each in kept] == [{handle_key("a"), handle_key("b")}]


def test_another_clusters_rule_is_somebody_elses() -> None:
    theirs = msgspec.structs.replace(rule("10.0.1.1"), metadata=access_marks("another", NODE))
    assert to_revoke([theirs], NODE, CLUSTER) == Plan()
    assert to_grant([theirs], Wanted(ADDRESS, ("10.0.1.1/32",), NODE), CLUSTER) == Plan()


def test_a_failed_rule_of_somebody_else_is_told() -> None:
    with pytest.raises(Refused) as refused:
        to_grant([rule("10.0.1.1", None, state="error")], Wanted(ADDRESS, ("10.0.1.1",), NODE), CLUSTER)
    assert refused.value.reason is Reason.PRECONDITION


def test_a_user_without_a_key_is_waited_for() -> None:
    want = Wanted("cephx", ("causeway-a",), NODE)
    keyless = rule("causeway-a", access_type="cephx")
    assert to_grant([keyless], want, CLUSTER) == Plan(passing=True)
    assert to_grant([msgspec.structs.replace(keyless, access_key="k")], want, CLUSTER).is_done


def of(it: Any, exports: list[ExportLocation], fixed: list[str], **clients: Any) -> Wanted:
    return wanted(it, exports, NODE, addresses=fixed, clients=Clients(**clients), cluster=CLUSTER)


def test_a_node_is_let_in_by_the_addresses_that_can_reach_the_share() -> None:
    both = ["10.0.1.1", "fd00::1"]
    assert of(share(), [V4], both) == Wanted(ADDRESS, ("10.0.1.1",), NODE)
    assert of(share(), [V6], both) == Wanted(ADDRESS, ("fd00::1",), NODE)
    assert of(share(), [V4, V6], both).to == ("10.0.1.1", "fd00::1")
    assert of(share(), [ExportLocation("nfs.example.org:/a")], both).to == ("10.0.1.1", "fd00::1")
    with pytest.raises(Refused) as refused:
        of(share(), [V6], ["10.0.1.1"])
    assert refused.value.reason is Reason.PRECONDITION


def test_classes_may_name_clients_instead() -> None:
    assert of(share(), [V4], [], addresses=("192.0.2.0/24",)) == Wanted(ADDRESS, ("192.0.2.0/24",), "")
    ceph = share(share_proto="CephFS")
    assert ceph.protocol == CEPHFS
    assert of(ceph, [], [], users=("team", "other")) == Wanted("cephx", ("team",), "")
    assert of(ceph, [], []).to == (user(CLUSTER, ceph.id, NODE),)


def test_users_of_ceph_are_nobody_elses_and_are_accepted_by_manila() -> None:
    facts = [(CLUSTER, "s", NODE), (CLUSTER, "s", OTHER), (CLUSTER, "t", NODE), ("another", "s", NODE)]
    users = {user(*each) for each in facts}
    assert len(users) == 4
    assert all("." not in each and each.isascii() for each in users)
    assert user(*facts[0]) in users


def test_rules_for_everybody_are_seen() -> None:
    found = [rule("0.0.0.0/0", None), rule("::/0", None), rule("10.0.0.0/8", None)]
    assert open_to_all(found) == ["rule-0.0.0.0/0", "rule-::/0"]
    assert replace(Plan(), passing=True).is_done is False
