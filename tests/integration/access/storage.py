"""A driver of storage with its sidecars, as they are shipped, and what users ask of it.

The manager of volumes and the scheduler are not there: this does what they do.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.integration.access import audit
from tests.integration.access.audit import Right
from tests.integration.access.stage import Program, Stage
from tests.integration.projects import CLOUD

from causeway.kube.errors import Object
from causeway.kube.resource import (
    CLAIMS,
    CSI_DRIVERS,
    NODES,
    PERSISTENT_VOLUMES,
    SNAPSHOT_CLASSES,
    SNAPSHOT_CONTENTS,
    STORAGE_CLASSES,
    Resource,
)

NAMESPACE = "default"
CSI_NODES = Resource("storage.k8s.io", "v1", "csinodes", "CSINode", namespaced=False)
ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", namespaced=False)
SNAPSHOTS = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")


@dataclass(frozen=True)
class Storing:
    """A driver on a stage: its account and its claims' class; ``zone`` is the key of its topology, if any."""

    stage: Stage
    account: str
    driver: str
    storage_class: str
    mode: str
    zone: str = ""

    async def start(
        self,
        part: str,
        manifests: Iterable[Object],
        binaries: Mapping[str, Path],
        files: Mapping[str, str],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start driver and sidecars with the arguments of the manifest, under the account of the manifest.

        ``files`` are those of its credential, ``part`` is what ``causeway serve`` is told, ``settings`` its
        further variables.
        """
        stage, site = self.stage, self.stage.site
        site.put(self.clouds, files["clouds.yaml"])
        socket = site.directory / f"{part}.sock"
        token = await stage.token(self.account, **await stage.holder(self.account, self.account))
        kubeconfig, _ = stage.kubeconfig(self.account, token)
        environment = {
            **(settings or {}),
            "CSI_ENDPOINT": f"unix://{socket}",
            "CAUSEWAY_CLUSTER_ID": site.cluster,
            "KUBECONFIG": str(kubeconfig),
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            "OS_CLOUD": CLOUD,
        }
        stage.programs.append(Program(part, site.directory, environment))
        found = list(manifests)
        (spec,) = (
            each["spec"]["template"]["spec"]
            for each in found
            if (each["kind"], each["metadata"]["name"]) == ("Deployment", self.account)
        )
        for container in spec["containers"]:
            program = Path(container["image"].partition(":")[0]).name
            if program in binaries:
                words = [each.replace("/csi/csi.sock", str(socket)) for each in container["args"]]
                self.sidecar(binaries[program], kubeconfig, *words)
        for each in found:
            if each["kind"] in (STORAGE_CLASSES.kind, SNAPSHOT_CLASSES.kind, CSI_DRIVERS.kind):
                await stage.admin.apply(each, manager="causeway")

    def sidecar(self, program: Path, kubeconfig: Path, *words: str) -> None:
        """Start a sidecar."""
        where = [f"--kubeconfig={kubeconfig}", "--leader-election-namespace=kube-system"]
        # A sidecar that could not renew its lease in time ends, and here nobody starts it again.
        where += ["--leader-election-lease-duration=5m", "--leader-election-renew-deadline=4m"]
        directory = self.stage.site.directory
        name = f"{self.account}-{program.name}"
        self.stage.programs.append(Program(name, directory, {}, argv=[str(program), *words, *where]))

    @property
    def clouds(self) -> Path:
        """Return the file with the driver's credential."""
        return self.stage.site.directory / f"{self.account}-credential.yaml"

    async def placed(self) -> None:
        """Have a node that is the project's server."""
        stage = self.stage
        await stage.join(self.account, f"openstack:///{stage.site.server.id}", ready=True)
        keys = [self.zone] if self.zone else []
        labels = dict.fromkeys(keys, "nova")
        await stage.admin.patch(NODES, self.account, {"metadata": {"labels": labels}})
        there = {"name": self.driver, "nodeID": stage.site.server.id, "topologyKeys": keys}
        body = {"metadata": {"name": self.account}, "spec": {"drivers": [there]}}
        await stage.admin.create(CSI_NODES, body)

    async def claim(self, name: str, size: str, notes: Mapping[str, str] | None = None, **more: Any) -> str:
        """Make a claim whose first pod is to be on the node; return the name its volume is to have."""
        annotations = {
            **(notes or {}),
            "volume.kubernetes.io/selected-node": self.account,
            "volume.kubernetes.io/storage-provisioner": self.driver,
        }
        spec: dict[str, Any] = {"accessModes": [self.mode], "storageClassName": self.storage_class, **more}
        spec["resources"] = {"requests": {"storage": size}}
        body = {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
        made = await self.stage.admin.create(CLAIMS, body, NAMESPACE)
        return f"pvc-{made['metadata']['uid']}"

    async def claimed(self, name: str, size: str, **more: Any) -> tuple[str, str]:
        """Have a claim's volume; return its names, here and there."""
        volume = await self.claim(name, size, **more)

        async def made() -> Any:
            return await self.stage.find(PERSISTENT_VOLUMES, volume)

        found = await self.stage.come(made, f"the volume of {name}")
        return volume, found["spec"]["csi"]["volumeHandle"]

    async def bound(self, claim: str, volume: str, size: str) -> None:
        """Have a claim and its volume know each other."""
        admin = self.stage.admin
        await admin.patch(CLAIMS, claim, {"spec": {"volumeName": volume}}, NAMESPACE)
        status = {"phase": "Bound", "capacity": {"storage": size}, "accessModes": [self.mode]}
        await admin.patch(CLAIMS, claim, {"status": status}, NAMESPACE, subresource="status")
        await admin.patch(PERSISTENT_VOLUMES, volume, {"status": {"phase": "Bound"}}, subresource="status")

    async def attached(self, volume: str, look: Callable[[], None]) -> None:
        """Have a volume at the node while ``look`` looks, and then no more."""
        stage = self.stage
        spec = {"attacher": self.driver, "nodeName": self.account, "source": {"persistentVolumeName": volume}}
        await stage.admin.create(ATTACHMENTS, {"metadata": {"name": "there"}, "spec": spec})

        async def there() -> Any:
            found = await stage.find(ATTACHMENTS, "there")
            return (found or {}).get("status", {}).get("attached")

        await stage.come(there, "the volume at its server")
        look()
        await stage.admin.delete(ATTACHMENTS, "there")
        await stage.gone(ATTACHMENTS, "there")

    async def enlarged(self, claim: str, volume: str, size: str) -> None:
        """Have a claim's volume larger."""
        larger = {"spec": {"resources": {"requests": {"storage": size}}}}
        await self.stage.admin.patch(CLAIMS, claim, larger, NAMESPACE)

        async def grown() -> bool:
            found = await self.stage.find(PERSISTENT_VOLUMES, volume)
            return bool(found and found["spec"]["capacity"]["storage"] == size)

        await self.stage.come(grown, "a larger volume")

    async def copied(self, claim: str, size: str, look: Callable[[str, str], None]) -> None:
        """Take a snapshot of a claim and make another claim of it, ``look`` at both; then both go."""
        stage = self.stage
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
        assert status["restoreSize"] == size, status
        source = {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": "then"}
        volume, copy = await self.claimed("restored", size, dataSource=source)
        look(content["status"]["snapshotHandle"], copy)
        await self.released("restored", volume)
        await stage.admin.delete(SNAPSHOTS, "then", NAMESPACE)
        await stage.gone(SNAPSHOTS, "then", NAMESPACE)
        await stage.gone(SNAPSHOT_CONTENTS, content["metadata"]["name"])

    async def cloned(self, claim: str, size: str, look: Callable[[str], None]) -> None:
        """Make another claim of a claim, ``look`` at its volume, and have it go."""
        source = {"kind": CLAIMS.kind, "name": claim}
        volume, clone = await self.claimed("cloned", size, dataSource=source)
        look(clone)
        await self.released("cloned", volume)

    async def released(self, claim: str, volume: str) -> None:
        """Delete a claim, and do what its protection and the manager of volumes would, were they here."""
        admin = self.stage.admin
        await admin.delete(CLAIMS, claim, NAMESPACE)
        await admin.patch(CLAIMS, claim, {"metadata": {"finalizers": None}}, NAMESPACE)
        await self.stage.gone(CLAIMS, claim, NAMESPACE)
        status = {"status": {"phase": "Released"}}
        await admin.patch(PERSISTENT_VOLUMES, volume, status, subresource="status")

        async def leaving() -> bool:
            found = await self.stage.find(PERSISTENT_VOLUMES, volume)
            return found is None or "deletionTimestamp" in found["metadata"]

        await self.stage.come(leaving, f"the volume of {claim} to be deleted")

    async def judged(self, rights: set[Right], rare: Iterable[Right]) -> None:
        """Assert that all rights but the rare were used, none was missing, and no log tells the secret."""
        stage = self.stage
        ended = [each.file.name for each in stage.programs if not each.alive]
        assert not ended, f"these have ended: {ended}"
        log = stage.api.directory / "audit.log"

        async def all_used() -> bool:
            return not unused()

        def unused() -> set[Right]:
            return audit.unused(rights, audit.requests(log, self.account)) - set(rare)

        try:
            await stage.come(all_used, "every right to be used", 120)
        finally:
            # Some come late, such as events; those that are left are told, and not all the programs' logs.
            left = sorted(map(str, unused()))
            lacking = sorted(map(str, audit.denied(audit.requests(log, self.account))))
            assert not left, f"{self.account} has rights it does not use: {left}; it lacks: {lacking}"
        assert not lacking, f"{self.account} lacks rights: {lacking}"
        await stage.admin.delete(NODES, self.account)
        said = "".join(each.log for each in stage.programs)
        secret = yaml.safe_load(self.clouds.read_text())
        hidden = secret["clouds"][CLOUD]["auth"]["application_credential_secret"] not in said
        assert hidden, "a log tells the credential"
