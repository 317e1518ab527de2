"""The volume driver with its sidecars, as they are shipped: every right is used and none is missing, and the
credential suffices.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.access import audit, backups
from tests.integration.access.audit import Right
from tests.integration.access.lost import lost
from tests.integration.access.stage import Stage
from tests.integration.access.storage import NAMESPACE, Storing
from tests.integration.deployment import FOLDER

from causeway.kube.resource import CLAIMS, EVENTS, Resource
from causeway.lab.images import sidecars
from causeway.rooms.platforms import addons, credential
from causeway.rooms.platforms.storage import VolumeDriver
from causeway.serve.csi.claims import WITH

ACCOUNT = "causeway-volumes"
DRIVER = "cinder.csi.openstack.org"
ATTRIBUTES = Resource(
    "storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", namespaced=False
)
RIGHTS = audit.rights(FOLDER / "22-volumes-access.yaml", ACCOUNT)
RARE = {
    **{each: "an API server that does not send lists by watches" for each in RIGHTS if each.verb == "list"},
    Right("", "events", "patch"): "the same news again",
}


@pytest.fixture
async def storing(stage: Stage, sidecar_binaries: dict[str, Path]) -> AsyncIterator[Storing]:
    made = Storing(stage, ACCOUNT, DRIVER, "cinder", "ReadWriteOnce", f"topology.{DRIVER}/zone")
    chosen = addons.Volumes(stage.site.cluster, "same", VolumeDriver(), {})
    manifests = addons.manifests(addons.Settings({}, {}, 1, volumes=chosen))
    files = credential.ensure_for_volumes(stage.site.project.cloud, stage.site.credential, {})
    await made.start("csi-controller", manifests, sidecar_binaries, files, {"CAUSEWAY_CSI_CLAIMS": "read"})
    yield made


async def classed(stage: Stage) -> dict[str, str]:
    """Have classes of attributes, long before they are named; return the type each stands for."""
    admin = stage.site.project.admin.block_storage
    types = {"other": admin.create_type(name=f"{stage.site.project.name}-other").name}
    types["first"] = "__DEFAULT__"  # Cinder's own, of volumes that name none
    for name, kind in types.items():
        body = {"metadata": {"name": name}, "driverName": DRIVER, "parameters": {"type": kind}}
        await stage.admin.create(ATTRIBUTES, body)
    return types


async def retyped(stage: Stage, claim: str, handle: str, types: dict[str, str]) -> None:
    """Have a claim's volume be of another type, by a class of attributes, and of the first one again."""
    cloud, admin = stage.site.project.cloud.block_storage, stage.site.project.admin.block_storage
    for name, kind in types.items():
        await stage.admin.patch(CLAIMS, claim, {"spec": {"volumeAttributesClassName": name}}, NAMESPACE)

        async def told(wanted: str = name) -> bool:
            found = await stage.find(CLAIMS, claim, NAMESPACE)
            return bool(found and found["status"].get("currentVolumeAttributesClassName") == wanted)

        await stage.come(told, f"the volume to be {name}")
        assert cloud.get_volume(handle).volume_type == kind
    admin.delete_type(admin.find_type(types["other"]))


async def wished_near(storing: Storing, volume: str) -> None:
    """Have a claim's volume beside another, and one beside a volume that is not there, which is told."""
    stage = storing.stage
    name, _ = await storing.claimed("beside", "1Gi", notes={WITH: volume})
    await storing.released("beside", name)
    await storing.claim("nowhere", "1Gi", notes={WITH: "no-such"})

    async def told() -> bool:
        events = (await stage.admin.list(EVENTS, NAMESPACE)).items
        notes = [each.get("note") or each.get("message", "") for each in events]
        return any("volume no-such, which a claim names" in each for each in notes)

    await stage.come(told, "the refusal of a claim that names no volume")
    await stage.admin.delete(CLAIMS, "nowhere", NAMESPACE)
    await stage.admin.patch(CLAIMS, "nowhere", {"metadata": {"finalizers": None}}, NAMESPACE)


async def test_every_right_is_used_and_none_is_missing(storing: Storing) -> None:
    stage, cloud = storing.stage, storing.stage.site.project.cloud.block_storage
    await storing.placed()
    types = await classed(stage)
    name, handle = await storing.claimed("data", "1Gi")
    await storing.bound("data", name, "1Gi")

    def at_its_server() -> None:
        assert cloud.get_volume(handle).attachments[0]["server_id"] == stage.site.server.id

    await storing.attached(name, at_its_server)
    await lost(storing, "data", name, handle)
    await storing.enlarged("data", name, "2Gi")
    assert cloud.get_volume(handle).size == 2
    await retyped(stage, "data", handle, types)

    def of_the_snapshot(snapshot: str, copy: str) -> None:
        metadata = cloud.get_snapshot(snapshot).metadata
        assert metadata["csi.storage.k8s.io/volumesnapshot/name"] == "then"
        assert cloud.get_volume(copy).snapshot_id == snapshot

    await storing.copied("data", "2Gi", of_the_snapshot)

    def of_the_claim(clone: str) -> None:
        assert cloud.get_volume(clone).source_volume_id == handle

    await storing.cloned("data", "2Gi", of_the_claim)
    await wished_near(storing, handle)
    await storing.released("data", name)
    await backups.backed_up(storing)
    await backups.refused(storing)
    assert not [each for kind in (cloud.volumes, cloud.snapshots) for each in kind()]
    await storing.judged(RIGHTS, RARE)
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in stage.programs))


def test_the_sidecars_that_are_tested_are_those_that_are_shipped(sidecar_binaries: dict[str, Path]) -> None:
    assert set(sidecar_binaries) == {each.name for each in sidecars.COMPONENTS}
