"""What the real Neutron refuses is told on pods and pools of ports, and heals when there is room again."""

from typing import TYPE_CHECKING, Any

from tests.integration.pods.checks import at_rest, settled

from causeway.kube.resource import EVENTS, NETWORK_POLICIES, PODS

if TYPE_CHECKING:
    from tests.integration.pods.stage import Seen, Stage

WEB = {"app": "web"}


async def told(stage: "Stage", reason: str, kind: str = "Pod") -> dict[str, str]:
    """Return the notes of the Events for that reason, by the name of what they are about."""

    async def look() -> dict[str, str]:
        events = (await stage.client.list(EVENTS, stage.namespace)).items
        return {
            event["regarding"]["name"]: event["note"]
            for event in events
            if (event["reason"], event["regarding"]["kind"]) == (reason, kind)
        }

    found: dict[str, str] = await stage.come(look)
    return found


def false(seen: "Seen") -> set[tuple[str, str]]:
    """Return type and reason of the conditions that do not hold."""
    conditions = [one for pool in seen.pools.values() for one in pool.status.conditions]
    return {(one.type, one.reason) for one in conditions if one.status == "False"}


def served(seen: "Seen", pods: dict[str, str]) -> bool:
    """Say whether ``pods`` (nodes by uid) have a port each."""
    entries = seen.entries()
    return {claim.pod_uid: entries[port_id][0] for port_id, claim in seen.claims().items()} == pods


async def test_a_used_up_quota_is_told_and_heals(stage: "Stage") -> None:
    network, project = stage.tenant.admin.network, stage.tenant.project.id
    stage.controller.start()
    await stage.until(lambda seen: at_rest(stage, seen))
    there = len(list(stage.tenant.connection.network.ports()))
    network.update_quota(project, ports=there)
    ready = sum((await stage.look()).free().values())
    pods = await stage.add_pods(ready + 2)
    (note,) = set((await told(stage, "Quota")).values())
    assert "Quota exceeded" in note
    assert "higher quota" in note
    await stage.until(lambda seen: false(seen) == {("Supplied", "Quota")})
    await stage.until(lambda seen: len(seen.claims()) >= ready)
    network.update_quota(project, ports=-1)
    await stage.until(lambda seen: served(seen, pods) and not false(seen))
    await stage.client.patch(
        PODS, "pod-0", {"status": {"phase": "Succeeded"}}, stage.namespace, subresource="status"
    )
    await stage.until(lambda seen: len(seen.claims()) == ready + 1)
    await stage.drop_pods([f"pod-{number}" for number in range(ready + 2)])
    await stage.until(lambda seen: not seen.claims())
    assert stage.controller.stop() == 0


async def test_a_subnet_without_addresses_is_told_and_heals(stage: "Stage") -> None:
    network, subnet = stage.tenant.connection.network, stage.tenant.subnets["pods"]
    stage.controller.start()
    await stage.until(lambda seen: at_rest(stage, seen))
    before = network.get_subnet(subnet.id).allocation_pools
    network.update_subnet(subnet, allocation_pools=[{"start": "10.20.250.1", "end": "10.20.250.2"}])
    ready = sum((await stage.look()).free().values())
    pods = await stage.add_pods(ready + 4)
    (note,) = set((await told(stage, "NoAddresses")).values())
    assert "No more IP addresses available on network" in note
    assert "add a subnet" in note
    # Reserves go where they lack.
    await stage.until(
        lambda seen: len(seen.claims()) == ready + 2 and false(seen) == {("Supplied", "NoAddresses")}
    )

    network.update_subnet(subnet, allocation_pools=before)
    await stage.until(lambda seen: served(seen, pods) and not false(seen))
    await stage.drop_pods([f"pod-{number}" for number in range(ready + 4)])
    await stage.until(lambda seen: not seen.claims())
    assert stage.controller.stop() == 0


async def test_too_few_security_groups_are_told_on_the_pods_that_wait_and_heal(stage: "Stage") -> None:
    network, project = stage.tenant.admin.network, stage.tenant.project.id
    stage.controller.start()
    await stage.until(lambda seen: settled(stage, seen, 0))
    network.update_quota(project, security_groups=len(list(network.security_groups(project_id=project))))
    await apply_policy(stage, [])
    pods = await stage.add_pods(2, WEB)
    for kind in ("Pod", "NetworkPolicy"):
        notes = await told(stage, "Quota", kind)
        assert all("Quota exceeded for resources: ['security_group']" in note for note in notes.values())
    expected = {("Supplied", "Quota"), ("PoliciesInEffect", "Quota")}
    seen = await stage.until(lambda seen: false(seen) == expected)
    assert not seen.claims(), "no pod starts without what guards it"

    network.update_quota(project, security_groups=-1)
    seen = await stage.until(lambda seen: len(seen.claims()) == 2 and not false(seen))
    assert {entry.pod_uid for _, entry in seen.entries().values() if entry.pod_uid} == set(pods)
    await drop(stage)


async def test_too_few_rules_are_told_on_the_pods_that_run_and_heal(stage: "Stage") -> None:
    network, project = stage.tenant.admin.network, stage.tenant.project.id
    stage.controller.start()
    await apply_policy(stage, [])
    await stage.add_pods(2, WEB)
    await stage.until(lambda seen: len(seen.claims()) == 2 and not false(seen))
    there = len(list(network.security_group_rules(project_id=project)))
    network.update_quota(project, security_group_rules=there)
    await apply_policy(stage, [{"ports": [{"port": 8080}]}])
    (note,) = set((await told(stage, "Quota")).values())
    assert note.startswith(
        f"NetworkPolicy {stage.namespace}/web is not wholly in effect: network: Quota exceeded"
    )
    seen = await stage.until(lambda seen: false(seen) == {("PoliciesInEffect", "Quota")})
    assert len(seen.claims()) == 2, "they run, and more is closed than they ask for"

    network.update_quota(project, security_group_rules=-1)
    await stage.until(lambda seen: not false(seen))
    await drop(stage)


async def apply_policy(stage: "Stage", ingress: list[Any]) -> None:
    body = {
        "apiVersion": NETWORK_POLICIES.api_version,
        "kind": NETWORK_POLICIES.kind,
        "metadata": {"name": "web", "namespace": stage.namespace},
        "spec": {"podSelector": {"matchLabels": WEB}, "policyTypes": ["Ingress"], "ingress": ingress},
    }
    await stage.client.apply(body, manager="test")
    await stage.known("web")


async def drop(stage: "Stage") -> None:
    await stage.client.delete(NETWORK_POLICIES, "web", stage.namespace)
    await stage.drop_pods(["pod-0", "pod-1"])
    await stage.until(lambda seen: settled(stage, seen, 0))
    assert stage.controller.stop() == 0
