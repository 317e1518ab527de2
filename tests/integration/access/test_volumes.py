"""The volume driver with its sidecars, as they are shipped: every right is used and none is missing, and the
credential suffices.

The manager of volumes and the scheduler are not there: the test does what they do.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.access import audit
from tests.integration.access.audit import Right
from tests.integration.access.stage import Program, Stage
from tests.integration.deployment import FOLDER
from tests.integration.projects import CLOUD

from causeway.kube.resource import (
    CLAIMS,
    CSI_DRIVERS,
    EVENTS,
    NODES,
    PERSISTENT_VOLUMES,
    SNAPSHOT_CLASSES,
    SNAPSHOT_CONTENTS,
    STORAGE_CLASSES,
    Resource,
)
from causeway.lab.images import sidecars
from causeway.rooms.platforms import addons, credential
from causeway.rooms.platforms.model import VolumeDriver
from causeway.serve.csi.claims import WITH

ACCOUNT = "causeway-volumes"
DRIVER = "cinder.csi.openstack.org"
ZONE = f"topology.{DRIVER}/zone"
NODE = "disks"
NAMESPACE = "default"
CSI_NODES = Resource("storage.k8s.io", "v1", "csinodes", "CSINode", namespaced=False)
ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", namespaced=False)
ATTRIBUTES = Resource(
    "storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", namespaced=False
)
SNAPSHOTS = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")
RIGHTS = audit.rights(FOLDER / "22-volumes-access.yaml", ACCOUNT)
RARE = {
    **{each: "an API server that does not send lists by watches" for each in RIGHTS if each.verb == "list"},
    Right("", "persistentvolumeclaims", "update"): "a claim that is copied, or one for another node",
    Right("", "persistentvolumes", "get"): "a claim that is copied",
    Right("", "events", "patch"): "the same news again",
}


@pytest.fixture
async def running(stage: Stage, sidecar_binaries: dict[str, Path]) -> AsyncIterator[Stage]:
    """The driver and its sidecars with the arguments of the manifest, under the account of the manifest."""
    site, directory = stage.site, stage.site.directory
    files = credential.ensure_for_volumes(site.project.cloud, site.credential, {})
    clouds = directory / "volumes-credential.yaml"
    site.put(clouds, files["clouds.yaml"])
    socket = directory / "csi.sock"
    token = await stage.token(ACCOUNT, **await stage.holder(ACCOUNT, ACCOUNT))
    kubeconfig, _ = stage.kubeconfig(ACCOUNT, token)
    environment = {
        "CSI_ENDPOINT": f"unix://{socket}",
        "CAUSEWAY_CLUSTER_ID": site.cluster,
        "CAUSEWAY_CSI_CLAIMS": "read",
        "KUBECONFIG": str(kubeconfig),
        "OS_CLIENT_CONFIG_FILE": str(clouds),
        "OS_CLOUD": CLOUD,
    }
    stage.programs.append(Program("csi-controller", directory, environment))
    chosen = addons.Volumes(site.cluster, "same", VolumeDriver(), {})
    manifests = addons.manifests(addons.Settings({}, {}, 1, volumes=chosen))
    (spec,) = (
        each["spec"]["template"]["spec"]
        for each in manifests
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "causeway-volumes")
    )
    where = [f"--kubeconfig={kubeconfig}", "--leader-election-namespace=kube-system"]
    # A sidecar that could not renew its lease in time ends, and here nobody starts it again.
    where += ["--leader-election-lease-duration=5m", "--leader-election-renew-deadline=4m"]
    for container in spec["containers"]:
        program = Path(container["image"].partition(":")[0]).name
        if program in sidecar_binaries:
            words = [each.replace("/csi/csi.sock", str(socket)) for each in container["args"]]
            argv = [str(sidecar_binaries[program]), *words, *where]
            stage.programs.append(Program(program, directory, {}, argv=argv))
    for each in manifests:
        if each["kind"] in (STORAGE_CLASSES.kind, SNAPSHOT_CLASSES.kind, CSI_DRIVERS.kind):
            await stage.admin.apply(each, manager="causeway")
    yield stage


async def placed(stage: Stage) -> None:
    """Have a node that is the project's server."""
    await stage.join(NODE, f"openstack:///{stage.site.server.id}", ready=True)
    await stage.admin.patch(NODES, NODE, {"metadata": {"labels": {ZONE: "nova"}}})
    there = {"name": DRIVER, "nodeID": stage.site.server.id, "topologyKeys": [ZONE]}
    await stage.admin.create(CSI_NODES, {"metadata": {"name": NODE}, "spec": {"drivers": [there]}})


