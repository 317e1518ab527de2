"""Who may do what at which moment, by what the Lease says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from causeway.rooms.platforms import addons
from causeway.rooms.platforms.addons import Settings
from causeway.rooms.platforms.registering import CERTIFICATE, KEYS, SIGNING_KEY, UPLOADS, Registering
from causeway.rooms.platforms.registry import Registry
from causeway.rooms.registry import gate
from causeway.rooms.registry.gate import LONGEST, PUSHED, QUIET
from causeway.rooms.registry.tokens import LIFE

NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)


def lease(pushed: datetime | None = None, **spec: Any) -> dict[str, Any]:
    annotations = {PUSHED: pushed.isoformat()} if pushed else {}
    return {"metadata": {"name": "causeway-registry", "annotations": annotations}, "spec": spec}


def held(since: datetime) -> dict[str, Any]:
    return lease(holderIdentity="pod", renewTime=since.isoformat(), leaseDurationSeconds=3600)


def test_a_new_lease_stands_in_nobodys_way() -> None:
    found = gate.read({"metadata": {"name": "causeway-registry"}})
    assert not found.closed(NOW)
    assert not found.fresh(NOW)
    assert found.quiet(NOW)


def test_nobody_pushes_while_somebody_collects_until_his_time_is_over() -> None:
    assert gate.read(held(NOW)).closed(NOW + timedelta(minutes=59))
    assert not gate.read(held(NOW)).closed(NOW + timedelta(minutes=60))
    given_back = {**held(NOW)["spec"], "holderIdentity": ""}
    assert not gate.read(lease(**given_back)).closed(NOW)


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


def test_the_gate_is_closed_for_longer_than_the_collectors_pod_lives() -> None:
    chosen = Registry.model_validate({"storage": "cinder"})
    files = dict.fromkeys((CERTIFICATE, SIGNING_KEY, KEYS, UPLOADS), "")
    found = addons.manifests(
        Settings({}, {}, 1, registry=Registering("registry.example", "172.30.0.11", chosen, files))
    )
    (job,) = (each for each in found if each["kind"] == "CronJob")
    assert job["metadata"]["name"] == addons.COLLECTOR
    spec = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert timedelta(seconds=spec["activeDeadlineSeconds"]) == LONGEST
    (container,) = spec["initContainers"]
    waits = container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"]
    assert timedelta(seconds=waits) >= LONGEST  # the kubelet ends it no earlier, for one who waits for pushes
