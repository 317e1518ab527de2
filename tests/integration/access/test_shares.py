"""The driver of shares with its sidecars, as they are shipped: every right is used and none is missing, and
the credential suffices.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.access import audit
from tests.integration.access.audit import Right
from tests.integration.access.stage import Stage
from tests.integration.access.storage import Storing
from tests.integration.deployment import FOLDER
from tests.integration.shares import cloud

from causeway.rooms.platforms import addons, credential
from causeway.rooms.platforms.storage import ShareDriver, Sidecars

ACCOUNT = "causeway-shares"
CLASSES = {"files": {"protocol": "NFS", "type": cloud.TYPE}}
RIGHTS = audit.rights(FOLDER / "24-shares-access.yaml", ACCOUNT)
RARE = {
    **{each: "an API server that does not send lists by watches" for each in RIGHTS if each.verb == "list"},
    Right("", "events", "patch"): "the same news again",
}


@pytest.fixture
async def storing(stage: Stage, sidecar_binaries: dict[str, Path]) -> AsyncIterator[Storing]:
    made = Storing(stage, ACCOUNT, "manila.csi.openstack.org", "files", "ReadWriteMany")
    chosen = addons.Shares(
        stage.site.cluster, ShareDriver.model_validate({"classes": CLASSES}), Sidecars(), {}
    )
    manifests = addons.manifests(addons.Settings({}, {}, 1, shares=chosen))
    files = credential.ensure_for_shares(stage.site.project.cloud, stage.site.credential, {})
    await made.start("csi-shares-controller", manifests, sidecar_binaries, files)
    # It comes with the volume driver, by whose rights it acts.
    made.sidecar(sidecar_binaries["snapshot-controller"], stage.api.kubeconfig, "--leader-election")
    yield made


async def test_every_right_is_used_and_none_is_missing(storing: Storing) -> None:
    project = storing.stage.site.project.cloud
    await storing.placed()
    name, handle = await storing.claimed("data", "1Gi")
    await storing.bound("data", name, "1Gi")

    def open_to_one() -> None:
        assert len(cloud.rules(project, handle)) == 1

    await storing.attached(name, open_to_one)
    assert cloud.rules(project, handle) == {}
    await storing.enlarged("data", name, "2Gi")

    def of_the_snapshot(snapshot: str, copy: str) -> None:
        found = {each["id"]: each for each in cloud.shares(project)}
        assert found[handle]["size"] == 2
        assert found[handle]["metadata"]["csi.storage.k8s.io/pvc/name"] == "data"
        assert found[copy]["snapshot_id"] == snapshot

    await storing.copied("data", "2Gi", of_the_snapshot)
    await storing.released("data", name)
    assert not cloud.shares(project)
    assert not cloud.snapshots(project)
    await storing.judged(RIGHTS, RARE)
    await asyncio.gather(*(asyncio.to_thread(each.stop) for each in storing.stage.programs))
