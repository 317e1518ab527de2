"""Informers: one list and one watch for all who follow a resource, and none for what nobody asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from tests.models.feeds import Feed

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.informers import Informers, services_of
from causeway.kube.objects import SERVICE_OF_SLICE, Cached, EndpointSlice, Meta, Pod, PodSpec
from causeway.kube.resource import PODS, Resource
from causeway.kube.store import Change

Run = Callable[[Coroutine[Any, Any, None]], None]


class Counted(Feed[Any]):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def list(self) -> Listing[Any]:
        self.asked.append("list")
        return await super().list()

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Any]]:
        self.asked.append("watch")
        async for event in super().watch(resource_version):
            yield event


def of(feeds: dict[Resource, Counted]) -> Informers:
    def source(
        resource: Resource, of: type[Cached], *, labels: str | None = None, fields: str | None = None
    ) -> Counted:
        return feeds.setdefault(resource, Counted())

    return Informers(source)


def pod(name: str, node: str = "w1") -> Pod:
    return Pod(Meta(name, "shop", f"uid-{name}"), PodSpec(node))


def test_all_who_follow_a_resource_share_one_list_and_one_watch(in_virtual_time: Run) -> None:
    async def main() -> None:
        feed = Counted()
        feeds = {PODS: feed}
        informers = of(feeds)
        told: dict[str, list[str]] = {"early": [], "too": [], "late": []}

        def telling(who: str) -> Callable[[Change[Pod]], None]:
            return lambda change: told[who].append(change.key)

        informers.pods.follow(telling("early"))
        informers.pods.follow(telling("too"))
        feed.put(pod("a"))
        task = asyncio.create_task(informers.run())
        await informers.pods.synced.wait()
        informers.pods.follow(telling("late"))
        feed.put(pod("b", "w2"))
        await asyncio.sleep(1)
        assert told == {who: ["shop/a", "shop/b"] for who in told}
        assert feed.asked == ["list", "watch"]
        assert [*feeds] == [PODS]
        found = informers.pods.store
        assert [each.metadata.name for each in found.by("node", "w2")] == ["b"]
        assert [each.metadata.name for each in found.by("uid", "uid-a")] == ["a"]
        assert len(found.by("namespace", "shop")) == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    in_virtual_time(main())


def test_a_slice_is_of_the_service_its_label_names() -> None:
    labels = {SERVICE_OF_SLICE: "web"}
    assert services_of(EndpointSlice(Meta("web-x", "shop", labels=labels))) == ["shop/web"]
    assert services_of(EndpointSlice(Meta("other", "shop"))) == []
