"""A project of its own on the lab for a test, with a user, and everything in it taken away afterwards."""

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openstack
import yaml
from openstack.config import OpenStackConfig
from tests.pace import pauses

ROLES = ("member", "load-balancer_member")
CLOUD = "openstack"
"""The entry of the project's clouds.yaml."""


@dataclass
class Project:
    """A project; ``cloud`` is its user's connection, ``clouds`` the file that names it."""

    name: str
    id: str
    user: Any = field(repr=False)
    password: str = field(repr=False)
    clouds: Path
    cloud: Any = field(repr=False)
    admin: Any = field(repr=False)


@contextlib.contextmanager
def project(prefix: str, directory: Path, roles: Sequence[str] = ROLES) -> Iterator[Project]:
    """Make a project with a user of the given roles; the lab must be up."""
    admin: Any = openstack.connect(cloud="lab-admin")
    name, password = f"{prefix}-{uuid.uuid4().hex[:6]}", uuid.uuid4().hex
    with contextlib.ExitStack() as after:
        after.callback(admin.close)
        made = admin.identity.create_project(name=name, domain_id="default")
        after.callback(admin.identity.delete_project, made)
        user = admin.identity.create_user(name=name, password=password, domain_id="default")
        after.callback(admin.identity.delete_user, user)
        grant(admin, made, user, roles)
        clouds = write(admin, directory / f"{name}.yaml", name, password)
        cloud = connect(clouds)
        after.callback(cloud.close)
        after.callback(clear, cloud, admin)
        yield Project(name, made.id, user, password, clouds, cloud, admin)


def grant(admin: Any, project: Any, user: Any, roles: Sequence[str]) -> None:
    """Give a user these roles in a project."""
    for role in admin.identity.roles():
        if role.name in roles:
            admin.identity.assign_project_role_to_user(project, user, role)


def write(admin: Any, path: Path, name: str, password: str, cloud: str = CLOUD) -> Path:
    """Write the file that names ``cloud`` for a user and a project of the same name; return its path."""
    auth = {"auth_url": admin.config.get_auth_args()["auth_url"], "username": name, "password": password}
    auth |= {"project_name": name, "user_domain_id": "default", "project_domain_id": "default"}
    entry = {"auth": auth, "region_name": admin.config.region_name}
    path.touch(0o600)
    path.write_text(yaml.safe_dump({"clouds": {cloud: entry}}))
    return path


def connect(clouds: Path) -> Any:
    """Return a connection to the cloud of a project's file."""
    config = OpenStackConfig(config_files=[str(clouds)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(CLOUD))


def clear(cloud: Any, admin: Any) -> None:
    """Delete everything in the project of ``cloud``."""
    project_id = cloud.current_project_id
    for server in cloud.compute.servers():
        cloud.compute.delete_server(server)

    def empty() -> bool:
        left = list(cloud.load_balancer.load_balancers())
        for balancer in left:
            with contextlib.suppress(openstack.exceptions.ConflictException):  # it is being changed
                cloud.load_balancer.delete_load_balancer(balancer, cascade=True)
        return not left and not list(cloud.compute.servers())

    until(empty)
    network = cloud.network
    for trunk in network.trunks(project_id=project_id):
        network.delete_trunk(trunk)
    for address in network.ips(project_id=project_id):
        network.delete_ip(address)
    for router in network.routers(project_id=project_id):
        for port in network.ports(device_id=router.id):
            if port.device_owner != "network:router_gateway":
                network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for port in network.ports(project_id=project_id):
        with contextlib.suppress(openstack.exceptions.ConflictException):
            network.delete_port(port)
    for made in network.networks(project_id=project_id):
        network.delete_network(made)
    for group in admin.network.security_groups(project_id=project_id):
        admin.network.delete_security_group(group)
    for peers in network.address_groups(project_id=project_id):
        network.delete_address_group(peers)


def given_again(project: Project, address: str) -> Any:
    """Release the project's floating IP of ``address`` and return another one that has that address.

    Where somebody else was given it meanwhile, it is waited for until he releases it.
    """
    (before,) = project.cloud.network.ips(floating_ip_address=address)
    project.cloud.network.delete_ip(before)
    wanted = {"floating_network_id": before.floating_network_id, "project_id": project.id}

    def made() -> Any:
        with contextlib.suppress(openstack.exceptions.ConflictException):
            return project.admin.network.create_ip(floating_ip_address=address, **wanted)
        return None

    return until(made)


def clear_volumes(cloud: Any) -> None:
    """Delete all volumes, snapshots and backups of the project; its servers go first."""
    for server in cloud.compute.servers():
        cloud.compute.delete_server(server)
    until(lambda: not list(cloud.compute.servers()))
    done = {"available", "error"}
    until(lambda: all(each.status in done for each in cloud.block_storage.backups()))
    for backup in cloud.block_storage.backups():
        cloud.block_storage.delete_backup(backup)
    until(lambda: not list(cloud.block_storage.backups()))
    for snapshot in cloud.block_storage.snapshots():
        cloud.block_storage.delete_snapshot(snapshot)
    until(lambda: not list(cloud.block_storage.snapshots()))
    for volume in cloud.block_storage.volumes():
        cloud.block_storage.delete_volume(volume)
    until(lambda: not list(cloud.block_storage.volumes()))


def until(condition: Any, seconds: float = 300.0) -> Any:
    """Wait for a condition; return what it returned."""
    deadline = time.monotonic() + seconds
    pause = pauses()
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(next(pause))
    return found
