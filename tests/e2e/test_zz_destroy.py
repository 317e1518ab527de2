"""Destroy comes last: everything of the platform goes, and nothing else."""

import pytest
from openstack.connection import Connection

from demo.commands import CommandEnded
from demo.path import Demo


def test_destroy_leaves_nothing_and_nothing_else_goes(demo: Demo, cloud: Connection) -> None:
    foreign = cloud.network.create_port(
        network_id=cloud.network.create_network(name="foreign").id, name="default/frontend"
    )
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
