"""The project of a run in the lab: networks and trunks as a platform's stack makes them, and their removal.

Only one run at a time uses a lab (a lock sees to it), so whatever carries the project's name was left by a
run that was killed, and is removed before the next begins.
"""

import contextlib
import fcntl
import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from openstack import exceptions
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from causeway.cloud.ownership import Owner
from causeway.kit.errors import Problem
from causeway.lab.settings import Settings

PROJECT = "causeway-bench"
ROLES = ("member", "load-balancer_member")
RANGES = {"nodes": "10.110.0.0/24", "pods": "10.120.0.0/16", "services": "172.30.0.0/16"}
SERVICE_CIDR = "172.30.0.0/17"
_SERVICE_POOL = [{"start": "172.30.128.2", "end": "172.30.255.254"}]
_QUOTAS = {"port": 2000, "network": 200, "subnet": 200, "security_group": 200, "security_group_rule": 2000}
_AT_ONCE = 4  # ports deleted at a time
_GONE = 600.0  # seconds load balancers may take to go


@dataclass(frozen=True)
class NodePort:
    """The port and trunk of a node."""

    name: str
    port_id: str
    trunk_id: str
    mac: str
    address: str


@dataclass
class Tenant:
    """The project as it stands; ids are Neutron's."""

    admin: Any = field(repr=False)
    user: Any = field(repr=False)
    project_id: str
    auth: dict[str, str] = field(repr=False)
    cluster: str
    ids: dict[str, str]
    nodes: tuple[NodePort, ...]

    def clouds(self, file: Path, auth_url: str | None = None) -> Path:
        """Write a clouds.yaml whose entry ``openstack`` is this project, by ``auth_url`` if given."""
        auth = {**self.auth, **({"auth_url": auth_url} if auth_url else {})}
        entry = {"auth": auth, "region_name": self.admin.config.region_name}
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump({"clouds": {"openstack": entry}}))
        return file

    def config(self, file: Path, **more: Any) -> Path:
        """Write what the controller's ConfigMap says of a platform in this project, and ``more``."""
        platform = {
            "clusterId": self.cluster,
            "platform": PROJECT,
            "externalNetworkId": self.ids["external"],
            "podNetworkId": self.ids["pods"],
            "podSubnetId": self.ids["pods-subnet"],
            "podSecurityGroupId": self.ids["group"],
            "serviceNetworkId": self.ids["services"],
            "serviceSubnetId": self.ids["services-subnet"],
            "nodeSubnetId": self.ids["nodes-subnet"],
            "loadBalancerProvider": "ovn",
            "serviceCidr": SERVICE_CIDR,
            **more,
        }
        file.write_text(json.dumps(platform))
        return file

    def endpoint(self, service_type: str) -> str:
        """Return the public address of a service, without a path."""
        url = str(self.admin.session.get_endpoint(service_type=service_type, interface="public"))
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def clear(self) -> None:
        """Remove load balancers and every port that is not a node's, whoever made them."""
        _clear_balancers(self.user)
        network = self.user.network
        kept = {node.port_id for node in self.nodes}
        for node in self.nodes:
            subports = network.get_trunk(node.trunk_id).sub_ports
            if subports:
                network.delete_trunk_subports(
                    node.trunk_id, [{"port_id": sub["port_id"]} for sub in subports]
                )
        _delete_ports(network, self.project_id, kept)


@contextlib.contextmanager
def tenant(lab: Settings, directory: Path, nodes: int) -> Iterator[Tenant]:
    """Make the project for as long as the block takes. Raises ``Problem`` when another run is under way."""
    with (lab.directory / "bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem.of(
                "this lab", "another measurement is under way", "Wait until it is done."
            ) from None
        admin: Any = _connect("lab-admin", lab.clouds_file)
        try:
            for left in list(admin.identity.projects(name=PROJECT)):
                _remove(admin, left.id)
            yield from _made(admin, directory, nodes)
        finally:
            admin.close()


