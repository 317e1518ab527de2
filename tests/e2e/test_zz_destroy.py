"""Destroy comes last: everything of the platform goes, and nothing else."""

from collections.abc import Iterator

import pytest
from openstack.connection import Connection
from openstack.network.v2.port import Port

from demo.commands import CommandEnded
from demo.path import Demo


@pytest.fixture
def foreign(cloud: Connection) -> Iterator[Port]:
    """A port that is nobody's of the platform, for all that its name says."""
    network = cloud.network.create_network(name="foreign")
    port = cloud.network.create_port(network_id=network.id, name="default/frontend")
    yield port
    cloud.network.delete_port(port)
    cloud.network.delete_network(network)


def test_destroy_leaves_nothing_and_nothing_else_goes(demo: Demo, cloud: Connection, foreign: Port) -> None:
    with pytest.raises(CommandEnded):  # the registry's images are data
        demo.causeway("destroy", str(demo.platform), "--yes")
    assert list(cloud.compute.servers())
    demo.causeway("destroy", str(demo.platform), "--yes", "--delete-volumes")
    assert list(cloud.compute.servers()) == []
    assert list(cloud.load_balancer.load_balancers()) == []
    assert list(cloud.orchestration.stacks()) == []
    assert list(cloud.block_storage.volumes()) == []
    assert list(cloud.object_store.containers()) == []
    assert [port.id for port in cloud.network.ports(project_id=cloud.current_project_id)] == [foreign.id]
    assert list(cloud.network.ips(project_id=cloud.current_project_id)) == []
    demo.causeway("destroy", str(demo.platform), "--yes")
    with pytest.raises(CommandEnded):
        demo.causeway("status", str(demo.platform))
