"""Whatever happens in whatever order, the index is as if compiled afresh, and it says what changed."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.policies import worlds
from tests.unit.rooms.policies.worlds import FAMILIES, NODES, SERVICES, World

from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import GroupKey, member_of

events = st.one_of(
    st.tuples(st.just("pod"), worlds.pods),
    st.tuples(st.just("no pod"), st.integers(1, 6).map("pod-{}".format)),
    st.tuples(st.just("policy"), worlds.policies),
    st.tuples(st.just("no policy"), st.integers(1, 4).map("policy-{}".format)),
    st.tuples(st.just("namespace"), st.tuples(worlds.namespaces, worlds.labels)),
    st.tuples(st.just("no namespace"), worlds.namespaces),
    st.tuples(st.just("service"), worlds.fronts),
    st.tuples(st.just("no service"), st.just("a/s")),
)


class Mirror:
    """What somebody knows who looks only at what is said to have changed."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.groups: dict[GroupKey, Any] = {}
        self.sets: dict[str, Any] = {}
        self.pods: dict[str, Any] = {}

    def follow(self, world: World) -> None:
        index, changes = self._index, self._index.take()
        for key in changes.groups:
            self.groups[key] = index.rules(key) if index.wanted(key) else None
        for each in changes.sets:
            self.sets[each] = index.sets.addresses(each)
        for uid in changes.pods:
            member = member_of(world.pods[uid]) if uid in world.pods else None
            self.pods[uid] = index.groups_of(member) if member else ()


def groups_of(index: Index, world: World) -> dict[str, Any]:
    members = [member for pod in world.pods.values() if (member := member_of(pod))]
    return {member.uid: groups for member in members if (groups := index.groups_of(member))}


def without_none(found: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in found.items() if value not in (None, ())}


def apply(index: Index, world: World, event: str, what: Any) -> None:
    match event:
        case "pod":
            before = world.pods.get(what.metadata.uid)
            if before and before.metadata.namespace != what.metadata.namespace:
                return  # no pod moves
            world.pods[what.metadata.uid] = what
            index.put_pod(what.metadata.uid, member_of(what))
        case "no pod":
            world.pods.pop(what, None)
            index.put_pod(what, None)
        case "policy":
            earlier = world.policies.get(what.metadata.uid)
            if earlier and earlier.metadata.namespace != what.metadata.namespace:
                return
            world.policies[what.metadata.uid] = what
            index.put_policy(what)
        case "no policy":
            world.policies.pop(what, None)
            index.drop_policy(what)
        case "namespace":
            world.namespaces[what[0]] = what[1]
            index.put_namespace(*what)
        case "no namespace":
            world.namespaces.pop(what, None)
            index.put_namespace(what, None)
        case "service":
            world.services["a/s"] = (what,)
            index.put_service("a/s", (what,))
        case _:
            world.services.pop(what, None)
            index.put_service(what, ())


@settings(max_examples=500)
@given(st.lists(events, max_size=25))
def test_step_by_step_is_as_good_as_afresh(history: list[tuple[str, Any]]) -> None:
    index, world = Index(FAMILIES, SERVICES), World()
    mirror = Mirror(index)
    for name, addresses in NODES.items():
        index.put_node(name, addresses)
    for event, what in history:
        apply(index, world, event, what)
        mirror.follow(world)
    fresh = world.compiled()
    assert set(index.groups()) == set(fresh.groups())
    assert {key: index.rules(key) for key in index.groups()} == {
        key: fresh.rules(key) for key in fresh.groups()
    }
    assert {key: index.sets.addresses(key) for key in index.sets.keys()} == {  # noqa: SIM118  # no dict
        key: fresh.sets.addresses(key)
        for key in fresh.sets.keys()  # noqa: SIM118  # no dict
    }
    assert groups_of(index, world) == groups_of(fresh, world)
    assert without_none(mirror.groups) == {key: fresh.rules(key) for key in fresh.groups()}
    assert without_none(mirror.sets) == {
        key: fresh.sets.addresses(key)
        for key in fresh.sets.keys()  # noqa: SIM118  # no dict
    }
    assert without_none(mirror.pods) == groups_of(fresh, world)
