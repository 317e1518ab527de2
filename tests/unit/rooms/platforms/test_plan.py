"""Plans: equal stacks give an empty one, a change touches what it must and nothing else, nodes go by name."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.platforms import examples

from causeway.kit.errors import Problem
from causeway.rooms.platforms import groups, hot, plan, template
from causeway.rooms.platforms.groups import Group, LiveGroup
from causeway.rooms.platforms.hot import Path, Resource
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.plan import Action, Plan, Status
from causeway.rooms.platforms.site import Place, Site
from causeway.rooms.platforms.template import StackTemplate

UPDATABLE = {
    "OS::Nova::Server": frozenset({"name", "image", "flavor", "networks", "metadata", "user_data"}),
    "OS::Neutron::Port": frozenset({"name", "fixed_ips", "security_groups", "tags"}),
    "OS::Neutron::Subnet": frozenset({"name", "dns_nameservers", "allocation_pools", "gateway_ip", "tags"}),
    "OS::Neutron::SecurityGroup": frozenset({"name", "description", "rules"}),
    "OS::Neutron::FloatingIP": frozenset({"port_id"}),
}


def evaluated(made: StackTemplate) -> dict[Path, Resource]:
    return hot.evaluate(made.text, made.files, made.parameters)


def planned(
    before: StackTemplate, after: StackTemplate, wanted: Platform, assigned: tuple[Group, ...]
) -> Plan:
    changes = plan.diff(evaluated(before), evaluated(after), updatable=UPDATABLE)
    return plan.make(changes, wanted.name, assigned, template.live_groups(before.parameters))


def touched(found: Plan) -> dict[str, Action]:
    return {change.name: change.action for change in found.changes if change.action is not Action.KEEP}


@settings(max_examples=20)
@given(examples.platforms(), examples.sites())
def test_the_plan_of_an_equal_stack_is_empty(platform: Platform, site: Site) -> None:
    before = examples.stack(platform, site, joining=examples.JOINING)
    after = examples.stack(platform, site)
    found = planned(before, after, platform, groups.assign(platform))
    assert found.empty
    assert not found.joining
    assert not found.leaving


@settings(max_examples=20)
@given(examples.platforms())
def test_the_plan_of_a_new_stack_creates_everything(platform: Platform) -> None:
    after = evaluated(examples.stack(platform))
    made = plan.make(plan.diff({}, after, updatable={}), "demo", groups.assign(platform), {})
    assert {change.action for change in made.changes} == {Action.CREATE}
    assert set(made.joining) == {node for each in groups.assign(platform) for node in each.nodes("demo")}


@settings(max_examples=25)
@given(st.integers(0, 5), st.integers(0, 5), st.sets(st.integers(0, 6), max_size=3), st.data())
def test_scaling_touches_the_named_nodes_and_no_other(
    now: int, then: int, removed: set[int], data: st.DataObject
) -> None:
    def sized(number: int) -> Platform:
        return examples.platform(
            examples.pool("master"), examples.pool("infra"), examples.pool("compute", count=number)
        )

    assigned = tuple(
        replace(each, removed=frozenset(removed)) if each.role == "compute" else each
        for each in groups.assign(sized(now))
    )
    before = examples.stack(sized(now), assigned=assigned)
    live = template.live_groups(before.parameters)
    living = [groups.node_name("demo", "compute", index) for index in live["compute_nodes"].indexes()]
    surplus = max(0, now - then)
    named = data.draw(st.permutations(living))[:surplus] if living else []
    wanted = tuple(
        replace(
            each,
            removed=each.removed | set(groups.choose_removals("demo", each, live[each.name], named=named)),
        )
        for each in groups.assign(sized(then), live)
    )
    found = planned(before, examples.stack(sized(then), assigned=wanted), sized(then), wanted)
    assert set(found.leaving) == set(named)
    assert len(found.joining) == max(0, then - now)
    for change in found.changes:
        if change.action is not Action.KEEP:
            assert change.node in {*found.leaving, *found.joining}
    assert not {groups.index_of(node, "demo", "compute") for node in found.joining} & removed


def test_a_change_goes_through_everything_that_refers_to_what_is_replaced() -> None:
    platform = examples.platform()
    moved = replace(examples.NEW, pods=Place(IPv4Network("10.21.0.0/16")))
    found = planned(
        examples.stack(platform), examples.stack(platform, moved), platform, groups.assign(platform)
    )
    assert touched(found) == {
        "pod_subnet": Action.REPLACE,
        "pod_subnet_interface": Action.REPLACE,
        "node-secgrp": Action.CHANGE,
    }


def test_another_image_replaces_servers_and_says_so() -> None:
    def with_image(image: str) -> Platform:
        return examples.platform(examples.pool("master"), examples.pool("compute", image=image))

    found = planned(
        examples.stack(with_image("old")),
        examples.stack(with_image("new")),
        with_image("new"),
        groups.assign(with_image("new")),
    )
    assert touched(found)["compute_nodes/demo-compute-0/server"] is Action.REPLACE
    assert [change.node for change in found.replaced_servers()] == ["demo-compute-0"]
    assert "image: old -> new" in found.replaced_servers()[0].reason


def test_what_failed_is_made_again_and_what_never_was_is_created() -> None:
    platform = examples.platform(
        examples.pool("master"), examples.pool("compute", count=2, containerStorage={"size": 5})
    )
    resources = evaluated(examples.stack(platform))
    status: Mapping[Path, Status] = {
        ("compute_nodes", "0", "volume"): Status(exists=True, failure="no room"),
        ("compute_nodes", "1", "server"): Status(exists=False),
        ("compute_nodes", "7", "port"): Status(exists=True, type="OS::Neutron::Port"),
    }
    found = plan.make(
        plan.diff(resources, resources, updatable=UPDATABLE, status=status),
        "demo",
        groups.assign(platform),
        template.live_groups(examples.stack(platform).parameters),
    )
    by_name = {change.name: change for change in found.changes}
    assert by_name["compute_nodes/demo-compute-0/volume"].action is Action.REPLACE
    assert "no room" in by_name["compute_nodes/demo-compute-0/volume"].reason
    assert by_name["compute_nodes/demo-compute-1/server"].action is Action.CREATE
    assert by_name["compute_nodes/demo-compute-7/port"].action is Action.DELETE
    assert found.joining == ("demo-compute-1",)


def test_a_plan_for_machines_leaves_out_what_stays() -> None:
    platform = examples.platform()
    after = evaluated(examples.stack(platform))
    data = plan.as_data(plan.make(plan.diff(after, after, updatable={}), "demo", groups.assign(platform), {}))
    assert data["empty"] is True
    assert data["changes"] == []
    assert data["counts"]["keep"] == len(after)


def test_the_first_pool_of_a_role_keeps_the_plain_name_whatever_the_order() -> None:
    first = examples.platform(examples.pool("master"), examples.pool("compute"))
    assert [each.name for each in groups.assign(first)] == ["masters", "compute_nodes"]
    live = template.live_groups(examples.stack(first).parameters)
    second = examples.platform(
        examples.pool("compute", "gpu"), examples.pool("compute"), examples.pool("master")
    )
    names = {each.pool.name: each.name for each in groups.assign(second, live)}
    assert names == {"gpu": "compute_nodes_gpu", "compute": "compute_nodes", "master": "masters"}


def test_cordoned_nodes_go_before_new_ones() -> None:
    group = groups.assign(examples.platform())[2]
    live = LiveGroup("compute", 4, frozenset())
    assert groups.choose_removals("demo", group, live) == (2, 3)
    assert groups.choose_removals("demo", group, live, cordoned=["demo-compute-0"]) == (0, 3)
    assert groups.choose_removals("demo", group, live, named=["demo-compute-1"]) == (1, 3)


def test_no_node_is_removed_that_the_count_still_wants() -> None:
    group = groups.assign(examples.platform())[2]
    with pytest.raises(Problem, match="Set its count to 1"):
        groups.choose_removals("demo", group, LiveGroup("compute", 2, frozenset()), named=["demo-compute-1"])


def test_unknown_nodes_and_fewer_masters_are_refused() -> None:
    platform = examples.platform()
    live = template.live_groups(examples.stack(platform).parameters)
    with pytest.raises(Problem, match="has no such node"):
        groups.check_removals(platform, groups.assign(platform, live), live, ["demo-compute-9"])
    three = {**live, "masters": LiveGroup("master", 3, frozenset())}
    with pytest.raises(Problem, match="members of etcd"):
        groups.check_removals(platform, groups.assign(platform, three), three, [])
