"""Elections between candidates that share one record, in virtual time."""

import asyncio
import copy
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from causeway.kube.errors import AlreadyExists, Conflict, NotFound, Object, Unavailable
from causeway.kube.lease import Election, LeaseLost
from causeway.kube.resource import Resource

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class OneLease:
    """The API's record of one lease, with its optimistic lock; ``cut`` names whom it does not answer."""

    def __init__(self) -> None:
        self.lease: Object | None = None
        self.version = 0
        self.cut: set[str] = set()

    def of(self, who: str) -> "Seen":
        return Seen(self, who)


class Seen:
    """The record as one candidate reaches it."""

    def __init__(self, record: OneLease, who: str) -> None:
        self.record = record
        self.who = who

    def _reach(self) -> None:
        if self.who in self.record.cut:
            raise Unavailable("lease", "cut off")

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        self._reach()
        if self.record.lease is None:
            raise NotFound("lease", "none")
        return copy.deepcopy(self.record.lease)

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        self._reach()
        if self.record.lease is not None:
            raise AlreadyExists("lease", "exists")
        return self._store(body)

    async def replace(self, resource: Resource, body: Object) -> Object:
        self._reach()
        if body["metadata"]["resourceVersion"] != str(self.record.version):
            raise Conflict("lease", "changed")
        return self._store(body)

    def _store(self, body: Object) -> Object:
        self.record.version += 1
        self.record.lease = copy.deepcopy(body)
        self.record.lease["metadata"]["resourceVersion"] = str(self.record.version)
        return self.record.lease


class Trial:
    """Two candidates; checks all the time that at most one works."""

    def __init__(self) -> None:
        self.record = OneLease()
        self.working: list[str] = []
        self.log: list[tuple[str, float]] = []

    def start(self, who: str) -> "asyncio.Task[None]":
        election = Election(self.record.of(who), "l", "n", who)

        async def work() -> None:
            self.working.append(who)
            assert len(self.working) == 1, self.working
            self.log.append((who, asyncio.get_running_loop().time()))
            try:
                await asyncio.sleep(1e6)
            finally:
                self.working.remove(who)

        return asyncio.create_task(election.lead(work))


async def stop(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_one_leads_and_the_other_follows_at_once_when_it_stops_in_order(in_virtual_time: Run) -> None:
    async def main() -> None:
        trial = Trial()
        one, two = trial.start("one"), trial.start("two")
        await asyncio.sleep(100)
        assert [who for who, _ in trial.log] == ["one"]
        await stop(one)
        await asyncio.sleep(3)
        assert [who for who, _ in trial.log] == ["one", "two"]
        await stop(two)
        assert trial.record.lease is not None
        assert trial.record.lease["spec"]["holderIdentity"] == ""
        assert trial.record.lease["spec"]["leaseTransitions"] == 1

    in_virtual_time(main())


def test_a_leader_cut_off_stops_before_the_other_begins(in_virtual_time: Run) -> None:
    async def main() -> None:
        trial = Trial()
        one, two = trial.start("one"), trial.start("two")
        await asyncio.sleep(10)
        trial.record.cut.add("one")
        await asyncio.sleep(40)  # Trial checks that never two work
        with pytest.raises(LeaseLost):
            await one
        assert [who for who, _ in trial.log] == ["one", "two"]
        assert trial.log[1][1] <= 10 + 10 + 2
        await stop(two)

    in_virtual_time(main())


def test_a_short_interruption_of_the_api_is_survived(in_virtual_time: Run) -> None:
    async def main() -> None:
        trial = Trial()
        one, two = trial.start("one"), trial.start("two")
        for _ in range(5):
            await asyncio.sleep(20)
            trial.record.cut.add("one")
            await asyncio.sleep(6)
            trial.record.cut.clear()
        assert [who for who, _ in trial.log] == ["one"]
        await stop(one, two)

    in_virtual_time(main())


def test_a_killed_leader_is_succeeded_after_its_lease_ran_out(in_virtual_time: Run) -> None:
    async def main() -> None:
        trial = Trial()
        trial.record.lease = {
            "metadata": {"resourceVersion": "0"},
            "spec": {
                "holderIdentity": "dead",
                "leaseDurationSeconds": 15,
                "renewTime": "2031-01-01T00:00:00Z",
            },
        }
        task = trial.start("one")
        await asyncio.sleep(14.9)
        assert trial.log == []  # whatever the clock of the dead one said
        await asyncio.sleep(0.2)
        assert [who for who, _ in trial.log] == ["one"]  # at once, not when it would have looked anyway
        await stop(task)

    in_virtual_time(main())


def test_killed_at_any_moment_it_is_replaced_in_twelve_seconds(in_virtual_time: Run) -> None:
    async def main() -> None:
        for moment in range(0, 40, 3):
            trial = Trial()
            one = trial.start("one")
            await asyncio.sleep(0.7)  # the two do not look at the same moments
            two = trial.start("two")
            await asyncio.sleep(4 + moment / 10)
            trial.record.cut.add("one")  # kill -9: it neither renews nor gives back
            trial.working.clear()
            killed = asyncio.get_running_loop().time()
            one.cancel()
            await asyncio.sleep(15)
            assert [who for who, _ in trial.log] == ["one", "two"]
            assert trial.log[1][1] - killed <= 12
            await stop(one, two)

    in_virtual_time(main())


@pytest.mark.parametrize("taken", [True, False])
def test_who_was_paused_knows_that_it_may_not_act(in_virtual_time: Run, taken: bool) -> None:
    async def main() -> None:
        trial, loop = Trial(), asyncio.get_running_loop()
        election = Election(trial.record.of("one"), "l", "n", "one")
        assert not election.may_act()
        task = asyncio.create_task(election.lead(lambda: asyncio.sleep(100)))
        await asyncio.sleep(21)
        assert election.may_act()
        loop._virtual += 7.5  # type: ignore[attr-defined]  # all of this process stood still, time went on
        if taken:
            lease = copy.deepcopy(trial.record.lease) or {}
            lease["spec"]["holderIdentity"] = "two"
            trial.record.of("two")._store(lease)
        assert not election.may_act()  # before anything else of this process has its turn
        await asyncio.sleep(5)
        assert election.may_act() is not taken
        if taken:
            with pytest.raises(LeaseLost):
                await task
        await stop(task)

    in_virtual_time(main())


def test_a_leader_renews_by_one_request_and_reads_only_after_a_surprise(in_virtual_time: Run) -> None:
    async def main() -> None:
        record = OneLease()
        calls: list[str] = []

        class Counted(Seen):
            async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
                calls.append("get")
                return await super().get(resource, name, namespace)

            async def replace(self, resource: Resource, body: Object) -> Object:
                calls.append("replace")
                return await super().replace(resource, body)

        task = asyncio.create_task(
            Election(Counted(record, "one"), "l", "n", "one").lead(lambda: asyncio.sleep(100))
        )
        await asyncio.sleep(21)
        assert calls == ["get"] + ["replace"] * 10
        assert record.lease is not None
        record.of("an administrator")._store(record.lease)
        await asyncio.sleep(4.5)
        assert calls[11:] == ["replace", "get", "replace", "replace"]
        await stop(task)

    in_virtual_time(main())


def test_the_end_and_the_failure_of_the_work_reach_the_caller(in_virtual_time: Run) -> None:
    async def main() -> None:
        record = OneLease()

        async def fail() -> None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await Election(record.of("one"), "l", "n", "one").lead(fail)
        assert record.lease is not None
        assert record.lease["spec"]["holderIdentity"] == ""

    in_virtual_time(main())
