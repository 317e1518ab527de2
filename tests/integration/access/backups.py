"""Backups as users order them: a VolumeSnapshot of a class of their own, made by the real sidecars."""

import subprocess
from typing import Any

from tests.integration.access.storage import NAMESPACE, SNAPSHOTS, Storing

from causeway.cloud.errors import Quota
from causeway.kube.errors import Object
from causeway.kube.resource import SNAPSHOT_CLASSES, SNAPSHOT_CONTENTS, Resource
from causeway.lab.servers.enter import command_in
from causeway.lab.servers.layout import Layout
from causeway.lab.settings import from_environment

PACE = "backup-max-duration-seconds-per-gb"
SECONDS = 400.0


async def backed_up(storing: Storing) -> None:
    """Have a claim's bytes in a backup, and the same ones in another claim when the first one is gone."""
    stage, storage = storing.stage, storing.stage.site.project.cloud.block_storage
    name, handle = await storing.claimed("precious", "1Gi")
    await storing.bound("precious", name, "1Gi")

    def written() -> None:
        _in_server(storing, handle, "printf kept | dd conv=fsync of=")

    await storing.attached(name, written)
    await _classed(storing)
    content = await _asked(storing, "elsewhere", "precious")

    async def ready() -> bool:
        found = await stage.find(SNAPSHOTS, "elsewhere", NAMESPACE)
        return bool(found and found.get("status", {}).get("readyToUse"))

    await stage.come(ready, "the backup", SECONDS)
    (backup,) = storage.backups()
    assert (await _handle(storing, content), backup.volume_id) == (backup.id, handle)
    assert not list(storage.snapshots())
    await storing.released("precious", name)
    assert handle not in {each.id for each in storage.volumes()}

    source = {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": "elsewhere"}
    name, copy = await storing.claimed("restored-from-elsewhere", "1Gi", dataSource=source)
    read: list[str] = []
    await storing.attached(name, lambda: read.append(_in_server(storing, copy, "head -c 4 ")))
    assert read == ["kept"]
    await storing.released("restored-from-elsewhere", name)
    await _away(storing, "elsewhere", content)
    assert not list(storage.backups())


async def refused(storing: Storing) -> None:
    """Have no room for a backup: the VolumeSnapshot tells cause and remedy, and goes with all of it."""
    stage, project = storing.stage, storing.stage.site.project
    storage, admin = project.cloud.block_storage, project.admin.block_storage
    name, _ = await storing.claimed("doomed", "1Gi")
    await storing.bound("doomed", name, "1Gi")
    admin.update_quota_set(project.id, backup_gigabytes=0)
    content = await _asked(storing, "lost", "doomed")

    async def told() -> str:
        found = await stage.find(SNAPSHOTS, "lost", NAMESPACE)
        return str((found or {}).get("status", {}).get("error", {}).get("message", ""))

    message = await stage.come(told, "the VolumeSnapshot to tell that there is no backup")
    assert "backup" in message.lower() and "quota" in message.lower(), message
    assert Quota.remedy in message
    await _away(storing, "lost", content)
    assert not [*storage.backups(), *storage.snapshots()]
    await storing.released("doomed", name)


async def _classed(storing: Storing) -> None:
    body = {
        **_kind(SNAPSHOT_CLASSES, "backup"),
        "driver": storing.driver,
        "deletionPolicy": "Delete",
        "parameters": {"type": "backup", "force-create": "true", PACE: "600"},
    }
    await storing.stage.admin.create(SNAPSHOT_CLASSES, body)


async def _asked(storing: Storing, name: str, claim: str) -> str:
    """Ask for a backup; return the name of the VolumeSnapshot's content."""
    spec = {"volumeSnapshotClassName": "backup", "source": {"persistentVolumeClaimName": claim}}
    made = await storing.stage.admin.create(SNAPSHOTS, {**_kind(SNAPSHOTS, name), "spec": spec}, NAMESPACE)
    return f"snapcontent-{made['metadata']['uid']}"


def _kind(resource: Resource, name: str) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}


async def _handle(storing: Storing, content: str) -> str:
    found: Any = await storing.stage.admin.get(SNAPSHOT_CONTENTS, content)
    return str(found["status"]["snapshotHandle"])


async def _away(storing: Storing, name: str, content: str) -> None:
    await storing.stage.admin.delete(SNAPSHOTS, name, NAMESPACE)
    await _gone(storing, name, content)


async def _gone(storing: Storing, name: str, content: str) -> None:
    await storing.stage.gone(SNAPSHOTS, name, NAMESPACE)
    await storing.stage.gone(SNAPSHOT_CONTENTS, content)


def _in_server(storing: Storing, volume: str, command: str) -> str:
    """Run a command whose last word is the volume's disk in the server that has it; return what it says."""
    disk = f"/dev/disk/by-id/virtio-{volume[:20]}"
    server = Layout(from_environment()).server(storing.stage.site.server.id)
    words = command_in(server, ["sh", "-ec", f"{command}{disk}"])
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
