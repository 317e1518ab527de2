"""Plans applied to a model of one pod's network lead to the desired state, whatever there was before."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from causeway.kube.objects import Meta, Pod, PodSpec, PodStatus
from causeway.rooms.pods.desired import desired_of
from causeway.rooms.pods.model import (
    Actual,
    AddSubport,
    Attachment,
    Blocked,
    CreatePort,
    DeletePodPort,
    DeletePort,
    Desired,
    OwnedPort,
    RemoveSubport,
    Site,
    Step,
    Told,
    WritePodPort,
)
from causeway.rooms.pods.plan import VLANS, free_vlans, plan, spec_of

SITE = Site("c", "net", "sub", 16, "10.1.255.254", ("sg",), 1442)
POD = Desired("u", "shop", "front", "w1")

attachments = st.builds(Attachment, st.sampled_from(["t1", "t2"]), st.sampled_from([1, 7, 4094]))
ports = st.lists(
    st.builds(
        lambda name, attached: OwnedPort(name, f"mac-{name}", (f"ip-{name}",), attached),
        st.sampled_from(["p1", "p2", "p3"]),
        st.none() | attachments,
    ),
    max_size=3,
    unique_by=lambda port: port.id,
)


@st.composite
def actuals(draw: st.DrawFn) -> Actual:
    there = tuple(draw(ports))
    subject = draw(st.none() | st.sampled_from([*there, OwnedPort("lost", "m", ("i",))]))
    told = None
    if subject is not None:
        told = Told("shop", "front", "1", spec_of(POD, subject, draw(st.sampled_from([1, 7])), SITE))
    return Actual(there, draw(st.sampled_from(["t1", None])), told)


def step_on(actual: Actual, step: Step, fresh: "itertools.count[int]") -> Actual:
    """Return what the world is after a step."""
    by_id = {port.id: port for port in actual.ports}
    match step:
        case CreatePort():
            name = f"new{next(fresh)}"
            by_id[name] = OwnedPort(name, f"mac-{name}", (f"ip-{name}",))
        case AddSubport(trunk_id, port_id):
            assert by_id[port_id].attached is None
            by_id[port_id] = replace(by_id[port_id], attached=Attachment(trunk_id, 9))
        case RemoveSubport(trunk_id, port_id):
            attached = by_id[port_id].attached
            assert attached is not None
            assert attached.trunk_id == trunk_id
            by_id[port_id] = replace(by_id[port_id], attached=None)
        case DeletePort(port_id):
            assert by_id.pop(port_id).attached is None  # Neutron refuses to delete a subport
        case WritePodPort(pod, spec):
            return replace(actual, told=Told(pod.namespace, pod.name, "2", spec))
        case DeletePodPort():
            assert actual.told is not None
            return replace(actual, told=None)
        case Blocked():
            raise AssertionError(step)
    return replace(actual, ports=tuple(by_id.values()))


def converge(desired: Desired | None, actual: Actual) -> tuple[Actual, list[Step]]:
    fresh, done = itertools.count(), list[Step]()
    for _ in range(6):
        steps = plan(desired, actual, SITE)
        if not steps:
            return actual, done
        for step in steps:
            actual = step_on(actual, step, fresh)
        done += steps
    raise AssertionError(f"does not converge: {done}")


@given(actuals())
def test_a_pod_ends_with_one_port_on_its_trunk_and_its_node_told(actual: Actual) -> None:
    if actual.trunk_id is None:
        assert isinstance(plan(POD, actual, SITE)[-1], Blocked)
        actual = replace(actual, trunk_id="t1")
    end, done = converge(POD, actual)
    (port,) = end.ports
    assert port.attached is not None
    assert port.attached.trunk_id == "t1"
    assert end.told is not None
    assert end.told.spec == spec_of(POD, port, port.attached.vlan, SITE)
    assert sum(isinstance(step, CreatePort) for step in done) == (not actual.ports)


@given(actuals())
def test_the_port_the_node_knows_is_kept(actual: Actual) -> None:
    known = actual.told.spec.port_id if actual.told else None
    if known in {port.id for port in actual.ports}:
        end, _ = converge(POD, replace(actual, trunk_id="t1"))
        assert end.ports[0].id == known


@given(actuals())
def test_nothing_is_left_of_a_pod_that_is_gone(actual: Actual) -> None:
    end, _ = converge(None, replace(actual, trunk_id=None))
    assert end.ports == ()
    assert end.told is None


@given(actuals())
def test_a_leaving_pod_keeps_what_it_has(actual: Actual) -> None:
    assert plan(replace(POD, leaving=True), actual, SITE) == []


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


def test_only_running_pods_on_a_node_that_have_their_own_network_need_a_port() -> None:
    pod = Pod(Meta(name="front", namespace="shop", uid="u"), PodSpec("w1"), PodStatus("Running"))
    assert desired_of(pod) == POD
    assert desired_of(Pod(pod.metadata, PodSpec(""))) is None
    assert desired_of(Pod(pod.metadata, PodSpec("w1", host_network=True))) is None
    assert desired_of(Pod(pod.metadata, pod.spec, PodStatus("Succeeded"))) is None
    assert desired_of(Pod(pod.metadata, pod.spec, PodStatus("Failed"))) is None
    leaving = Meta(name="front", namespace="shop", uid="u", deletion_timestamp="2026-01-01T00:00:00Z")
    assert desired_of(Pod(leaving, pod.spec)) == replace(POD, leaving=True)
