"""The controller gives pods their ports on a real Neutron, from a real API, and survives being killed."""

import time
from typing import TYPE_CHECKING, Any

from causeway.kube.resource import EVENTS, PODS

if TYPE_CHECKING:
    from tests.integration.pods.conftest import Seen, Stage

PODS_MADE = 20


def check(stage: "Stage", seen: "Seen", pods: dict[str, str]) -> None:
    """Assert that exactly ``pods`` (nodes by uid) have ports, subports and PodPorts, and all of it fits."""
    tenant = stage.tenant
    owners = {port.id: port.owner.uid for port in seen.ports.values() if port.owner}
    assert sorted(owners.values()) == sorted(pods)
    subports = seen.subports()
    assert subports.pop(tenant.foreign.id) == ("w1", 1)
    assert {port_id: subports[port_id][0] for port_id in subports} == {
        port_id: pods[uid] for port_id, uid in owners.items()
    }
    assert len(set(subports.values())) == len(pods)
    assert set(seen.pod_ports) == set(pods)
    for uid, pod_port in seen.pod_ports.items():
        spec, port = pod_port.spec, seen.ports[pod_port.spec.port_id]
        assert owners[port.id] == uid
        assert port.name == f"{stage.namespace}/{pod_port.metadata.name}"
        assert (spec.node, spec.segmentation_id) == subports[port.id]
        assert pod_port.metadata.labels == {"causeway.dev/node": spec.node}
        assert [owner.uid for owner in pod_port.metadata.owner_references] == [uid]
        assert spec.mac_address == port.mac_address
        (address,) = spec.fixed_ips
        assert address.ip_address == port.fixed_ips[0].ip_address
        assert (address.prefix_length, address.gateway) == (16, "10.20.0.1")
        assert spec.mtu == tenant.nets["pods"].mtu


async def test_twenty_pods_come_and_go_with_few_calls(stage: "Stage", record_property: Any) -> None:
    stage.controller.start()

    async def at_work() -> bool:
        return bool(stage.controller.calls()["GET /v2.0/trunks"])

    await stage.come(at_work)
    before = stage.controller.calls()
    started = time.monotonic()
    pods = await stage.add_pods(PODS_MADE)
    seen = await stage.until(lambda seen: len(seen.pod_ports) == PODS_MADE)
    made_in = time.monotonic() - started
    check(stage, seen, pods)
    made_by = stage.controller.calls() - before

    before = stage.controller.calls()
    started = time.monotonic()
    await stage.drop_pods([f"pod-{number}" for number in range(PODS_MADE)])
    seen = await stage.until(lambda seen: not seen.ports and not seen.pod_ports)
    gone_in = time.monotonic() - started
    check(stage, seen, {})
    gone_by = stage.controller.calls() - before
    memory = stage.controller.memory()
    assert stage.controller.stop() == 0

    for name, value in (
        ("seconds to make", round(made_in, 1)),
        ("calls to make", dict(made_by)),
        ("seconds to remove", round(gone_in, 1)),
        ("calls to remove", dict(gone_by)),
        ("MiB of memory", memory),
    ):
        record_property(name, value)
        print(f"{name}: {value}")
    writes = {call: count for call, count in made_by.items() if not call.startswith("GET")}
    assert sum(writes.values()) <= PODS_MADE / 2  # kuryr makes seven calls for each pod
    assert sum(count for call, count in gone_by.items() if not call.startswith("GET")) <= 1.5 * PODS_MADE
    assert "password" not in stage.controller.log


async def test_killed_at_any_moment_it_converges_with_nothing_doubled_or_left(stage: "Stage") -> None:
    controller = stage.controller
    controller.start()
    pods = await stage.add_pods(PODS_MADE)
    await stage.until(lambda seen: bool(seen.ports))  # the first ports are there, the rest is under way
    controller.kill()
    controller.start()
    await stage.until(lambda seen: bool(seen.pod_ports))
    controller.kill()
    controller.start()
    wanted = set(pods)
    seen = await stage.until(lambda seen: set(seen.pod_ports) == wanted and len(seen.ports) == PODS_MADE)
    check(stage, seen, pods)

    half = [f"pod-{number}" for number in range(0, PODS_MADE, 2)]
    await stage.drop_pods(half)
    await stage.until(lambda seen: len(seen.ports) < PODS_MADE)
    controller.kill()
    rest = [f"pod-{number}" for number in range(1, PODS_MADE, 2)]
    await stage.drop_pods(rest)  # nobody sees them go
    controller.start()
    seen = await stage.until(lambda seen: not seen.ports and not seen.pod_ports)
    check(stage, seen, {})
    assert controller.stop() == 0


async def test_a_used_up_quota_is_told_on_the_pod_and_heals(stage: "Stage") -> None:
    network, project = stage.tenant.admin.network, stage.tenant.project.id
    there = len(list(stage.tenant.connection.network.ports()))
    network.update_quota(project, ports=there + 2)
    stage.controller.start()
    pods = await stage.add_pods(4)

    async def told() -> list[str]:
        events = await stage.client.list(EVENTS, stage.namespace)
        return [event["note"] for event in events.items if event["reason"] == "Quota"]

    notes = await stage.come(told)
    assert "Quota exceeded" in notes[0]
    assert "higher quota" in notes[0]
    await stage.until(lambda seen: len(seen.pod_ports) == 2)
    network.update_quota(project, ports=-1)
    check(stage, await stage.until(lambda seen: len(seen.pod_ports) == 4), pods)
    await stage.client.patch(
        PODS, "pod-0", {"status": {"phase": "Succeeded"}}, stage.namespace, subresource="status"
    )
    await stage.until(lambda seen: len(seen.ports) == 3 and len(seen.pod_ports) == 3)
    await stage.drop_pods([f"pod-{number}" for number in range(4)])
    check(stage, await stage.until(lambda seen: not seen.ports and not seen.pod_ports), {})
    assert stage.controller.stop() == 0
