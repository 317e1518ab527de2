"""What the lab's Ceph is made of: keys, commands, and what they need of each other."""

import configparser
import uuid
from pathlib import Path

import pytest

from causeway.lab import packages
from causeway.lab.model import Service, Step
from causeway.lab.render import Renderer
from causeway.lab.services import ceph, units
from causeway.lab.settings import Settings, from_environment, passwords


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "lab", tmp_path / "cache", network="10.9.0.0/24", extras=("shares", "ceph"))


def configuration(lab: Settings, template: str) -> configparser.ConfigParser:
    lab.directory.mkdir()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(Renderer(lab, passwords(lab.directory)).text(template))
    return parser


def test_it_brings_the_shares_it_is_for(tmp_path: Path) -> None:
    environment = {"CAUSEWAY_LAB_DIR": str(tmp_path / "lab"), "CAUSEWAY_CACHE_DIR": str(tmp_path / "cache")}
    made = from_environment(environment, extras=("ceph",))
    assert made.extras == ("shares", "ceph")
    made.directory.mkdir()
    made.save()
    assert from_environment(environment, extras=("dns",)).extras == ("dns", "shares", "ceph")
    assert packages.with_needed(("objects",)) == ("objects",)


def test_two_labs_have_clusters_of_different_names(lab: Settings, tmp_path: Path) -> None:
    other = Settings(tmp_path / "other", tmp_path / "cache")
    assert uuid.UUID(lab.cluster_id) != uuid.UUID(other.cluster_id)


def test_servers_reach_it_where_they_reach_the_cloud(lab: Settings) -> None:
    section = configuration(lab, "ceph.conf.j2")["global"]
    assert section["mon_host"] == "v2:10.9.0.2:3300"
    assert section["public_addr"] == "10.9.0.2"


def test_the_gateway_says_all_the_cluster_says(lab: Settings) -> None:
    gateway = configuration(lab, "radosgw.conf.j2")
    assert gateway["global"]["fsid"] == lab.cluster_id
    # Its own: Ceph would look for one by the name of the file.
    assert gateway["client"]["keyring"] == ceph.KEYS["client.rgw.lab"][0]
    assert gateway["client"]["rgw_frontends"].endswith(f"port={ceph.S3_PORT}")


def test_every_daemon_is_known_to_the_monitor_before_it_starts(lab: Settings) -> None:
    by_name = {unit.name: unit for unit in units(lab)}
    cluster = by_name["ceph-cluster"]
    assert isinstance(cluster, Step)
    assert cluster.once
    script = cluster.command[-1]
    made = script.index("ceph-mon --mkfs")
    for path, _ in ceph.KEYS.values():
        assert script.index(f"--create-keyring {path}") < script.index(f"--import-keyring {path}") < made
        assert path.rpartition("/")[0] in {directory.path for directory in cluster.directories}


def test_manila_may_ask_the_manager_and_touch_nothing(lab: Settings) -> None:
    _, capabilities = ceph.KEYS["client.manila"]
    assert capabilities == {"mon": "allow r", "mgr": "allow rw"}


def test_manila_waits_for_a_file_system_only_where_there_is_one(lab: Settings) -> None:
    def needs(extras: tuple[str, ...]) -> set[str]:
        made = Settings(lab.directory, lab.cache, extras=extras)
        (share,) = (unit for unit in units(made) if unit.name == "manila-share")
        assert isinstance(share, Service)
        return set(share.needs)

    assert {"ceph-mgr", "ceph-mds"} <= needs(("shares", "ceph"))
    assert not {each for each in needs(("shares",)) if each.startswith("ceph")}


@pytest.mark.parametrize("with_ceph", [True, False])
def test_manila_has_a_back_end_for_each_protocol(lab: Settings, with_ceph: bool) -> None:
    made = lab if with_ceph else Settings(lab.directory, lab.cache, extras=("shares",))
    manila = configuration(made, "manila.conf.j2")
    backends = manila["DEFAULT"]["enabled_share_backends"].split(",")
    assert backends == (["dummy", "cephfs"] if with_ceph else ["dummy"])
    for backend in backends:
        assert manila[backend]["share_backend_name"] == backend
