"""What ``causeway destroy`` does with volumes, shares and snapshots of claims: nothing that was not said.

The platform is half made: it has its keys and an object in the cloud, and a claim's data.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.projects import CLOUD, Project, clear_volumes, project, until
from tests.integration.shares import cloud as shares
from tests.integration.volumes.place import boot

from causeway.cloud.ownership import ACCESS, DRIVER_CLUSTER, SHARE, SHARE_CLUSTER, VOLUME, Owner
from causeway.lab.settings import Settings
from causeway.rooms.platforms import state

NAME = "keeping"
PLATFORM = """\
apiVersion: causeway.dev/v1alpha1
kind: Platform
metadata: {name: keeping}
spec:
  cloud: openstack
  kubernetes: {version: v1.35.4}
  networks:
    external: ext
    nodes: {cidr: 10.210.0.0/24}
    pods: {cidr: 10.211.0.0/20}
    services: {cidr: 172.29.0.0/20}
  pools:
    - {name: master, role: master, count: 1, flavor: m1.medium, image: causeway-node-v1.35.4}
    - {name: work, role: compute, count: 1, flavor: m1.small, image: causeway-node-v1.35.4}
"""
CLAIM = {"csi.storage.k8s.io/pvc/namespace": "shop", "csi.storage.k8s.io/pvc/name": "data"}


class Remains:
    """A platform of which little is left."""

    def __init__(self, made: Project, directory: Path) -> None:
        self.project = made
        self.file = directory / "platform.yaml"
        self.file.write_text(PLATFORM)
        self.kept = state.fresh(state.directory_of(self.file, NAME))
        self.cluster = self.kept.cluster_id
        self.network = ""

    def again(self) -> None:
        """Have the platform's keys, and one thing that a controller made."""
        state.create(self.kept)
        network: Any = self.project.cloud.network
        made = network.create_network(name="shop")
        network.set_tags(made, Owner(self.cluster, "namespace", "u1").tags())
        self.network = made.id

    def network_exists(self) -> bool:
        return self.project.cloud.network.find_network(self.network) is not None

    def volume(self, name: str, metadata: dict[str, str]) -> Any:
        storage = self.project.cloud.block_storage
        made = storage.create_volume(name=name, size=1, metadata=metadata)
        until(lambda: storage.get_volume(made.id).status == "available")
        return made

    def claimed(self, name: str) -> Any:
        owner = Owner(self.cluster, VOLUME, name).metadata()
        return self.volume(name, {DRIVER_CLUSTER: self.cluster, **owner, **CLAIM})

    def snapshot(self, volume: Any) -> Any:
        storage = self.project.cloud.block_storage
        metadata = {DRIVER_CLUSTER: self.cluster, **Owner(self.cluster, VOLUME, "nightly").metadata()}
        made = storage.create_snapshot(volume_id=volume.id, name="nightly", metadata=metadata)
        until(lambda: storage.get_snapshot(made.id).status == "available")
        return made

    def share(self, name: str) -> Any:
        manila = self.project.cloud.shared_file_system
        metadata = {SHARE_CLUSTER: self.cluster, **Owner(self.cluster, SHARE, name).metadata(), **CLAIM}
        body = {
            "name": name,
            "size": 1,
            "share_proto": "NFS",
            "share_type": shares.TYPE,
            "metadata": metadata,
        }
        answer = manila.post("/shares", json={"share": body}, microversion=shares.VERSION).json()
        made = answer["share"]["id"]
        until(lambda: [each["status"] for each in shares.shares(self.project.cloud, name)] == ["available"])
        return made

    def share_snapshot(self, share: str) -> Any:
        manila = self.project.cloud.shared_file_system
        description = Owner(self.cluster, SHARE, "nightly").description()
        body = {"share_id": share, "name": "nightly", "description": description}
        answer = manila.post("/snapshots", json={"snapshot": body}, microversion=shares.VERSION).json()
        until(lambda: [each["status"] for each in shares.snapshots(self.project.cloud)] == ["available"])
        return answer["snapshot"]["id"]

    def stored(self) -> set[str]:
        cloud = self.project.cloud
        kinds = (cloud.block_storage.volumes, cloud.block_storage.snapshots)
        of_manila = (*shares.shares(cloud), *shares.snapshots(cloud))
        return {each.id for kind in kinds for each in kind()} | {each["id"] for each in of_manila}

    def destroy(self, *words: str, clouds: Path | None = None) -> subprocess.CompletedProcess[str]:
        program = (sys.executable, "-c", "from causeway.main import main; main()")
        known = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        return subprocess.run(
            [*program, "destroy", str(self.file), "--yes", *words],
            env=known | {"OS_CLIENT_CONFIG_FILE": str(clouds or self.project.clouds)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )


@pytest.fixture
def remains(lab: Settings, tmp_path: Path) -> Iterator[Remains]:
    with project("keeping", tmp_path) as made:
        try:
            yield Remains(made, tmp_path)
        finally:
            clear_volumes(made.cloud)
            shares.clear_shares(made.cloud)


def test_data_stops_destroy_until_it_is_said_what_becomes_of_it(remains: Remains) -> None:
    remains.again()
    volume, theirs = remains.claimed("pvc-a"), remains.volume("pvc-b", {DRIVER_CLUSTER: remains.cluster})
    foreign = remains.volume("pvc-a", {DRIVER_CLUSTER: "kubernetes"})
    snapshot = remains.snapshot(volume)
    share = remains.share("pvc-c")
    ours = {volume.id, theirs.id, snapshot.id, share, remains.share_snapshot(share)}

    refused = remains.destroy()
    assert refused.returncode == 1, refused.stdout
    told = f"error: volume pvc-a ({volume.id}): holds data of a claim: 1 GiB, claim shop/data\n"
    assert told in refused.stderr
    assert all(each in refused.stderr for each in ours)
    assert foreign.id not in refused.stderr
    assert "--keep-volumes" in refused.stderr
    assert remains.network_exists()
    assert remains.stored() == {*ours, foreign.id}

    kept = remains.destroy("--keep-volumes")
    assert kept.returncode == 0, kept.stderr
    assert "1 share, 1 share snapshot, 1 snapshot, 2 volumes kept in the cloud" in kept.stdout
    assert all(each in kept.stdout for each in ours)
    assert not remains.network_exists()
    assert not remains.kept.directory.exists()
    assert remains.stored() == {*ours, foreign.id}

    remains.again()
    deleted = remains.destroy("--delete-volumes")
    assert deleted.returncode == 0, deleted.stderr
    assert "nothing in the cloud carries its tags any more" in deleted.stdout
    assert remains.stored() == {foreign.id}
    assert not remains.network_exists()


def test_a_volume_in_use_is_named_and_goes_when_its_server_is_gone(remains: Remains, lab: Settings) -> None:
    remains.again()
    cloud = remains.project.cloud
    server = boot(lab, cloud, remains.project.name)
    volume = remains.claimed("pvc-a")
    cloud.compute.create_volume_attachment(server, volume_id=volume.id)
    until(lambda: cloud.block_storage.get_volume(volume.id).status == "in-use")
    refused = remains.destroy()
    assert refused.returncode == 1
    assert f"claim shop/data, attached to {server.id}" in refused.stderr
    assert remains.network_exists()

    cloud.compute.delete_server(server)  # as Heat does; the volume may be on its way
    deleted = remains.destroy("--delete-volumes")
    assert deleted.returncode == 0, deleted.stderr
    assert remains.stored() == set()


def test_a_share_a_node_of_another_platform_has_stays_until_its_rule_is_gone(remains: Remains) -> None:
    remains.again()
    cloud, share = remains.project.cloud, remains.share("pvc-a")
    rule = {"access_type": "ip", "access_to": "192.0.2.7", "access_level": "rw"}
    marks = Owner("elsewhere", ACCESS, "w1").metadata()
    shares.act(cloud, share, {"allow_access": {**rule, "metadata": marks}})
    until(lambda: shares.rules(cloud, share) == {"192.0.2.7": "active"})
    refused = remains.destroy("--delete-volumes")
    assert refused.returncode == 1, refused.stdout
    assert "node w1 of platform elsewhere has it" in refused.stderr
    told = re.search(rf"openstack share access delete {share} (\S+)", refused.stderr)
    assert told, refused.stderr
    assert remains.stored() == {share}

    shares.act(cloud, share, {"deny_access": {"access_id": told[1]}})  # as it is told
    until(lambda: not shares.rules(cloud, share))
    deleted = remains.destroy("--delete-volumes")
    assert deleted.returncode == 0, deleted.stderr
    assert remains.stored() == set()


def test_destroy_works_in_a_cloud_without_cinder(remains: Remains, tmp_path: Path) -> None:
    remains.again()
    entries = yaml.safe_load(remains.project.clouds.read_text())
    entries["clouds"][CLOUD]["block_storage_region_name"] = "nowhere"  # the catalogue has none of it there
    clouds = tmp_path / "without.yaml"
    clouds.write_text(yaml.safe_dump(entries))
    done = remains.destroy(clouds=clouds)
    assert done.returncode == 0, done.stderr
    assert not remains.network_exists()
