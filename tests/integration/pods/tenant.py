"""A project of the lab with what a platform's stack would make in it, but for servers."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from causeway.cloud.ownership import Owner
from causeway.lab.settings import Settings

ROLES = ("member", "load-balancer_member")
SIZES = {"minimum": 4, "maximum": 30, "batch": 4}


def connect(cloud: str, file: Path) -> Connection:
    return Connection(config=OpenStackConfig(config_files=[str(file)]).get_one(cloud))


@dataclass
class Tenant:
    """A project of the lab with what a platform's stack would make in it."""

    admin: Connection
    directory: Path
    cluster: str = field(default_factory=lambda: str(uuid4()))
    nodes: tuple[str, ...] = ("w1", "w2")

    def __post_init__(self) -> None:
        name, password = f"pods-{self.cluster[:8]}", uuid4().hex
        identity: Any = self.admin.identity  # its type allows for versions nobody runs
        self.project = identity.create_project(name=name, domain_id="default")
        self.user = identity.create_user(name=name, password=password, domain_id="default")
        for role in identity.roles():
            if role.name in ROLES:
                identity.assign_project_role_to_user(self.project, self.user, role)
        auth = {
            "auth_url": self.admin.config.get_auth_args()["auth_url"],
            "username": name,
            "password": password,
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        self.clouds = self.directory / "clouds.yaml"
        self.clouds.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": auth}}}))
        self.clouds.chmod(0o600)
        self.connection = connect("openstack", self.clouds)
        self._make_networks()

    def _make_networks(self) -> None:
        network = self.connection.network
        group = network.create_security_group(name="pods")
        self.nets = {name: network.create_network(name=name) for name in ("nodes", "pods", "services")}
        ranges = {"nodes": "10.10.0.0/24", "pods": "10.20.0.0/16", "services": "172.30.0.0/16"}
        self.subnets = {
            name: network.create_subnet(network_id=net.id, name=name, ip_version=4, cidr=ranges[name])
            for name, net in self.nets.items()
        }
        self.trunks = {}
        for node in self.nodes:
            tags = Owner(self.cluster, "node").tags()
            parent = network.create_port(network_id=self.nets["nodes"].id, name=node, tags=tags)
            self.trunks[node] = network.create_trunk(name=node, port_id=parent.id)
        # Somebody else's port on our trunk: it has to stay as it is.
        self.foreign = network.create_port(network_id=self.nets["pods"].id, name="foreign")
        subport = {"port_id": self.foreign.id, "segmentation_type": "vlan", "segmentation_id": 1}
        network.add_trunk_subports(self.trunks["w1"], [subport])
        self.config = self.directory / "config.json"
        external = next(iter(network.networks(is_router_external=True)))
        self.config.write_text(
            json.dumps(
                {
                    "clusterId": self.cluster,
                    "platform": "test",
                    "externalNetworkId": external.id,
                    "podNetworkId": self.nets["pods"].id,
                    "podSubnetId": self.subnets["pods"].id,
                    "podSecurityGroupId": group.id,
                    "serviceNetworkId": self.nets["services"].id,
                    "serviceSubnetId": self.subnets["services"].id,
                    "nodeSubnetId": self.subnets["nodes"].id,
                    "loadBalancerProvider": "ovn",
                    "serviceCidr": "172.30.0.0/17",
                    "pools": {"": SIZES},
                }
            )
        )
        self.group = group

    def remove(self) -> None:
        network = self.connection.network
        for trunk in network.trunks():
            network.delete_trunk(trunk)
        for port in network.ports():
            network.delete_port(port)
        for net in self.nets.values():
            network.delete_network(net)
        network.delete_security_group(self.group)
        for left in self.admin.network.security_groups(project_id=self.project.id):
            self.admin.network.delete_security_group(left)
        self.connection.close()
        identity: Any = self.admin.identity
        identity.delete_user(self.user)
        identity.delete_project(self.project)


AnyTenant = TypeVar("AnyTenant", bound=Tenant)


@contextlib.contextmanager
def tenancy(of: type[AnyTenant], lab: Settings, directory: Path) -> Iterator[AnyTenant]:
    """Make a tenant in the lab, and take it away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OS_CLIENT_CONFIG_FILE")  # it would count for more than the files we name
        admin = connect("lab-admin", lab.clouds_file)
        made = of(admin, directory)
        try:
            yield made
        finally:
            made.remove()
            admin.close()
