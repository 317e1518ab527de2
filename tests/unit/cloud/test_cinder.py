"""What Cinder answers that means something else."""

import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Volume, VolumeType

BACKUP = "11111111-1111-4111-8111-111111111111"


VOLUME = {"id": BACKUP, "name": "pvc-a", "status": "available", "size": 1}
ODD = VOLUME | {"id": "22222222-2222-4222-8222-222222222222", "size": None}


def showing(*volumes: dict[str, Any]) -> Cinder:
    """Return Cinder as it is when it shows these volumes, in a list and each by itself."""

    async def project_id() -> str:
        return "p"

    async def get_all(*_: object, **__: object) -> list[msgspec.Raw]:
        return [msgspec.Raw(json.dumps(each).encode()) for each in volumes]

    async def call(_service: str, _verb: str, path: str, **_: object) -> bytes:
        one = next((each for each in volumes if path.endswith(str(each["id"]))), None)
        return json.dumps({"volume": one} if one else {"volumes": volumes}).encode()

    cloud: Any = SimpleNamespace(project_id=project_id, call=call, get_all=get_all)
    return Cinder(cloud)


def refusing(cause: str) -> Cinder:
    async def project_id() -> str:
        return "p"

    async def call(*_: object, **__: object) -> bytes:
        raise errors.NotFound("block-storage", cause, status=404)

    cloud: Any = SimpleNamespace(project_id=project_id, call=call)
    return Cinder(cloud)


async def test_a_backup_no_service_can_delete_is_not_gone() -> None:
    await refusing(f"Backup {BACKUP} could not be found.").delete_backup(BACKUP)
    with pytest.raises(errors.BadRequest, match="cinder-backup"):
        await refusing("Service cinder-backup could not be found.").delete_backup(BACKUP)


def test_a_volume_whose_status_is_lost_can_be_read() -> None:
    seen = msgspec.json.decode(b'{"id": "v", "status": null, "size": 1}', type=Volume)
    assert seen.status == "none"


async def test_a_volume_that_a_host_has_can_be_read() -> None:
    host = VOLUME | {"attachments": [{"server_id": None, "attachment_id": "a", "device": "/dev/sda"}]}
    (seen,) = await showing(host).list_volumes()
    assert (seen.servers, len(seen.attachments)) == ([], 1)


async def test_a_volume_that_cannot_be_read_hides_no_other() -> None:
    cinder = showing(ODD, VOLUME)
    assert [each.id for each in await cinder.list_volumes()] == [VOLUME["id"]]
    assert [each.id for each in (await cinder.page_of_volumes(5))[0]] == [VOLUME["id"]]
    with pytest.raises(errors.ServerError, match="size"):  # by itself: the poller looks again then
        await cinder.get_volume(str(ODD["id"]))


async def test_a_drivers_volume_that_cannot_be_read_is_not_taken_for_none() -> None:
    cinder = showing(ODD | {"metadata": {"cinder.csi.openstack.org/cluster": "c"}}, VOLUME)
    for ask in (cinder.list_volumes(), cinder.volumes_named("pvc-a")):
        with pytest.raises(errors.ServerError, match=str(ODD["id"])):
            await ask


def test_a_type_says_whether_it_is_for_several_where_users_may_see_that() -> None:
    def seen(beside: str) -> bool | None:
        return msgspec.json.decode(f'{{"id": "t", "name": "n"{beside}}}', type=VolumeType).multiattach

    assert seen("") is None
    assert seen(', "extra_specs": {}') is False
    assert seen(', "extra_specs": {"multiattach": "<is> True"}') is True
