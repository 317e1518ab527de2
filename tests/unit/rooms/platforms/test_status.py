from causeway.rooms.platforms.nodes import NodeState
from causeway.rooms.platforms.status import node_status

READY = NodeState("w1", True, "", False, "v1.35.4", "10.0.0.1", "", "", "compute")


def test_a_node_the_api_does_not_have_has_not_joined() -> None:
    found = node_status("w1", "compute", "ACTIVE", None)
    assert (found.ready, found.works, found.reason) == (False, False, "has not joined")


def test_of_a_node_nobody_was_asked_of_nothing_is_said() -> None:
    found = node_status("w1", "compute", "ACTIVE", None, unknown="the API was not asked")
    assert (found.ready, found.works, found.reason) == (None, None, "not known: the API was not asked")


def test_a_ready_node_on_a_running_server_works() -> None:
    assert node_status("w1", "compute", "ACTIVE", READY).works
    assert node_status("w1", "compute", "SHUTOFF", READY).works is False