async def claim(stage: Stage, name: str, size: str, notes: dict[str, str] | None = None, **more: Any) -> str:
    """Make a claim whose first pod is to be on the node; return the name its volume is to have."""
    notes = {
        **(notes or {}),
        "volume.kubernetes.io/selected-node": NODE,
        "volume.kubernetes.io/storage-provisioner": DRIVER,
    }
    spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": "cinder", **more}
    spec["resources"] = {"requests": {"storage": size}}
    body = {"metadata": {"name": name, "annotations": notes}, "spec": spec}
    made = await stage.admin.create(CLAIMS, body, NAMESPACE)
    return f"pvc-{made['metadata']['uid']}"


async def claimed(stage: Stage, name: str, size: str, **more: Any) -> tuple[str, str]:
    """Have a claim's volume; return its names, here and in Cinder."""
    volume = await claim(stage, name, size, **more)

    async def made() -> Any:
        return await stage.find(PERSISTENT_VOLUMES, volume)

    found = await stage.come(made, f"the volume of {name}")
    return volume, found["spec"]["csi"]["volumeHandle"]


async def released(stage: Stage, claim: str, volume: str) -> None:
    """Delete a claim, and do what its protection and the manager of volumes would, were they here."""
    await stage.admin.delete(CLAIMS, claim, NAMESPACE)
    await stage.admin.patch(CLAIMS, claim, {"metadata": {"finalizers": None}}, NAMESPACE)
    await stage.gone(CLAIMS, claim, NAMESPACE)
    status = {"status": {"phase": "Released"}}
    await stage.admin.patch(PERSISTENT_VOLUMES, volume, status, subresource="status")

    async def leaving() -> bool:
        found = await stage.find(PERSISTENT_VOLUMES, volume)
        return found is None or "deletionTimestamp" in found["metadata"]

    await stage.come(leaving, f"the volume of {claim} to be deleted")


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


