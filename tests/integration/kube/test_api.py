"""The Kubernetes door against a real API server."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.kube_api import KubeApi
from tests.ports import free_port

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound, Object, TooManyRequests
from causeway.kube.events import Recorder
from causeway.kube.lease import Election
from causeway.kube.objects import Meta, Pod, Service
from causeway.kube.reflector import ApiSource, Reflector
from causeway.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
)
from causeway.kube.store import Change, Store

DEADLINE = 240.0  # seconds any single condition may take on a busy machine


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[Client]:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        await asyncio.sleep(0.05)


async def namespace(client: Client, name: str) -> str:
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


def pod(name: str, node: str | None = None) -> Object:
    spec: Object = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def test_objects_are_made_read_changed_and_deleted(client: Client) -> None:
    where = await namespace(client, "verbs")
    await client.create(PODS, pod("front", "w1"), where)
    with pytest.raises(AlreadyExists):
        await client.create(PODS, pod("front"), where)
    found = await client.get(PODS, "front", where, of=Pod)
    assert found.spec.node_name == "w1"
    await client.patch(PODS, "front", {"metadata": {"labels": {"a": "b"}}}, where)
    await client.patch(PODS, "front", {"status": {"phase": "Failed"}}, where, subresource="status")
    listed = await client.list(
        PODS, where, of=Pod, fields="spec.nodeName!=,spec.hostNetwork=false", labels="a"
    )
    assert [item.status.phase for item in listed.items] == ["Failed"]
    assert not await client.delete(PODS, "front", where, version="1", grace_seconds=0)  # it has changed
    assert await client.delete(PODS, "front", where, uid=found.metadata.uid, grace_seconds=0)
    assert not await client.delete(PODS, "front", where)
    with pytest.raises(NotFound, match="front"):
        await client.get(PODS, "front", where)
    with pytest.raises(Invalid):
        await client.create(PODS, pod("Not A Name"), where)


async def test_apply_creates_changes_and_minds_other_managers(client: Client) -> None:
    where = await namespace(client, "apply")
    meta = {"name": "config", "namespace": where}
    mine: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1", "b": "1"}}
    await client.apply(mine, manager="one")
    await client.apply({**mine, "data": {"a": "2"}}, manager="one")
    assert (await client.get(CONFIG_MAPS, "config", where))["data"] == {"a": "2"}
    with pytest.raises(Conflict, match="conflict"):
        await client.apply({**mine, "data": {"a": "3"}}, manager="two", force=False)
    await client.apply({**mine, "data": {"a": "3"}}, manager="two")
    stale = await client.get(CONFIG_MAPS, "config", where)
    await client.replace(CONFIG_MAPS, {**stale, "data": {}})
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, {**stale, "data": {"x": "y"}})


async def test_the_manifests_of_the_platform_are_accepted(client: Client) -> None:
    folder = Path(__file__).parents[3] / "src" / "causeway" / "deploy"
    for file in ("10-portpools.yaml", "20-access.yaml"):
        for manifest in yaml.safe_load_all((folder / file).read_text()):
            await client.apply(manifest, manager="causeway")


async def test_a_deployment_is_scaled(client: Client) -> None:
    where = await namespace(client, "scale")
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod("x")["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    await client.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec}, where)
    await client.scale(DEPLOYMENTS, "web", where, 3)
    assert (await client.get(DEPLOYMENTS, "web", where, subresource="scale"))["spec"]["replicas"] == 3


async def test_an_eviction_is_held_back_by_a_disruption_budget(client: Client) -> None:
    where = await namespace(client, "evict")
    body = pod("front", "w1")
    body["metadata"]["labels"] = {"app": "a"}
    await client.create(PODS, body, where)
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await client.patch(PODS, "front", {"status": running}, where, subresource="status")
    budget = {
        "metadata": {"name": "b"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}},
    }
    await client.create(POD_DISRUPTION_BUDGETS, budget, where)
    with pytest.raises(TooManyRequests):
        await client.evict("front", where)
    await client.delete(POD_DISRUPTION_BUDGETS, "b", where)
    assert await client.evict("front", where, grace_seconds=0)
    await client.delete(PODS, "front", where, grace_seconds=0)
    assert not await client.evict("front", where)


async def test_a_long_list_comes_in_pages(client: Client) -> None:
    where = await namespace(client, "pages")
    bodies = [{"metadata": {"name": f"c{number}"}} for number in range(1100)]
    for start in range(0, len(bodies), 10):
        await asyncio.gather(
            *(client.create(CONFIG_MAPS, body, where) for body in bodies[start : start + 10])
        )
    listed = await client.list(CONFIG_MAPS, where)
    assert len({item["metadata"]["name"] for item in listed.items}) == 1100


async def test_services_and_special_names_are_read_as_the_api_writes_them(client: Client) -> None:
    where = await namespace(client, "services")
    ports = [
        {"name": "http", "port": 80, "targetPort": "web"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    spec = {"ports": ports, "selector": {"a": "b"}, "externalIPs": ["1.2.3.4"], "type": "LoadBalancer"}
    await client.create(SERVICES, {"metadata": {"name": "s"}, "spec": spec}, where)
    found = await client.get(SERVICES, "s", where, of=Service)
    assert found.spec.cluster_ip.startswith("172.30.")
    assert found.spec.cluster_ips == (found.spec.cluster_ip,)
    assert found.spec.external_ips == ("1.2.3.4",)
    assert [port.target_port for port in found.spec.ports] == ["web", 53]


async def test_a_watch_is_ended_by_the_server_in_time(client: Client) -> None:
    listed = await client.list(NODES, of=Pod)
    version = listed.resource_version
    started = time.monotonic()
    async for event in client.watch(NODES, of=Pod, resource_version=version, seconds=2):
        assert event.type == "BOOKMARK"
    assert 1 < time.monotonic() - started < 100  # far from where the client would lose its patience


@contextlib.asynccontextmanager
async def reflecting(client: Client, where: str) -> AsyncIterator[tuple[Reflector[Pod], list[Change[Pod]]]]:
    store: Store[Pod] = Store()
    reflector = Reflector(ApiSource(client, PODS, Pod, namespace=where), store)
    changes: list[Change[Pod]] = []
    reflector.handlers.append(changes.append)
    task = asyncio.create_task(reflector.run())
    try:
        yield reflector, changes
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_reflector_follows_the_api(client: Client) -> None:
    where = await namespace(client, "follow")
    await client.create(PODS, pod("before"), where)
    async with reflecting(client, where) as (reflector, changes):
        await asyncio.wait_for(reflector.synced.wait(), DEADLINE)
        assert reflector.store.get(f"{where}/before") is not None
        await client.create(PODS, pod("during", "w1"), where)
        await until(lambda: reflector.store.get(f"{where}/during") is not None)
        await client.patch(PODS, "during", {"metadata": {"labels": {"a": "b"}}}, where)
        await until(lambda: any(change.old and change.new for change in changes))
        await client.delete(PODS, "during", where, grace_seconds=0)
        await until(lambda: reflector.store.get(f"{where}/during") is None)
        assert changes[-1].new is None


async def test_a_deletion_while_the_api_was_away_is_not_missed(client: Client, kube_api: KubeApi) -> None:
    where = await namespace(client, "away")
    for name in ("stays", "goes", "changes"):
        await client.create(PODS, pod(name, "w1"), where)
    async with reflecting(client, where) as (reflector, changes):
        await asyncio.wait_for(reflector.synced.wait(), DEADLINE)
        kube_api.server.end()
        access = from_kubeconfig(kube_api.kubeconfig)
        port = free_port()
        other = kube_api.another(port)
        other.start()
        async with Client(dataclasses.replace(access, server=f"https://127.0.0.1:{port}")) as elsewhere:
            await elsewhere.delete(PODS, "goes", where, grace_seconds=0)
            await elsewhere.delete(PODS, "changes", where, grace_seconds=0)
            await elsewhere.create(PODS, pod("changes", "w2"), where)
            await elsewhere.create(PODS, pod("comes", "w1"), where)
        other.end()
        assert len(changes) == 3
        kube_api.server.start()

        def said() -> list[tuple[str, bool, bool]]:
            later = changes[3:]
            return [(change.key.partition("/")[2], bool(change.old), bool(change.new)) for change in later]

        wanted = {
            ("goes", True, False),
            ("changes", True, False),
            ("changes", False, True),
            ("comes", False, True),
        }
        await until(lambda: {*said()} >= wanted)  # one after another, with pauses
        assert {*said()} == wanted
        assert said().index(("changes", True, False)) < said().index(("changes", False, True))
    with pytest.raises(Gone):  # which is what the reflector was told
        async for _ in client.watch(PODS, of=Pod, resource_version="1"):
            pass


async def test_one_of_two_leads_and_the_other_follows(client: Client) -> None:
    leading: list[str] = []

    def candidate(who: str) -> "asyncio.Task[None]":
        async def work() -> None:
            leading.append(who)
            await asyncio.Event().wait()

        return asyncio.create_task(
            Election(client, "test", "default", who, duration=60, retry=0.2).lead(work)
        )

    one = candidate("one")
    await until(lambda: leading == ["one"])
    two = candidate("two")
    one.cancel()
    await until(lambda: leading == ["one", "two"])
    lease = await client.get(LEASES, "test", "default")
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 1
    two.cancel()
    await asyncio.gather(one, two, return_exceptions=True)
    assert (await client.get(LEASES, "test", "default"))["spec"]["holderIdentity"] == ""


async def test_events_are_accepted_and_counted(client: Client, monkeypatch: Any) -> None:
    where = await namespace(client, "events")
    made = await client.create(PODS, pod("front"), where)
    about = Meta(name="front", namespace=where, uid=made["metadata"]["uid"])
    recorder = Recorder(client, "controller")
    monkeypatch.setattr("causeway.kube.events._EVERY", 0.0)
    for _ in range(3):
        await recorder.record(PODS, about, reason="Quota", note="used up", action="Connecting")
    listed = await client.list(EVENTS, where)
    (event,) = listed.items
    assert event["note"] == "used up"
    assert event["series"]["count"] == 3
