"""The controller keeps ports ready on a real Neutron, by a real API, and survives being killed."""

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.pods.checks import check, settled

from causeway.kube.errors import Forbidden
from causeway.kube.objects import PortPool
from causeway.kube.resource import NETWORK_POLICIES, PORT_POOLS

if TYPE_CHECKING:
    from tests.integration.pods.stage import Seen, Stage

PODS_MADE = 20


def named(stage: "Stage", seen: "Seen") -> bool:
    """Say whether the cloud shows whose every port is."""
    return all(
        seen.ports[port_id].name == f"{stage.namespace}/{claim.name}"
        for port_id, claim in seen.claims().items()
    )


async def test_pods_get_ready_ports_and_the_cloud_hardly_notices(
    stage: "Stage", record_property: Any
) -> None:
    stage.controller.start()
    seen = await stage.until(lambda seen: settled(stage, seen, 0))
    check(stage, seen, {})
    pool = seen.pools["w1"]
    assert [owner.kind for owner in pool.metadata.owner_references] == ["Node"]
    before = stage.controller.calls()
    started = time.monotonic()
    pods = await stage.add_pods(PODS_MADE)
    came_in = time.monotonic() - started
    seen = await stage.until(lambda seen: len(seen.claims()) == PODS_MADE)
    made_in = time.monotonic() - started
    seen = await stage.until(lambda seen: settled(stage, seen, PODS_MADE) and named(stage, seen))
    check(stage, seen, pods)
    made_by = stage.controller.calls() - before

    before = stage.controller.calls()
    await stage.drop_pods([f"pod-{number}" for number in range(PODS_MADE)])
    seen = await stage.until(lambda seen: settled(stage, seen, 0))
    check(stage, seen, {})
    pods = await stage.add_pods(8)  # of what those before left
    started = time.monotonic()
    await stage.until(lambda seen: len(seen.claims()) == 8)
    warm_in = time.monotonic() - started
    memory = stage.controller.memory()
    await stage.drop_pods([f"pod-{number}" for number in range(8)])
    await stage.until(lambda seen: not seen.claims())
    assert stage.controller.stop() == 0

    for name, value in (
        ("seconds for 20 pods, 8 ports ready", round(made_in, 1)),
        ("calls for 20 pods", dict(made_by)),
        ("seconds for 8 pods, all ready", round(warm_in, 1)),
        ("MiB of memory", memory),
    ):
        record_property(name, value)
        print(f"{name}: {value}")
    writes = {
        call: count for call, count in made_by.items() if not call.startswith(("GET", "PUT /v2.0/ports"))
    }
    # Those that come at once share calls; on a machine that stands still they come one after another.
    assert sum(writes.values()) <= PODS_MADE / 2 + 10 * came_in
    assert "password" not in stage.controller.log


async def test_killed_at_any_moment_it_converges_with_nothing_doubled_or_left(stage: "Stage") -> None:
    controller = stage.controller
    controller.start()
    pods = await stage.add_pods(PODS_MADE)
    await stage.until(lambda seen: bool(seen.ports))  # the first ports are there, the rest is under way
    controller.kill()
    controller.start()
    await stage.until(lambda seen: len(seen.claims()) >= PODS_MADE / 4)
    controller.kill()
    controller.start()
    check(stage, await stage.until(lambda seen: settled(stage, seen, PODS_MADE)), pods)

    half = [f"pod-{number}" for number in range(0, PODS_MADE, 2)]
    await stage.drop_pods(half)
    controller.kill()
    rest = [f"pod-{number}" for number in range(1, PODS_MADE, 2)]
    await stage.drop_pods(rest)  # nobody sees them go
    await stage.client.delete(PORT_POOLS, "w1", None)  # nor this
    controller.start()
    check(stage, await stage.until(lambda seen: settled(stage, seen, 0)), {})
    assert controller.stop() == 0


async def test_a_pod_a_policy_selects_gets_a_port_of_its_own(stage: "Stage") -> None:
    stage.controller.start()
    policy = {"metadata": {"name": "deny"}, "spec": {"podSelector": {"matchLabels": {"app": "web"}}}}
    await stage.client.create(NETWORK_POLICIES, policy, stage.namespace)
    await stage.known("deny")
    pods = await stage.add_pods(2, {"app": "web"})
    seen = await stage.until(lambda seen: len(seen.claims()) == 2)
    own = {entry.pod_uid for _, entry in seen.entries().values() if entry.pod_uid}
    assert own == set(pods)
    assert {owner.uid for port in seen.ports.values() if (owner := port.owner) and owner.uid} == own
    # The policy is about what comes in: its own group, what goes out, and the pod's node.
    names = group_names(stage)
    deny, out = f"{stage.namespace}/deny", "open egress"
    expected = {uid: {deny, out, f"node {node}"} for uid, node in pods.items()}
    assert groups_of(seen, names) == expected

    await stage.client.delete(NETWORK_POLICIES, "deny", stage.namespace)
    await stage.until(lambda seen: set(map(tuple, groups_of(seen, names).values())) == {("pods",)})

    async def gone() -> bool:
        return group_names(stage).keys() <= {stage.tenant.group.id, *others(stage)}

    await stage.come(gone)
    await stage.drop_pods(["pod-0", "pod-1"])
    seen = await stage.until(lambda seen: settled(stage, seen, 0))
    assert not any(entry.pod_uid for _, entry in seen.entries().values())  # it is nobody else's
    assert stage.controller.stop() == 0


def group_names(stage: "Stage") -> dict[str, str]:
    found = stage.tenant.connection.network.security_groups(project_id=stage.tenant.project.id)
    return {group.id: group.name for group in found}


def others(stage: "Stage") -> set[str]:
    return {group for group, name in group_names(stage).items() if name == "default"}


def groups_of(seen: "Seen", names: dict[str, str]) -> dict[str, set[str]]:
    """The groups of the ports that are made for a pod alone, by the pod's uid."""
    return {
        entry.pod_uid: {names[each] for each in seen.ports[port_id].security_groups}
        for port_id, (_, entry) in seen.entries().items()
        if entry.pod_uid
    }


async def test_a_node_writes_the_status_of_its_own_pool_alone(stage: "Stage") -> None:
    client = stage.client
    for name in ("w1", "other"):
        kind = {"apiVersion": PORT_POOLS.api_version, "kind": PORT_POOLS.kind}
        await client.apply(kind | {"metadata": {"name": name}}, manager="test")
    async with stage.as_node_daemon("w1") as daemon:
        body = {"status": {"observedGeneration": 7}}
        await daemon.patch(PORT_POOLS, "w1", body, subresource="status")
        pool = await client.get(PORT_POOLS, "w1", of=PortPool)
        assert pool.status.observed_generation == 7

        async def refused() -> bool:
            try:
                await daemon.patch(PORT_POOLS, "other", body, subresource="status")
            except Forbidden as refusal:
                return "of its own node alone" in str(refusal)
            return False  # a new admission policy is in force a moment later

        await stage.come(refused)
        with pytest.raises(Forbidden):
            await daemon.patch(PORT_POOLS, "w1", {"spec": {"ports": []}})
    for name in ("w1", "other"):
        await client.delete(PORT_POOLS, name, None)
