"""What a type limits is in force where a server has the volume: Cinder hands it on when one is attached."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.integration.projects import Project
from tests.integration.volumes.kubernetes import Kubernetes

LIMITS = {"total_iops_sec": "500"}


@pytest.fixture
def limits(mine: Project, other_type: str) -> Iterator[dict[str, str]]:
    """Limits for servers, at the other type for as long as this lasts."""
    storage = mine.admin.block_storage
    kind = storage.find_type(other_type, ignore_missing=False)
    made = storage.create_qos_spec(name=f"{mine.name}-limits", consumer="front-end", **LIMITS)
    storage.associate_qos_spec(made, kind.id)
    yield LIMITS
    storage.disassociate_qos_spec(made, kind.id)
    storage.delete_qos_spec(made)


def test_a_volume_of_another_type_has_its_limits_at_the_server(
    kubernetes: Kubernetes, mine: Project, other_type: str, limits: dict[str, str]
) -> None:
    volume = kubernetes.create("limited", "block")
    kubernetes.call("ControllerModifyVolume", volume_id=volume, mutable_parameters={"type": other_type})
    kubernetes.attach(volume, "block")
    assert handed_on(mine, volume) == limits

    # Cinder has no way to tell a server of other limits while it has the volume.
    usual = {"type": "__DEFAULT__"}
    code, message = kubernetes.refused("ControllerModifyVolume", volume_id=volume, mutable_parameters=usual)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "qos specs cannot change" in message
    kubernetes.detach(volume)
    kubernetes.call("ControllerModifyVolume", volume_id=volume, mutable_parameters=usual)
    kubernetes.attach(volume, "block")
    assert handed_on(mine, volume) is None
    kubernetes.detach(volume)
    kubernetes.call("DeleteVolume", volume_id=volume)


def handed_on(mine: Project, volume: str) -> Any:
    """Return the limits Nova was given with the volume's attachment."""
    asked = {"volume_id": volume, "all_tenants": "true"}  # else it is of the administrator's own project
    answer = mine.admin.block_storage.get("/attachments/detail", params=asked, microversion="3.54")
    (found,) = answer.json()["attachments"]
    return found["connection_info"]["qos_specs"]
