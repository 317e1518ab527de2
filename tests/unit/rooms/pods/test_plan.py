"""What the room's rehearsals against a model do not say by themselves: single decisions of a plan."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud.neutron import FixedIP, Port
from causeway.cloud.ownership import Owner
from causeway.kube.objects import Claim, Meta, Pod, PodSpec, PodStatus, PoolPort
from causeway.rooms.pods.desired import needs_of
from causeway.rooms.pods.entries import VLANS, entry_of, free_vlans
from causeway.rooms.pods.model import (
    Attach,
    Attachment,
    Create,
    Delete,
    Detach,
    Need,
    SetGroups,
    Sizes,
    State,
    slot_of,
    tags_for,
)
from causeway.rooms.pods.neighbours import (
    Further,
    GroupsOfNetwork,
    NetworkOfNamespace,
    NoInterfaces,
    OneNetwork,
    Subnet,
)
from causeway.rooms.pods.plan import plan
from causeway.rooms.pods.sizing import Forecast, surplus, target, to_make
from causeway.rooms.pods.work import Work

NET = NetworkOfNamespace(
    "net", (Subnet("v4", 16, "10.1.255.254"), Subnet("v6", 64, "fd00::1")), ("sg",), 1442
)
SIZES = Sizes(minimum=1, maximum=10, batch=2)
NEED = Need("u", "shop", "front", NET, ("sg",))


def port(name: str, *, uid: str = "", groups: tuple[str, ...] = ("sg",)) -> Port:
    addresses = (FixedIP("v4", "10.1.0.5"), FixedIP("v6", "fd00::5"))
    tags = tuple(Owner("c", "pod", uid).tags())
    shown = "ready on w1"
    return Port(name, shown, "DOWN", "net", f"mac-{name}", addresses, tags, security_groups=groups)


def entry(name: str, vlan: int, **more: Any) -> PoolPort:
    return msgspec.structs.replace(entry_of(port(name), NET, vlan, None), **more)


def state(*entries: PoolPort, **more: Any) -> State:
    ports = {one.port_id: port(one.port_id, uid=one.pod_uid) for one in entries}
    made = State(
        node="w1",
        trunk_id="t1",
        entries=entries,
        ports=ports,
        attached={one.port_id: Attachment("t1", one.segmentation_id) for one in entries},
        vlans={one.port_id: one.segmentation_id for one in entries},
        networks={"net": NET},
        targets={"": 1},
        sizes=SIZES,
    )
    return replace(made, **more)


def test_a_node_without_pods_gets_its_reserve() -> None:
    (step,) = plan(state()).steps
    assert step == Create("w1", NET, 2)


def test_a_new_port_is_attached_and_then_listed_with_all_its_addresses() -> None:
    made = plan(state(ports={"p": port("p")}))
    assert made.steps == (Attach("t1", (("p", 1),)),)
    assert made.entries == ()
    made = plan(
        state(ports={"p": port("p")}, attached={"p": Attachment("t1", 1)}, vlans={"p": 1}),
    )
    (listed,) = made.entries
    assert [(ip.ip_address, ip.prefix_length, ip.gateway) for ip in listed.fixed_ips] == [
        ("10.1.0.5", 16, "10.1.255.254"),
        ("fd00::5", 64, "fd00::1"),
    ]
    assert (listed.segmentation_id, listed.retiring, listed.pod_uid) == (1, False, "")


def test_no_other_is_made_while_a_list_shows_attached_what_is_being_attached() -> None:
    there = Attachment("t1", 1)
    made = plan(state(ports={"p": port("p")}, attached={"p": there}, vlans={"p": 1}, busy=frozenset({"p"})))
    assert made.steps == ()


def test_a_claimed_port_is_never_touched_and_shows_whose_it_is() -> None:
    claim = Claim("a", "gone", "shop", "old")
    made = plan(
        state(entry("a", 1, retiring=True), entry("b", 2), claims={"a": claim}, settled=frozenset("a"))
    )
    assert made.steps == ()
    assert made.names == {"a": "shop/old"}


@pytest.mark.parametrize("seen", [False, True])
def test_a_retiring_port_goes_once_its_node_knows(seen: bool) -> None:
    settled = frozenset({"a"} if seen else ())
    made = plan(state(entry("a", 1, retiring=True), entry("b", 2), settled=settled))
    assert made.steps == ((Detach("t1", ("a",)),) if seen else ())
    assert [one.port_id for one in made.entries] == ["a", "b"]


def test_it_is_deleted_once_detached_and_struck_out_once_deleted() -> None:
    there = state(entry("a", 1, retiring=True), entry("b", 2), settled=frozenset({"a"}))
    only_b = {"b": there.attached["b"]}
    made = plan(replace(there, attached=only_b, vlans={"b": 2}))
    assert made.steps == (Delete("a"),)
    made = plan(replace(there, attached=only_b, vlans={"b": 2}, ports={"b": there.ports["b"]}))
    assert [one.port_id for one in made.entries] == ["b"]


def test_what_a_leaving_pod_has_is_retired_while_it_has_it_if_nobody_needs_it_then() -> None:
    claims = {"a": Claim("a", "u", "shop", "front")}
    none = Sizes(minimum=0, maximum=0, batch=2)
    there = state(entry("a", 1), claims=claims, sizes=none, targets={"": 0})
    assert plan(there).entries == there.entries
    gone = replace(there, leaving=frozenset({"u"}))
    (listed,) = plan(gone).entries
    assert (listed.retiring, plan(gone).steps) == (True, ())  # the pod keeps it until its node says otherwise
    reserve = replace(gone, sizes=SIZES, targets={"": 1})
    assert not any(one.retiring for one in plan(reserve).entries)
    own = state(entry("a", 1, pod_uid="u"), claims=claims, leaving=frozenset({"u"}))
    assert [one.retiring for one in plan(own).entries] == [True]


def test_what_leaving_pods_give_back_is_retired_before_what_is_ready() -> None:
    claims = {"a": Claim("a", "u", "shop", "front")}
    entries = [entry(name, vlan) for vlan, name in enumerate("abcde", 1)]
    made = plan(state(*entries, claims=claims, leaving=frozenset({"u"})))
    assert [one.port_id for one in made.entries if one.retiring] == ["a", "c", "d", "e"]


def test_a_pool_that_only_loses_entries_is_written_with_the_next_change_or_a_little_later() -> None:
    work, two, one = Work(), (entry("a", 1), entry("b", 2)), (entry("b", 2),)
    assert work.is_due(None, (), 0.0)
    assert not work.is_due(two, two, 0.0)
    assert not work.is_due(two, one, 10.0)
    wait = work.next_look(11.0)
    assert wait is not None
    assert not work.is_due(two, one, 9.9 + wait)
    assert work.is_due(two, (*one, entry("c", 3)), 11.0)  # something else is written: they go with it
    assert work.next_look(12.0) is None
    assert not work.is_due(two, one, 20.0)
    assert work.is_due(two, one, 21.0 + wait)
    assert not work.is_due(two, one, 30.0)
    assert not work.is_due(one, one, 31.0)
    assert work.next_look(32.0) is None


def test_groups_of_a_claimed_ready_port_change_only_after_it_was_retired() -> None:
    claims = {"a": Claim("a", "u", "shop", "front")}
    needs = (replace(NEED, plain=False, groups=("deny",)),)
    made = plan(state(entry("a", 1), entry("b", 2), claims=claims, needs=needs))
    assert [one.retiring for one in made.entries] == [True, False]
    assert made.steps == ()
    there = state(entry("a", 1, retiring=True), entry("b", 2), claims=claims, needs=needs)
    assert plan(there).steps == ()
    assert plan(replace(there, settled=frozenset({"a"}))).steps == (SetGroups("a", ("deny",)),)


def test_a_pod_with_special_groups_gets_a_port_made_and_waits_for_its_groups() -> None:
    special = replace(NEED, plain=False, groups=("deny",))
    assert plan(state(entry("a", 1), needs=(special,))).steps == (Create("w1", NET, special=special),)
    assert plan(state(entry("a", 1), needs=(replace(special, groups=None),))).steps == ()
    assert plan(state(entry("a", 1), needs=(special,), coming={special.slot: 1})).steps == ()
    own = entry("own", 2, pod_uid="u")
    assert plan(state(entry("a", 1), own, needs=(special,))).steps == (SetGroups("own", ("deny",)),)


def test_a_port_that_lost_its_trunk_is_put_back_where_its_node_knows_it() -> None:
    there = state(entry("a", 7), entry("b", 2))
    lost = replace(there, attached={"b": there.attached["b"]}, vlans={"b": 2})
    assert plan(lost).steps == (Attach("t1", (("a", 7),)),)
    taken = plan(replace(lost, vlans={"b": 2, "foreign": 7}))
    assert [one.retiring for one in taken.entries] == [True, False]


def test_what_runs_out_is_taken_from_reserves() -> None:
    three = state(entry("a", 1), entry("b", 2), entry("c", 3))
    assert not any(one.retiring for one in plan(three).entries)
    assert all(one.retiring for one in plan(replace(three, scarce=frozenset({""}))).entries)


def test_a_full_trunk_is_named() -> None:
    full = {f"foreign{vlan}": vlan for vlan in VLANS}
    made = plan(state(ports={"p": port("p")}, vlans=full))
    assert made.steps == ()
    assert "all 4094 VLANs of its trunk are in use" in made.findings["TrunkFull"].cause


def test_nothing_is_left_of_a_node_that_is_gone() -> None:
    claims = {"b": Claim("b", "u", "shop", "front")}
    made = plan(state(entry("a", 1), entry("b", 2), present=False, claims=claims))
    assert made.steps == (Detach("t1", ("a",)),)


def test_slots_are_read_from_tags() -> None:
    for slot in (None, ("u", ""), ("u", "net1")):
        tagged = msgspec.structs.replace(port("p"), tags=tags_for("c", slot))
        assert slot_of(tagged) == slot


@given(
    st.sets(st.integers(1, 4094), max_size=60) | st.sampled_from([set(VLANS), set(VLANS) - {4094}]),
    st.integers(0, 70),
    st.integers(0, 4094),
)
def test_vlans_are_free_different_in_range_and_as_many_as_there_are(
    used: set[int], count: int, after: int
) -> None:
    chosen = free_vlans(used, count, after)
    assert len(set(chosen)) == len(chosen) == min(count, 4094 - len(used))
    assert not set(chosen) & used
    assert all(1 <= vlan <= 4094 for vlan in chosen)


def test_a_freed_vlan_rests() -> None:
    assert free_vlans({1, 2}, 2, after=5) == [6, 7]
    assert free_vlans({1, 2}, 2, after=4094) == [3, 4]


class Asked:
    """One further interface for every pod, on a network of its own, and one on the network all pods have."""

    def of(self, pod: Pod) -> tuple[Further, ...]:
        again = NetworkOfNamespace("net", (), (), 1442, "network/net")
        return (
            Further("net1", DATA, ("data4",), ("sg2",), ("10.9.0.7",), "02:00:00:00:00:01"),
            Further("net2", again, ("v4",), ("sg2",)),
        )

    def on_change(self, wake: object) -> None: ...


DATA = NetworkOfNamespace("data", (Subnet("data4", 24),), (), 1500, "network/data")


def test_every_interface_needs_a_port() -> None:
    networks = OneNetwork(NET)
    pod = Pod(Meta(name="front", namespace="shop", uid="u"), PodSpec("w1"), PodStatus("Running"))
    first, data, again = needs_of(pod, [], networks, GroupsOfNetwork(networks), Asked())
    assert first == NEED
    assert (data.slot, data.network, data.groups) == (("u", "net1"), DATA, ("sg2",))
    assert (data.plain, data.addresses, data.mac) == (False, ("10.9.0.7",), "02:00:00:00:00:01")
    # The pods' own network is no other one for being asked for by another name.
    assert (again.network, again.groups) == (NET, ("sg2",))


def test_only_running_pods_on_a_node_that_have_their_own_network_need_a_port() -> None:
    networks = OneNetwork(NET)
    groups = GroupsOfNetwork(networks)

    def needs(pod: Pod) -> list[Need]:
        return needs_of(pod, [], networks, groups, NoInterfaces())

    pod = Pod(Meta(name="front", namespace="shop", uid="u"), PodSpec("w1"), PodStatus("Running"))
    assert needs(pod) == [NEED]
    assert needs(Pod(pod.metadata, PodSpec(""))) == []
    assert needs(Pod(pod.metadata, PodSpec("w1", host_network=True))) == []
    assert needs(Pod(pod.metadata, pod.spec, PodStatus("Succeeded"))) == []
    leaving = Meta(name="front", namespace="shop", uid="u", deletion_timestamp="2026-01-01T00:00:00Z")
    assert needs(Pod(leaving, pod.spec)) == [replace(NEED, leaving=True)]


sizes = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20)).map(
    lambda three: Sizes(min(three[:2]), max(three[:2]), three[2])
)


@given(sizes, st.integers(-50, 100), st.integers(0, 100))
def test_what_is_made_covers_what_lacks_and_is_never_too_much(
    wanted_sizes: Sizes, spare: int, expected: int
) -> None:
    wanted = target(expected, wanted_sizes)
    made = to_make(spare, wanted, wanted_sizes)
    after = spare + made
    assert made >= 0
    assert after >= min(wanted, wanted_sizes.minimum)
    assert made == 0 or after <= min(wanted + wanted_sizes.batch, wanted_sizes.maximum)
    assert not (made and surplus(after, wanted, wanted_sizes))
    excess = surplus(spare, wanted, wanted_sizes)
    assert to_make(spare - excess, wanted, wanted_sizes) == (0 if excess else made)


def test_a_burst_is_expected_to_go_on_and_then_forgotten() -> None:
    forecast = Forecast()
    forecast.seen(100.0, 40)
    assert forecast.expected(100.0) == 20
    assert forecast.expected(160.0) == 7
    assert forecast.expected(700.0) == 0


@pytest.mark.parametrize("wrong", [{"minimum": 5, "maximum": 4}, {"minimum": -1}, {"batch": 0}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Sizes)
