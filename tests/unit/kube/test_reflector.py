"""The reflector against a source that misbehaves in every way a real one can."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.errors import ApiError, Gone, Unavailable
from causeway.kube.objects import Meta, Pod
from causeway.kube.reflector import Reflector
from causeway.kube.store import Change, Store

Run = Callable[[Coroutine[Any, Any, Any]], Any]
SILENCE = "silence"


def pod(name: str, version: int, uid: str = "") -> Pod:
    return Pod(Meta(name=name, uid=uid or name, resource_version=str(version)))


def event(kind: Any, name: str, version: int, uid: str = "") -> WatchEvent[Pod]:
    return WatchEvent(kind, None if kind == "BOOKMARK" else pod(name, version, uid), str(version))


class Script:
    """Lists and watches answered in order; after the last one the watch stays silent."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def _next(self, asked: str) -> Any:
        self.asked.append(asked)
        return self.answers.pop(0) if self.answers else [SILENCE]

    async def list(self) -> Listing[Pod]:
        answer = self._next("list")
        if isinstance(answer, ApiError):
            raise answer
        version, *items = answer
        return Listing(items, str(version))

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Pod]]:
        for item in self._next(f"watch {resource_version}"):
            if isinstance(item, ApiError):
                raise item
            if item == SILENCE:
                await asyncio.sleep(1e6)
            yield item


async def reflect(script: Script, seconds: float) -> tuple[Store[Pod], list[Change[Pod]]]:
    store: Store[Pod] = Store()
    reflector = Reflector(script, store, silence=150)
    changes: list[Change[Pod]] = []
    reflector.handlers.append(changes.append)
    task = asyncio.create_task(reflector.run())
    await asyncio.sleep(seconds)
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return store, changes


def names(changes: list[Change[Pod]]) -> list[str]:
    return [
        ("-" if change.new is None else "+" if change.old is None else "~") + change.key for change in changes
    ]


def test_changes_are_told_and_bookmarks_move_the_version_on(in_virtual_time: Run) -> None:
    script = Script(
        (5, pod("a", 3), pod("b", 4)),
        [
            event("MODIFIED", "a", 6),
            event("DELETED", "b", 7),
            event("ADDED", "c", 8),
            event("BOOKMARK", "", 20),
        ],
        [SILENCE],
    )
    store, changes = in_virtual_time(reflect(script, 10))
    assert names(changes) == ["+a", "+b", "~a", "-b", "+c"]
    assert changes[3].old is not None
    assert changes[3].old.metadata.resource_version == "7"  # the last state, as the deletion carried it
    assert script.asked == ["list", "watch 5", "watch 20"]
    assert len(store) == 2


def test_an_expired_version_means_a_new_list_and_no_deletion_is_missed(in_virtual_time: Run) -> None:
    script = Script(
        (5, pod("a", 3), pod("b", 4)),
        [event("ADDED", "c", 6), Gone("watch", "expired")],
        (9, pod("b", 8, "new")),
    )
    _, changes = in_virtual_time(reflect(script, 10))
    assert sorted(names(changes)[3:]) == ["+b", "-a", "-b", "-c"]  # b was deleted and made again meanwhile
    assert script.asked == ["list", "watch 5", "list", "watch 9"]


def test_a_broken_connection_resumes_without_listing_again(in_virtual_time: Run) -> None:
    script = Script((5,), [event("ADDED", "a", 6), Unavailable("watch", "reset")], [event("DELETED", "a", 7)])
    _, changes = in_virtual_time(reflect(script, 60))
    assert names(changes) == ["+a", "-a"]
    assert script.asked[:3] == ["list", "watch 5", "watch 6"]


def test_a_silent_watch_is_broken_off(in_virtual_time: Run) -> None:
    script = Script((5,), [SILENCE], [event("ADDED", "a", 6)])
    _, changes = in_virtual_time(reflect(script, 149))
    assert changes == []
    script = Script((5,), [SILENCE], [event("ADDED", "a", 6)])
    _, changes = in_virtual_time(reflect(script, 160))
    assert names(changes) == ["+a"]


def test_a_source_that_fails_for_hours_is_asked_ever_more_rarely(in_virtual_time: Run) -> None:
    script = Script(*[Unavailable("list", "down")] * 1000)
    in_virtual_time(reflect(script, 3600))
    assert 90 < len(script.asked) < 180  # about every 30 s


def test_watches_that_end_at_once_do_not_spin(in_virtual_time: Run) -> None:
    script = Script((5,), *[[]] * 10_000)
    in_virtual_time(reflect(script, 600))
    assert len(script.asked) < 60


def test_the_deletion_of_a_predecessor_does_not_remove_its_successor(in_virtual_time: Run) -> None:
    script = Script((5, pod("a", 5, "new")), [event("DELETED", "a", 6, "old")])
    store, changes = in_virtual_time(reflect(script, 10))
    assert names(changes) == ["+a"]
    assert len(store) == 1
