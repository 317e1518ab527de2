"""What the pods' room believes of the cloud: lists, and what is written while they are made."""

from causeway.cloud.neutron import Port, Subport, Trunk
from causeway.cloud.ownership import Owner
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.model import KIND, NODE_KIND, Attachment

PARENT = Port("parent", "w1", "ACTIVE", "nodes", "m0", tags=tuple(Owner("c", NODE_KIND).tags()))
BARE = Trunk("t1", "w1", "ACTIVE", "parent")
FULL = Trunk("t1", "w1", "ACTIVE", "parent", [Subport("a", 7)])


def port(name: str, cluster: str = "c") -> Port:
    return Port(name, name, "DOWN", "net", "m", tags=tuple(Owner(cluster, KIND).tags()))


def listed(view: View, trunk: Trunk, *ports: Port) -> View:
    view.take(view.begin(), [PARENT, *ports], [trunk])
    return view


def test_only_ports_of_this_cluster_are_ours() -> None:
    view = listed(View("c"), FULL, port("a"), port("b"), port("c", "another"))
    assert view.ports.keys() == {"a", "b"}
    assert view.attached == {"a": Attachment("t1", 7)}
    assert [each.id for each in view.loose()] == ["b"]


def test_a_list_that_says_the_same_changes_nothing() -> None:
    view = listed(View("c"), FULL, port("a"))
    trunk, kept = view.trunk_of("w1"), view.ports["a"]
    listed(view, FULL, port("a"))
    assert view.trunk_of("w1") is trunk
    assert view.ports["a"] is kept


def test_what_left_its_trunk_is_loose() -> None:
    view = listed(listed(View("c"), FULL, port("a")), BARE, port("a"))
    assert not view.attached
    assert [each.id for each in view.loose()] == ["a"]


def test_a_list_shows_a_port_attached_before_the_call_that_made_it_answers() -> None:
    view = listed(View("c"), FULL, port("a"))
    view.port_made(port("a"), "w1")
    listed(view, BARE, port("a"))
    assert [each.id for each in view.loose()] == ["a"]  # not for ever meant for a node it has left


def test_what_was_written_since_a_list_began_is_believed() -> None:
    view = listed(View("c"), FULL, port("a"))
    began = view.begin()
    view.port_made(port("b"), "w1")
    view.port_gone("a")
    view.trunk_changed(BARE)
    view.take(began, [PARENT, port("a")], [FULL])
    assert view.ports.keys() == {"b"}
    assert not view.attached
