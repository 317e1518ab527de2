"""What Cinder answers that means something else."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from causeway.cloud import errors
from causeway.cloud.cinder import Cinder
from causeway.cloud.cinder_objects import Volume

BACKUP = "11111111-1111-4111-8111-111111111111"


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