async def copied(stage: Stage, claim: str, size: str) -> None:
    """Take a snapshot of a claim and make another claim of it; then both go."""
    cloud = stage.site.project.cloud.block_storage
    wanted = {
        "apiVersion": SNAPSHOTS.api_version,
        "kind": SNAPSHOTS.kind,
        "metadata": {"name": "then"},
        "spec": {"source": {"persistentVolumeClaimName": claim}},
    }
    await stage.admin.create(SNAPSHOTS, wanted, NAMESPACE)

    async def taken() -> Any:
        found = await stage.find(SNAPSHOTS, "then", NAMESPACE)
        return found if found and found.get("status", {}).get("readyToUse") else None

    status = (await stage.come(taken, "the snapshot"))["status"]
    content = await stage.admin.get(SNAPSHOT_CONTENTS, status["boundVolumeSnapshotContentName"])
    handle = content["status"]["snapshotHandle"]
    assert status["restoreSize"] == size
    metadata = cloud.get_snapshot(handle).metadata
    assert metadata["csi.storage.k8s.io/volumesnapshot/name"] == "then"

    source = {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": "then"}
    volume, copy = await claimed(stage, "restored", size, dataSource=source)
    assert cloud.get_volume(copy).snapshot_id == handle
    await released(stage, "restored", volume)
    await stage.admin.delete(SNAPSHOTS, "then", NAMESPACE)
    await stage.gone(SNAPSHOTS, "then", NAMESPACE)
    await stage.gone(SNAPSHOT_CONTENTS, content["metadata"]["name"])
    assert handle not in {each.id for each in cloud.snapshots()}


async def wished_near(stage: Stage, volume: str) -> None:
    """Have a claim's volume beside another, and one beside a volume that is not there, which is told."""
    name, _ = await claimed(stage, "beside", "1Gi", notes={WITH: volume})
    await released(stage, "beside", name)
    await claim(stage, "nowhere", "1Gi", notes={WITH: "no-such"})

    async def told() -> bool:
        events = (await stage.admin.list(EVENTS, NAMESPACE)).items
        notes = [each.get("note") or each.get("message", "") for each in events]
        return any("volume no-such, which a claim names" in each for each in notes)

    await stage.come(told, "the refusal of a claim that names no volume")
    await stage.admin.delete(CLAIMS, "nowhere", NAMESPACE)
    await stage.admin.patch(CLAIMS, "nowhere", {"metadata": {"finalizers": None}}, NAMESPACE)


async def test_every_right_is_used_and_none_is_missing(running: Stage) -> None:
    stage, admin, cloud = running, running.admin, running.site.project.cloud.block_storage
    await placed(stage)
    types = await classed(stage)
    name, handle = await claimed(stage, "data", "1Gi")
    await admin.patch(CLAIMS, "data", {"spec": {"volumeName": name}}, NAMESPACE)
    bound = {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    await admin.patch(CLAIMS, "data", {"status": bound}, NAMESPACE, subresource="status")
    await admin.patch(PERSISTENT_VOLUMES, name, {"status": {"phase": "Bound"}}, subresource="status")

    source = {"persistentVolumeName": name}
    spec = {"attacher": DRIVER, "nodeName": NODE, "source": source}
    await admin.create(ATTACHMENTS, {"metadata": {"name": "there"}, "spec": spec})

    async def attached() -> Any:
        found = await stage.find(ATTACHMENTS, "there")
        return (found or {}).get("status", {}).get("attached")

    await stage.come(attached, "the volume at its server")
    assert cloud.get_volume(handle).attachments[0]["server_id"] == stage.site.server.id
    await admin.delete(ATTACHMENTS, "there")
    await stage.gone(ATTACHMENTS, "there")

    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    await admin.patch(CLAIMS, "data", larger, NAMESPACE)

    async def enlarged() -> bool:
        found = await stage.find(PERSISTENT_VOLUMES, name)
        return bool(found and found["spec"]["capacity"]["storage"] == "2Gi")

    await stage.come(enlarged, "a larger volume")
    assert cloud.get_volume(handle).size == 2

    await retyped(stage, "data", handle, types)
    await copied(stage, "data", "2Gi")
    await wished_near(stage, handle)
    await released(stage, "data", name)
    assert handle not in {each.id for each in cloud.volumes()}
    assert all(each.alive for each in stage.programs)

    log = stage.api.directory / "audit.log"
    did: list[audit.Request] = []

    async def all_used() -> bool:
        did[:] = audit.requests(log, ACCOUNT)
        return not audit.unused(RIGHTS, did) - RARE.keys()

    try:
        await stage.come(all_used, "every right to be used", 120)
    finally:
        assert {str(each) for each in audit.unused(RIGHTS, did) - RARE.keys()} == set()
    assert {str(each) for each in audit.denied(did)} == set()
    await admin.delete(NODES, NODE)
    said = "".join(each.log for each in stage.programs)
    secret = yaml.safe_load((stage.site.directory / "volumes-credential.yaml").read_text())
    assert secret["clouds"][CLOUD]["auth"]["application_credential_secret"] not in said
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in stage.programs))


def test_the_sidecars_that_are_tested_are_those_that_are_shipped(sidecar_binaries: dict[str, Path]) -> None:
    assert set(sidecar_binaries) == {each.name for each in sidecars.COMPONENTS}
