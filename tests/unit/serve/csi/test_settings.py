from pathlib import Path

import pytest

from causeway.host.instance import Instance
from causeway.kit.errors import Exit, Problem
from causeway.serve.csi import settings


def test_defaults_are_those_of_the_driver_before() -> None:
    found = settings.controller({"CAUSEWAY_CLUSTER_ID": "c"})
    assert found.common.driver == "cinder.csi.openstack.org"
    assert found.common.topology_key == "topology.cinder.csi.openstack.org/zone"
    assert found.common.zones
    assert (found.cluster, found.cloud, found.clouds_file) == ("c", "openstack", None)
    assert not found.claims
    assert settings.controller({"CAUSEWAY_CLUSTER_ID": "c", "CAUSEWAY_CSI_CLAIMS": "read"}).claims


def test_everything_can_be_said() -> None:
    found = settings.node(
        {
            "CSI_ENDPOINT": "/run/node.sock",
            "CAUSEWAY_CSI_DRIVER": "disk.example.org",
            "CAUSEWAY_CSI_ZONES": "apart",
            "CAUSEWAY_NODE_ID": "s",
            "CAUSEWAY_NODE_ZONE": "z",
            "CAUSEWAY_CSI_VOLUME_LIMIT": "7",
            "CAUSEWAY_HOST_ROOT": "/host",
            "CAUSEWAY_CSI_REGISTRATION": "/kubelet/plugins_registry",
            "CAUSEWAY_CSI_HEALTH_PORT": "9882",
        }
    )
    assert found.common.endpoint == "unix:///run/node.sock"
    assert found.common.topology_key == "topology.disk.example.org/zone"
    assert not found.common.zones
    assert found.root == Path("/host")
    assert found.registration == Path("/kubelet/plugins_registry")
    assert found.common.health_port == 9882
    assert (found.server(), found.limit) == (Instance("s", "z"), 7)


@pytest.mark.parametrize(
    ("driver", "of"),
    [
        ("manila.csi.openstack.org", "manila.csi.openstack.org"),
        ("nfs.manila.csi.openstack.org", "manila.csi.openstack.org"),
        ("cephfs.manila.csi.openstack.org", "manila.csi.openstack.org"),
        ("nfs.csi.example.org", "nfs.csi.example.org"),
        ("smb.manila.csi.openstack.org", "smb.manila.csi.openstack.org"),
    ],
)
def test_the_zone_of_a_node_is_called_as_by_the_drivers_before(driver: str, of: str) -> None:
    found = settings.node({"CAUSEWAY_CSI_DRIVER": driver}, settings.SHARES)
    assert found.common.topology_key == f"topology.{of}/zone"


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({}, "CAUSEWAY_CLUSTER_ID"),
        ({"CAUSEWAY_CLUSTER_ID": "c", "CAUSEWAY_CSI_ZONES": "no"}, "CAUSEWAY_CSI_ZONES"),
        ({"CAUSEWAY_CLUSTER_ID": "c", "CAUSEWAY_CSI_HEALTH_PORT": "a"}, "CAUSEWAY_CSI_HEALTH_PORT"),
        ({"CAUSEWAY_CLUSTER_ID": "c", "CAUSEWAY_CSI_CLAIMS": "yes"}, "CAUSEWAY_CSI_CLAIMS"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(Problem, match=variable) as problem:
        settings.controller(environment)
    assert problem.value.exit_code is Exit.USAGE


def test_a_limit_is_a_number_or_found_out() -> None:
    assert settings.node({}).limit is None
    with pytest.raises(Problem, match="CAUSEWAY_CSI_VOLUME_LIMIT"):
        settings.node({"CAUSEWAY_CSI_VOLUME_LIMIT": "many"})
