"""What was written is in the backup, and comes back when the volume is gone: real Cinder, real Swift."""

from typing import Any

import grpc
import pytest
from tests.integration.projects import Project, until
from tests.integration.volumes.kubernetes import Kubernetes, way
from tests.integration.volumes.place import CLUSTER

from causeway.rooms.platforms import stored
from causeway.serve.csi.spec import csi_pb2 as csi

PARAMETERS = {
    "type": "backup",
    "force-create": "true",
    "availability": "nova",
    "backup-max-duration-seconds-per-gb": "600",  # a machine that has much else to do
}


def asked_again(kubernetes: Kubernetes, rpc: str, **fields: Any) -> Any:
    """Ask as a sidecar does, which hangs up and asks again; return None when it took too long."""
    try:
        return kubernetes.call(rpc, **fields)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, error
        return None


@pytest.fixture
def storage(mine: Project) -> Any:
    return mine.cloud.block_storage


def test_a_backup_outlives_its_volume_and_the_driver(
    kubernetes: Kubernetes, mine: Project, storage: Any
) -> None:
    source = kubernetes.create("backed-up")
    kubernetes.attach(source)
    kubernetes.mount(source)
    kubernetes.said(f"echo kept >{kubernetes.target(source)}/file && sync -f {kubernetes.target(source)}")

    wanted = {"name": "snapshot-backed-up", "source_volume_id": source, "parameters": PARAMETERS}
    begun = kubernetes.call("CreateSnapshot", **wanted).snapshot
    kubernetes.said(f"echo changed >{kubernetes.target(source)}/file")  # not of the moment of the backup
    kubernetes.kill_controller()

    def ready() -> Any:
        found = kubernetes.call("CreateSnapshot", **wanted).snapshot
        assert found.snapshot_id == begun.snapshot_id
        return found if found.ready_to_use else None

    made = until(ready)
    assert not list(storage.snapshots())  # what it was made of is gone before it is told to be ready
    kubernetes.away(source)
    assert [each.snapshot for each in kubernetes.call("ListSnapshots").entries] == [made]
    (left,) = stored.claimed(mine.cloud, CLUSTER)  # what destroy asks about
    assert (left.type, left.id, left.marked) == ("backup", made.snapshot_id, True)

    content = csi.VolumeContentSource()
    content.snapshot.snapshot_id = made.snapshot_id
    wanted = {"name": "restored", "volume_capabilities": [way("ext4")], "volume_content_source": content}
    kubernetes.begin("CreateVolume", **wanted)
    until(lambda: "restored" in {each.name for each in storage.volumes()})
    kubernetes.kill_controller()
    copy = until(lambda: asked_again(kubernetes, "CreateVolume", **wanted)).volume.volume_id
    assert [each.id for each in storage.volumes()] == [copy]
    metadata = storage.get_volume(copy).metadata
    assert (metadata["causeway-uid"], metadata["src_backup_id"]) == ("restored", made.snapshot_id)
    kubernetes.attach(copy)
    kubernetes.mount(copy)
    assert kubernetes.said(f"cat {kubernetes.target(copy)}/file") == "kept"
    health = kubernetes.call(
        "NodeGetVolumeHealth",
        volume_id=copy,
        staging_target_path=kubernetes.staged(copy),
        volume_publish_path=kubernetes.target(copy),
    ).volume_health
    assert not health.health_statuses
    kubernetes.away(copy)
    kubernetes.call("DeleteSnapshot", snapshot_id=made.snapshot_id)
    assert not list(storage.backups())
