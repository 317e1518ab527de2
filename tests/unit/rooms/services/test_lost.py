"""Which parts count as lost, and what a tree looks like without them."""

import pytest

from causeway.cloud.octavia_objects import (
    ListenerStatus,
    MemberStatus,
    MonitorStatus,
    PoolStatus,
    StatusTree,
)
from causeway.rooms.services.lost import pending_parts, written_off

PARTS = ("listener", "pool", "member", "monitor")


def tree(balancer: str = "ACTIVE", **states: str) -> StatusTree:
    """Return a load balancer with one part of each kind, ACTIVE unless said otherwise."""
    state = {part: states.get(part, "ACTIVE") for part in PARTS}
    member = MemberStatus("member", "10.0.0.1", 80, state["member"], "ONLINE")
    pool = PoolStatus(
        "pool", state["pool"], "ONLINE", "", [member], MonitorStatus("monitor", state["monitor"])
    )
    return StatusTree(
        "lb", balancer, "ONLINE", "", [ListenerStatus("listener", state["listener"], "ONLINE", "", [pool])]
    )


@pytest.mark.parametrize("part", PARTS)
def test_a_lost_part_counts_as_broken(part: str) -> None:
    before = tree(**{part: "PENDING_CREATE"})
    lost = pending_parts(before)
    assert lost == {(part, False)}
    assert written_off(before, lost) == tree(**{part: "ERROR"})
    assert not written_off(before, lost).pending


def test_a_lost_part_stays_so_while_something_beside_it_changes() -> None:
    lost = pending_parts(tree(listener="PENDING_CREATE"))
    assert written_off(tree(listener="PENDING_UPDATE"), lost) == tree(listener="ERROR")


def test_what_is_to_go_now_is_waited_for() -> None:
    lost = pending_parts(tree(pool="PENDING_UPDATE"))
    going = tree(pool="PENDING_DELETE")
    assert written_off(going, lost) is going
    assert written_off(going, pending_parts(going)) == tree(pool="ERROR")


def test_a_load_balancer_that_is_pending_itself_stays_so() -> None:
    """Nothing below it can be changed."""
    assert pending_parts(tree("PENDING_UPDATE")) == frozenset()
    assert written_off(
        tree("PENDING_UPDATE", listener="PENDING_CREATE"), frozenset({("listener", False)})
    ).pending


def test_nothing_lost_is_the_same_tree() -> None:
    whole = tree()
    assert written_off(whole, frozenset({("listener", False)})) is whole
