"""A volume for several servers: one device at both, let go of one by one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.integration.projects import Project, until
from tests.integration.volumes.kubernetes import Kubernetes, way
from tests.integration.volumes.place import seen

from causeway.host import disks
from causeway.lab.settings import Settings

Code = grpc.StatusCode
TEXT = b"one device".ljust(512, b"\0")


@pytest.fixture
def shared_type(mine: Project) -> Iterator[str]:
    storage = mine.admin.block_storage
    made = storage.create_type(name=f"{mine.name}-shared", extra_specs={"multiattach": "<is> True"})
    yield str(made.name)
    until(lambda: not [each for each in mine.cloud.block_storage.volumes() if each.volume_type == made.name])
    storage.delete_type(made)


def test_two_servers_have_one_device(
    kubernetes: Kubernetes,
    lab: Settings,
    mine: Project,
    root: Path,
    second: Any,
    shared_type: str,
    tmp_path: Path,
) -> None:
    shared = [way("block", "MULTI_NODE_MULTI_WRITER")]
    code, message = kubernetes.refused("CreateVolume", name="several", volume_capabilities=shared)
    assert (code, "is not for several servers" in message) == (Code.INVALID_ARGUMENT, True)
    of_type = {"parameters": {"type": shared_type}}
    files = [way("ext4", "MULTI_NODE_MULTI_WRITER")]
    code, message = kubernetes.refused("CreateVolume", name="files", volume_capabilities=files, **of_type)
    assert (code, "loses its data" in message) == (Code.INVALID_ARGUMENT, True)
    made = kubernetes.call("CreateVolume", name="several", volume_capabilities=shared, **of_type)
    volume = made.volume.volume_id

    def at() -> set[str]:
        return {each["server_id"] for each in mine.cloud.block_storage.get_volume(volume).attachments}

    nodes = (kubernetes.server, second.id)
    for node in nodes:
        where = {"volume_id": volume, "node_id": node}
        kubernetes.call("ControllerPublishVolume", volume_capability=shared[0], **where)
    assert at() == set(nodes)
    with seen(lab, second.id, tmp_path) as other:
        until(lambda: disks.find(volume, root) and disks.find(volume, other))
        here, there = (disks.find(volume, each) for each in (root, other))
        assert here and there
        with here.open("r+b") as device:
            device.write(TEXT)
            device.flush()
            os.fsync(device.fileno())
        assert read(there) == TEXT
        kubernetes.call("ControllerUnpublishVolume", volume_id=volume, node_id=kubernetes.server)
        assert at() == {second.id}
        assert read(there) == TEXT  # the other goes on
    code, _ = kubernetes.refused("DeleteVolume", volume_id=volume)
    assert code is Code.FAILED_PRECONDITION
    kubernetes.call("ControllerUnpublishVolume", volume_id=volume)  # from wherever it is
    kubernetes.call("DeleteVolume", volume_id=volume)


def read(device: Path) -> bytes:
    with device.open("rb", buffering=0) as opened:
        return opened.read(len(TEXT))