def _made(admin: Any, directory: Path, nodes: int) -> Iterator[Tenant]:
    project = admin.identity.create_project(name=PROJECT, domain_id="default")
    try:
        password = secrets.token_urlsafe(16)
        user = admin.identity.create_user(name=PROJECT, password=password, domain_id="default")
        for role in ROLES:
            admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role(role))
        admin.network.update_quota(project.id, **_QUOTAS)
        auth = {
            "auth_url": admin.config.get_auth_args()["auth_url"],
            "username": PROJECT,
            "password": password,
            "project_name": PROJECT,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        made = Tenant(admin, None, project.id, auth, str(uuid4()), {}, ())
        made.user = _connect("openstack", made.clouds(directory / "user.yaml"))
        made.ids = _networks(made.user.network)
        made.nodes = tuple(_node(made, number) for number in range(1, nodes + 1))
        yield made
    finally:
        _remove(admin, project.id)


def _connect(cloud: str, file: Path) -> Connection:
    return Connection(config=OpenStackConfig(config_files=[str(file)], load_envvars=False).get_one(cloud))


def _networks(network: Any) -> dict[str, str]:
    external = next(iter(network.networks(is_router_external=True)))
    router = network.create_router(name="router", external_gateway_info={"network_id": external.id})
    ids = {"external": external.id, "router": router.id}
    ids["group"] = network.create_security_group(name="pods").id
    for name, cidr in RANGES.items():
        made = network.create_network(name=name)
        pools = (
            {"allocation_pools": _SERVICE_POOL, "gateway_ip": "172.30.128.1"} if name == "services" else {}
        )
        subnet = network.create_subnet(network_id=made.id, name=name, ip_version=4, cidr=cidr, **pools)
        network.add_interface_to_router(router, subnet_id=subnet.id)
        ids |= {name: made.id, f"{name}-subnet": subnet.id}
    return ids


def _node(made: Tenant, number: int) -> NodePort:
    name = f"bench-{number}"
    network = made.user.network
    tags = Owner(made.cluster, "node").tags()
    port = network.create_port(network_id=made.ids["nodes"], name=name, tags=tags)
    trunk = network.create_trunk(name=name, port_id=port.id)
    return NodePort(name, port.id, trunk.id, port.mac_address, port.fixed_ips[0]["ip_address"])


def _remove(admin: Any, project_id: str) -> None:
    """Remove a project with all that is in it, also what somebody was making when the run broke off."""
    network = admin.network
    for balancer in admin.load_balancer.load_balancers(project_id=project_id):
        with contextlib.suppress(exceptions.ConflictException):
            admin.load_balancer.delete_load_balancer(balancer, cascade=True)
    _await_balancers(admin, project_id)
    for address in network.ips(project_id=project_id):
        network.delete_ip(address)
    for trunk in network.trunks(project_id=project_id):
        network.delete_trunk(trunk)
    for router in network.routers(project_id=project_id):
        for port in network.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    _delete_ports(network, project_id, set())
    for each in network.networks(project_id=project_id):
        network.delete_network(each)
    for group in network.security_groups(project_id=project_id):
        network.delete_security_group(group)
    user = admin.identity.find_user(PROJECT)
    if user is not None:
        admin.identity.delete_user(user)
    admin.identity.delete_project(project_id)


def _delete_ports(network: Any, project_id: str, kept: set[str]) -> None:
    """Delete the ports of a project that are not the network's own, a few at a time."""
    doomed = [
        port
        for port in network.ports(project_id=project_id)
        if port.id not in kept and not port.device_owner.startswith("network:")
    ]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(network.delete_port, doomed))


def _clear_balancers(user: Any) -> None:
    for balancer in user.load_balancer.load_balancers():
        with contextlib.suppress(exceptions.ConflictException):
            user.load_balancer.delete_load_balancer(balancer, cascade=True)
    _await_balancers(user, None)


def _await_balancers(connection: Any, project_id: str | None) -> None:
    """Wait until the load balancers are gone; those that were being changed are deleted once they may be."""
    filters = {"project_id": project_id} if project_id else {}
    deadline = time.monotonic() + _GONE
    while left := list(connection.load_balancer.load_balancers(**filters)):
        for balancer in left:
            if not balancer.provisioning_status.startswith("PENDING"):
                with contextlib.suppress(exceptions.ConflictException):
                    connection.load_balancer.delete_load_balancer(balancer, cascade=True)
        if time.monotonic() > deadline:
            names = ", ".join(balancer.id for balancer in left)
            raise Problem.of(
                "load balancers", f"{names} do not go", "Look at the logs of Octavia in the lab."
            )
        time.sleep(0.5)
