"""How many volumes a server takes is what the node service says: no less after a start, and no more."""

from pathlib import Path

from tests.integration.projects import Project, until
from tests.integration.volumes.kubernetes import Kubernetes, way

from causeway.host import disks


def room(kubernetes: Kubernetes) -> int:
    return int(kubernetes.call("NodeGetInfo").max_volumes_per_node)


def test_what_others_have_takes_a_place_and_what_claims_have_does_not(
    kubernetes: Kubernetes, root: Path
) -> None:
    free = room(kubernetes)
    files, device, others = (kubernetes.create(f"room-{name}") for name in ("files", "device", "others"))
    for volume in (files, device, others):
        kubernetes.attach(volume)
    kubernetes.mount(files)
    published = kubernetes.driver.directory / "plugins/kubernetes.io/csi/volumeDevices/publish" / device
    at = {"volume_id": device, "staging_target_path": kubernetes.staged(device)}
    kubernetes.call(
        "NodePublishVolume", target_path=str(published), volume_capability=way("block"), **at
    )  # and its pod uses it:
    in_pod, container_storage = (kubernetes.driver.directory / name for name in ("in-pod", "containers"))
    kubernetes.said(f"mkfs.ext4 -q {published}; mkdir {in_pod}; mount {published} {in_pod}")
    until(lambda: disks.find(others, root))
    kubernetes.kill_node()
    assert room(kubernetes) == free  # also beside one that nobody uses yet

    disk = disks.find(others, root)
    kubernetes.said(f"mkfs.ext4 -q {disk}; mkdir {container_storage}; mount {disk} {container_storage}")
    kubernetes.kill_node()
    assert room(kubernetes) == free - 1

    kubernetes.said(f"umount {container_storage} {in_pod}")
    kubernetes.kill_node()
    assert room(kubernetes) == free
    kubernetes.call("NodeUnpublishVolume", volume_id=device, target_path=str(published))
    kubernetes.away(files)
    for volume in (device, others):
        kubernetes.detach(volume)
        kubernetes.call("DeleteVolume", volume_id=volume)


def test_a_server_takes_as_many_as_is_said(kubernetes: Kubernetes, roomy: Project, root: Path) -> None:
    block = way("block")
    created = [
        kubernetes.begin("CreateVolume", name=f"many-{number}", volume_capabilities=[block])
        for number in range(room(kubernetes))
    ]
    volumes = [each.result().volume.volume_id for each in created]
    there = [
        kubernetes.begin(
            "ControllerPublishVolume", volume_id=each, node_id=kubernetes.server, volume_capability=block
        )
        for each in volumes
    ]
    for each in there:
        each.result()
    until(lambda: all(disks.find(each, root) for each in volumes))
    assert len({disks.number(device) for each in volumes if (device := disks.find(each, root))}) == len(
        volumes
    )

    away = [
        kubernetes.begin("ControllerUnpublishVolume", volume_id=each, node_id=kubernetes.server)
        for each in volumes
    ]
    for each in away:
        each.result()
    for each in [kubernetes.begin("DeleteVolume", volume_id=each) for each in volumes]:
        each.result()
