"""Groups, rules and address groups in the real Neutron: few calls, full quotas, nothing left."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from causeway.cloud.neutron import Neutron
from causeway.kube.resource import EVENTS, PODS
from causeway.rooms.policies.explain import explain, gather
from causeway.rooms.policies.model import GROUP_KINDS, PEERS

if TYPE_CHECKING:
    from tests.integration.policies.conftest import Stage

WEB = {"matchLabels": {"app": "web"}}
CLIENT = {"matchLabels": {"app": "client"}}


def writes(stage: "Stage") -> Counter[str]:
    calls = {verb: count for (_, verb), count in stage.cloud.calls.items() if not verb.startswith("GET")}
    return Counter(calls)


async def test_churn_of_pods_is_one_call_and_nothing_is_left_in_the_end(
    stage: "Stage", monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.apply(
        "web", podSelector=WEB, ingress=[{"from": [{"podSelector": CLIENT}], "ports": [{"port": 80}]}]
    )
    await stage.expect({("client", "web1", "TCP", 80): True, ("client", "web1", "TCP", 8080): False})
    await stage.settle()
    before = writes(stage)
    send, known_of = stage.cloud.call, asyncio.Event()

    async def slow(service: str, method: str, path: str, **more: Any) -> bytes:
        if path.endswith("/add_addresses"):  # they come while the first call is under way, however fast it is
            await known_of.wait()
        return await send(service, method, path, **more)

    monkeypatch.setattr(stage.cloud, "call", slow)
    # Of addresses Neutron gives nobody: one that "client" has already would count once.
    coming = (stage.add_pod(f"more{number}", "a", "client", 80, f"10.20.1.{number}") for number in range(10))
    await asyncio.gather(*coming)
    peers = stage.groups.list_address_groups
    names = [f"more{number}" for number in range(10)]

    async def seen() -> bool:
        pods = [stage.informers.pods.store.get(f"{stage.namespace('a')}/{name}") for name in names]
        return all(pod is not None and pod.status.pod_ips for pod in pods)

    await stage.come(seen)
    known_of.set()

    async def known() -> bool:
        found = await peers(stage.cluster, PEERS)
        return len(found) == 1 and len(found[0].addresses) == 11

    await stage.come(known)
    made = writes(stage) - before
    # As many calls as the first ones take time, not one for each pod.
    assert set(made) == {"PUT /v2.0/address-groups/{}/add_addresses"}
    assert made.total() < 10

    told = explain(
        await gather(
            stage.kube,
            stage.groups,
            Neutron(stage.cloud),
            cluster=stage.cluster,
            services=("172.30.0.0/17",),
            namespace=stage.namespace("a"),
            name="web",
            controller=None,
        )
    )
    assert told.desired["for pods"] == ["web1", "web2"]
    assert (told.remaining, told.causes) == ((), ())

    deletions = (stage.kube.delete(PODS, name, stage.namespace("a"), grace_seconds=0) for name in names)
    await asyncio.gather(*deletions)
    await stage.withdraw("web")
    await stage.expect({("stranger", "web1", "TCP", 80): True})

    async def gone() -> bool:
        groups = await stage.groups.list_groups(stage.cluster, *GROUP_KINDS)
        return not groups and not await peers(stage.cluster, PEERS)

    await stage.come(gone)


async def test_a_used_up_quota_is_told_and_heals(stage: "Stage") -> None:
    quota = stage.site.project.admin.network
    project_id = stage.site.project.id
    used = quota.get_quota(project_id, details=True).security_group_rules["used"]
    ports = [{"port": port} for port in range(8000, 8010)]
    quota.update_quota(project_id, security_group_rules=used + 12)
    try:
        await stage.apply("web", podSelector=WEB, ingress=[{"ports": ports}])

        async def told() -> bool:
            found = await stage.kube.list(EVENTS, stage.namespace("a"))
            notes = [event["note"] for event in found.items if event["reason"] == "Quota"]
            return any("not wholly in effect" in note and "higher quota" in note for note in notes)

        await stage.come(told)
        await stage.expect({("client", "web1", "TCP", 80): False, ("n1", "web1", "TCP", 80): True})
    finally:
        quota.update_quota(project_id, security_group_rules=1000)
    await stage.apply("web", podSelector=WEB, ingress=[{"ports": [*ports, {"port": 8443}]}])
    await stage.expect({("client", "web1", "TCP", 8443): True})
