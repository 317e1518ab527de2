"""Events: said once, counted after."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from causeway.kube.errors import Object, Unavailable
from causeway.kube.events import Recorder
from causeway.kube.objects import Meta
from causeway.kube.resource import NODES, PODS, Resource

Run = Callable[[Coroutine[Any, Any, Any]], Any]
POD = Meta(name="front", namespace="shop", uid="u1")


class Api:
    def __init__(self) -> None:
        self.created: list[tuple[str | None, Object]] = []
        self.patched: list[tuple[str, Object]] = []
        self.down = False

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        if self.down:
            raise Unavailable("events", "down")
        self.created.append((namespace, body))
        return body

    async def patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None
    ) -> Object:
        self.patched.append((name, body))
        return body


async def fail(recorder: Recorder, note: str = "no address is left", about: Meta = POD) -> None:
    await recorder.record(PODS, about, reason="PortNotCreated", note=note, action="Connecting")


def test_what_repeats_is_one_event_that_counts_at_most_once_a_minute(in_virtual_time: Run) -> None:
    async def main() -> None:
        api = Api()
        recorder = Recorder(api, "controller")
        for _ in range(100):
            await fail(recorder)
            await asyncio.sleep(5)
        assert len(api.created) == 1
        assert 7 <= len(api.patched) <= 9
        assert api.patched[-1][0] == api.created[0][1]["metadata"]["name"]
        assert api.patched[-1][1]["series"]["count"] > 80
        await asyncio.sleep(600)
        await fail(recorder)
        assert len(api.created) == 2

    in_virtual_time(main())


def test_an_event_names_its_object_and_fits_the_api(in_virtual_time: Run) -> None:
    async def main() -> None:
        api = Api()
        recorder = Recorder(api, "controller")
        await fail(recorder, "ü" * 2000)
        namespace, body = api.created[0]
        assert namespace == "shop"
        assert body["regarding"] == {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "front",
            "namespace": "shop",
            "uid": "u1",
        }
        assert len(body["note"].encode()) <= 1024
        await recorder.record(
            NODES, Meta(name="w1", uid="n"), reason="R", note="n", action="A", type="Normal"
        )
        assert api.created[1][0] == "default"

    in_virtual_time(main())


def test_an_api_that_fails_does_not_fail_the_work(in_virtual_time: Run) -> None:
    async def main() -> None:
        api = Api()
        api.down = True
        await fail(Recorder(api, "controller"))

    in_virtual_time(main())
