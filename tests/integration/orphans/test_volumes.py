"""Volumes and snapshots nobody asks for any more: told with proof, deleted only when their data may go."""

import asyncio
import uuid
from typing import Any

import yaml
from tests.integration.deployment import FOLDER
from tests.integration.kube_api import KubeApi
from tests.integration.orphans.conftest import Scene
from tests.integration.projects import until

from causeway.cloud.ownership import DRIVER_CLUSTER, VOLUME, Owner
from causeway.kube.client import Client
from causeway.kube.errors import NotFound, TooManyRequests, Unavailable
from causeway.kube.resource import CLAIMS, CRDS, NAMESPACES, PERSISTENT_VOLUMES, SNAPSHOT_CONTENTS

DATA = ("--delete", "--delete-volumes", "--older-than", "0")
(DEFINITION,) = (
    each
    for each in yaml.safe_load_all((FOLDER / "15-volumes-snapshots.yaml").read_text())
    if each["spec"]["names"]["kind"] == SNAPSHOT_CONTENTS.kind
)


def ours(cluster: str, name: str) -> dict[str, str]:
    """The metadata the volume driver gives."""
    return {DRIVER_CLUSTER: cluster, **Owner(cluster, VOLUME, name).metadata()}


def volume(scene: Scene, name: str, metadata: dict[str, str]) -> str:
    return str(scene.project.cloud.block_storage.create_volume(name=name, size=1, metadata=metadata).id)


def snapshot(scene: Scene, of: str, name: str) -> str:
    storage = scene.project.cloud.block_storage
    made = storage.create_snapshot(volume_id=of, name=name, metadata=ours(scene.alive, name))
    return str(made.id)


def ready(scene: Scene) -> bool:
    storage = scene.project.cloud.block_storage
    return {each.status for kind in (storage.volumes, storage.snapshots) for each in kind()} == {"available"}


async def populate(scene: Scene, kube: Client) -> None:
    """Volumes that are named, waited for, let go, or not a claim's of this platform."""
    claim = {
        "metadata": {"name": "waits"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    await kube.create(NAMESPACES, {"metadata": {"name": "shop"}})
    waiting = await kube.create(CLAIMS, claim, "shop")
    uid = waiting["metadata"]["uid"]
    gone = f"pvc-{uuid.uuid4()}"
    scene.living["named"] = volume(scene, gone, ours(scene.alive, gone))
    scene.living["waited for"] = volume(scene, f"pvc-{uid}", ours(scene.alive, f"pvc-{uid}"))
    scene.dead["let go"] = volume(scene, gone, ours(scene.alive, gone))
    scene.dead["another driver's"] = volume(scene, gone, {DRIVER_CLUSTER: scene.alive})
    scene.left["with a snapshot"] = volume(scene, gone, ours(scene.alive, gone))
    scene.foreign["another cluster's"] = volume(scene, gone, {DRIVER_CLUSTER: "kubernetes"})
    scene.foreign["nobody's"] = volume(scene, gone, {})
    until(lambda: ready(scene))
    scene.left["snapshot"] = snapshot(scene, scene.left["with a snapshot"], f"snapshot-{uuid.uuid4()}")
    scene.living["snapshot"] = snapshot(scene, scene.living["named"], f"snapshot-{uuid.uuid4()}")
    until(lambda: ready(scene))
    persistent = {
        "metadata": {"name": gone},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "cinder.csi.openstack.org", "volumeHandle": scene.living["named"]},
        },
    }
    await kube.create(PERSISTENT_VOLUMES, persistent)


async def undefine(kube: Client) -> None:
    """Be a platform from before snapshots came with it."""
    await kube.delete(CRDS, DEFINITION["metadata"]["name"])
    async with asyncio.timeout(120):
        while True:
            try:
                await kube.list(SNAPSHOT_CONTENTS)
            except NotFound:
                return
            except (TooManyRequests, Unavailable):  # it is just going
                pass
            await asyncio.sleep(0.2)


async def create_when_served(kube: Client, content: dict[str, Any]) -> None:
    """Create a VolumeSnapshotContent as soon as the API server serves the new definition."""
    async with asyncio.timeout(120):
        while True:
            try:
                await kube.create(SNAPSHOT_CONTENTS, content)
            except (NotFound, TooManyRequests, Unavailable):  # not served yet, or being made ready
                await asyncio.sleep(0.2)
            else:
                return


def by_id(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in answer["orphans"]}


async def test_volumes_are_told_with_proof_and_go_only_with_a_word_of_their_own(
    scene: Scene, kube: Client, kube_api: KubeApi
) -> None:
    await undefine(kube)
    await populate(scene, kube)
    living, dead, left, foreign = scene.living, scene.dead, scene.left, scene.foreign

    def all_but_the_dead() -> bool:
        return all(scene.present(part) == set(part) for part in (living, left, foreign))

    status, answer = scene.causeway(kubeconfig=kube_api.kubeconfig)
    told = by_id(answer)
    assert status == 1
    # Nothing says yet that the platform has snapshots at all.
    assert set(told) == {*dead.values(), *left.values(), living["snapshot"]}
    assert told[dead["let go"]]["proof"] == "no PersistentVolume names it, and no claim waits for it"
    assert told[left["snapshot"]]["proof"] == "the platform knows no snapshots"

    status, answer = scene.causeway("--delete", "--older-than", "0", kubeconfig=kube_api.kubeconfig)
    assert status == 1
    assert "--delete-volumes" in by_id(answer)[dead["let go"]]["kept"]
    assert scene.present(dead) == set(dead)

    status, answer = scene.causeway(*DATA, kubeconfig=kube_api.kubeconfig)
    told = by_id(answer)
    assert status == 1
    assert "is not installed" in told[left["snapshot"]]["kept"]
    assert "is not deleted" in told[left["with a snapshot"]]["kept"]  # Cinder keeps it for its snapshot
    assert scene.present(dead) == set()
    assert all_but_the_dead()

    await kube.create(CRDS, DEFINITION)
    content = {
        "apiVersion": SNAPSHOT_CONTENTS.api_version,
        "kind": SNAPSHOT_CONTENTS.kind,
        "metadata": {"name": "kept"},
        "spec": {
            "driver": "cinder.csi.openstack.org",
            "source": {"snapshotHandle": living["snapshot"]},
            "deletionPolicy": "Retain",
            "volumeSnapshotRef": {"name": "kept", "namespace": "shop"},
        },
    }
    await create_when_served(kube, content)

    status, answer = scene.causeway(*DATA, kubeconfig=kube_api.kubeconfig)
    assert status == 0, answer
    assert set(by_id(answer)) == set(left.values())
    assert scene.present(left) == set()
    assert scene.present(living) == set(living)
    assert scene.present(foreign) == set(foreign)
