"""Who may do what at which moment, by what the Lease says."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.kube.errors import Conflict
from causeway.rooms.platforms import addons
from causeway.rooms.platforms.addons import Settings
from causeway.rooms.platforms.registering import CERTIFICATE, KEYS, SIGNING_KEY, UPLOADS, Registering
from causeway.rooms.platforms.registry import Registry
from causeway.rooms.registry import gate
from causeway.rooms.registry.gate import LONGEST, PUSHED, QUIET, Entrance, Hold, Watch
from causeway.rooms.registry.tokens import LIFE
from causeway.serve.registry.settings import Collector

NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)


def lease(pushed: datetime | None = None, **spec: Any) -> dict[str, Any]:
    annotations = {PUSHED: pushed.isoformat()} if pushed else {}
    return {"metadata": {"name": "causeway-registry", "annotations": annotations}, "spec": spec}


def held(version: str = "1") -> dict[str, Any]:
    found = lease(
        holderIdentity="pod", acquireTime=NOW.isoformat(), renewTime=NOW.isoformat(), leaseDurationSeconds=60
    )
    return {**found, "metadata": {**found["metadata"], "resourceVersion": version}}


def test_a_new_lease_stands_in_nobodys_way() -> None:
    found = gate.read({"metadata": {"name": "causeway-registry"}})
    assert not found.closed
    assert not found.fresh(NOW)
    assert found.quiet(NOW)


def test_the_gate_is_closed_until_it_is_given_back() -> None:
    found = gate.read(held())
    assert (found.closed, found.collector, found.ended) == (True, "pod", None)
    assert str(found.refusal).startswith("registry: unused blobs are being collected by pod")
    given_back = {**held()["spec"], "holderIdentity": ""}
    assert not gate.read(lease(**given_back)).closed


def test_who_collects_is_lost_when_the_lease_has_stood_still_before_our_eyes() -> None:
    watch = Watch()
    assert not watch.lost(gate.read(held("1")), 1000.0)  # however long it stood still before
    assert not watch.lost(gate.read(held("1")), 1059.9)
    assert not watch.lost(gate.read(held("2")), 1060.0)  # it was renewed
    assert not watch.lost(gate.read(held("2")), 1119.9)
    assert watch.lost(gate.read(held("2")), 1120.0)


def test_what_an_older_collector_took_lasts_as_long_as_it_says() -> None:
    older = {**held(), "spec": {**held()["spec"], "leaseDurationSeconds": 3660}}
    watch = Watch()
    assert not watch.lost(gate.read(older), 0.0)
    assert not watch.lost(gate.read(older), 3659.0)
    assert watch.lost(gate.read(older), 3660.0)


def test_what_an_older_collector_took_and_did_not_give_back_is_nobodys_after_its_time() -> None:
    older = lease(holderIdentity="pod", renewTime=NOW.isoformat(), leaseDurationSeconds=3660)
    end = NOW + timedelta(seconds=3660)
    assert not gate.read(older).abandoned(end - timedelta(seconds=1))
    assert gate.read(older).abandoned(end)
    assert not gate.read(held()).abandoned(end)  # it is renewed: no clock says that it is lost


async def test_after_an_upgrade_one_pushes_at_once_where_a_collector_was_killed_long_ago() -> None:
    api = Api()
    api.lease = lease(holderIdentity="pod", renewTime="2000-01-01T00:00:00Z", leaseDurationSeconds=60)
    api.lease["metadata"]["resourceVersion"] = "1"
    assert await Entrance(cast("Client", api)).enter() is None
    assert gate.read(api.lease).collector == ""


class Api:
    """The Lease in memory; ``refuses`` says how many writes find that somebody else was faster."""

    def __init__(self, holder: str = "") -> None:
        self.lease = lease(holderIdentity=holder)
        self.refuses = 0

    async def get(self, *_: object) -> dict[str, Any]:
        return self.lease

    async def replace(self, _: object, body: dict[str, Any]) -> dict[str, Any]:
        if self.refuses:
            self.refuses -= 1
            raise Conflict("lease", "changed")
        self.lease = body
        return body


def hold(api: Api) -> Hold:
    return Hold(cast("Client", api), "pod")


async def test_what_is_deleted_after_a_renewal_is_broken_off_before_others_may_be_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "LASTS", 0.4)
    api = Api("pod")
    api.refuses = 2
    begun = asyncio.get_running_loop().time()
    with pytest.raises(Problem, match="did not do in time"):
        async with hold(api).sure():
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() - begun >= 0.3  # three quarters of what the Lease lasts


async def test_who_had_the_lease_taken_away_deletes_nothing_more() -> None:
    api = Api("pod")
    ours = hold(api)
    async with ours.sure():
        pass
    api.refuses, api.lease = 1, lease(holderIdentity="")
    with pytest.raises(Problem, match="was taken away"):
        async with ours.sure():
            pytest.fail("nothing may be deleted")


async def test_after_a_deletion_that_ended_well_one_can_push_at_once() -> None:
    api = Api()
    async with gate.closed(cast("Client", api), "pod") as ours, ours.sure():
        assert gate.read(api.lease).collector == "pod"
    assert gate.read(api.lease).collector == ""


async def test_where_nothing_was_deleted_one_can_push_at_once_after_a_failure() -> None:
    api = Api()
    with pytest.raises(ValueError, match="unreadable"):
        async with gate.closed(cast("Client", api), "pod"):
            raise ValueError("unreadable")
    assert gate.read(api.lease).collector == ""


async def test_the_lease_runs_out_after_a_deletion_that_failed() -> None:
    """What was asked for at the same time may still be done."""
    api = Api()
    with pytest.raises(ValueError, match="of the store"):
        async with gate.closed(cast("Client", api), "pod") as ours, ours.sure():
            raise ValueError("of the store")
    assert gate.read(api.lease).collector == "pod"


async def test_the_lease_runs_out_after_a_deletion_that_was_broken_off() -> None:
    api, deleting = Api(), asyncio.Event()

    async def collect() -> None:
        async with gate.closed(cast("Client", api), "pod") as ours, ours.sure():
            deleting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(collect())
    await deleting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.read(api.lease).collector == "pod"


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=59)])
def test_a_push_is_on_record_for_as_long_as_its_token_can_be_used(late: timedelta) -> None:
    """A token may be given without a new record up to a minute after one; the registry adds a minute."""
    found, given = gate.read(lease(pushed=NOW)), NOW + late
    assert found.fresh(given)
    assert not found.quiet(given + LIFE + timedelta(minutes=1))
    assert found.quiet(NOW + QUIET)


def test_a_record_of_another_minute_is_none() -> None:
    assert not gate.read(lease(pushed=NOW)).fresh(NOW + timedelta(seconds=60))
    assert not gate.read(lease(pushed=NOW + timedelta(hours=1))).fresh(NOW)  # of a clock that was wrong


def test_the_collectors_pod_is_ended_when_it_would_end_by_itself() -> None:
    chosen = Registry.model_validate({"storage": "cinder", "collect": {"untagged": "delete"}})
    files = dict.fromkeys((CERTIFICATE, SIGNING_KEY, KEYS, UPLOADS), "")
    found = addons.manifests(
        Settings({}, {}, 1, registry=Registering("registry.example", "172.30.0.11", chosen, files))
    )
    (job,) = (each for each in found if each["kind"] == "CronJob")
    assert job["metadata"]["name"] == addons.COLLECTOR
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert timedelta(seconds=spec["activeDeadlineSeconds"]) == LONGEST
    (container,) = spec["containers"]
    told = {each["name"]: each.get("value", "") for each in container["env"]}
    assert Collector.from_environment({**told, "CAUSEWAY_REGISTRY_POD": "pod"}).untagged
