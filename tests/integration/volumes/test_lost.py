"""A node is lost: its volumes come to another when it has let go of them, and are never at two servers."""

from typing import Any

import grpc
from tests.integration.projects import Project, until
from tests.integration.volumes.kubernetes import Kubernetes, way

Code = grpc.StatusCode


def test_a_volume_leaves_a_server_that_is_off_or_gone_before_it_comes_to_another(
    kubernetes: Kubernetes, mine: Project, second: Any
) -> None:
    storage, compute = mine.cloud.block_storage, mine.cloud.compute

    def at(volume: str) -> list[str]:
        return [each["server_id"] for each in storage.get_volume(volume).attachments]

    def let_go(volume: str) -> bool:
        try:
            kubernetes.call("ControllerUnpublishVolume", volume_id=volume, node_id=second.id)
        except grpc.RpcError as error:  # Nova is at work with the server: the sidecar asks again, too
            assert error.code() is Code.ABORTED, error
            return False
        return True

    def came(volume: str) -> bool:
        try:
            kubernetes.attach(volume)
        except grpc.RpcError as error:  # Nova may still know of it at a server that it is deleting
            assert error.code() is Code.FAILED_PRECONDITION, error
            return False
        return True

    def moved(volume: str) -> None:
        """As after the out-of-service taint: detached there for good, attached here."""
        until(lambda: let_go(volume))
        until(lambda: came(volume))
        assert at(volume) == [kubernetes.server]
        assert let_go(volume)  # a late order does no harm
        assert at(volume) == [kubernetes.server]

    off, gone = (kubernetes.create(name) for name in ("off", "gone"))
    for volume in (off, gone):
        there = {"volume_id": volume, "node_id": second.id}
        kubernetes.call("ControllerPublishVolume", volume_capability=way("ext4"), **there)
    compute.stop_server(second)
    until(lambda: compute.get_server(second.id).status == "SHUTOFF")
    here = {"volume_id": off, "node_id": kubernetes.server}
    code, message = kubernetes.refused("ControllerPublishVolume", volume_capability=way("ext4"), **here)
    assert (code, "out-of-service" in message) == (Code.FAILED_PRECONDITION, True)
    assert at(off) == [second.id]
    moved(off)

    compute.delete_server(second)  # and nobody waits for it
    moved(gone)
    for volume in (off, gone):
        kubernetes.detach(volume)
        kubernetes.call("DeleteVolume", volume_id=volume)
