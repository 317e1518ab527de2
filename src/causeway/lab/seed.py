"""Filling the new cloud as its administrator would, through its own APIs; everything can be repeated.

Run by the supervisor in the lab's network: ``python -m causeway.lab.seed WHAT DIRECTORY``, where WHAT is
``identities``, ``resources``, ``share-types`` or the name of an extra, whose identities are made.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openstack import exceptions

from causeway.lab import settings
from causeway.lab.settings import Settings
from causeway.lab.verify import connect

# Type of service to (name of its user, where it answers).
ENDPOINTS = {
    "image": ("glance", "9292"),
    "placement": ("placement", "8778"),
    "network": ("neutron", "9696"),
    "compute": ("nova", "8774/v2.1"),
    "load-balancer": ("octavia", "9876"),
    "orchestration": ("heat", "8004/v1/%(tenant_id)s"),
    "block-storage": ("cinder", "8776/v3/%(tenant_id)s"),
    "volumev3": ("cinder", "8776/v3/%(tenant_id)s"),
}
EXTRA_ENDPOINTS = {
    "dns": {"dns": ("designate", "9001")},
    "shares": {"shared-file-system": ("manila", "8786/v2"), "sharev2": ("manila", "8786/v2")},
    "objects": {"object-store": ("swift", "8080/v1/AUTH_%(tenant_id)s")},
    "baremetal": {"baremetal": ("ironic", "6385")},
    "ceph": {"s3": ("radosgw", "7480")},
}
ROLES = (
    "service",
    "member",
    "load-balancer_admin",
    "load-balancer_member",
    "heat_stack_owner",
    "heat_stack_user",
    "swiftoperator",
    "ResellerAdmin",
)
USER_ROLES = ("member", "load-balancer_member", "heat_stack_owner", "swiftoperator")
ADMIN_ROLES = ("admin", "member", "load-balancer_admin")
# Name to processors, MiB of memory, GiB of disk.
FLAVORS = {"m1.small": (1, 1024, 10), "m1.medium": (2, 2048, 20), "m1.large": (2, 4096, 20)}
SHARE_TYPES_VERSION = "2.50"


def identities(lab: Settings, secrets: Mapping[str, str], wanted: Mapping[str, tuple[str, str]]) -> None:
    """Make projects, users, roles, and the services and endpoints ``wanted`` (see ``ENDPOINTS``)."""
    identity = connect(lab, "lab-admin").identity
    project = {
        name: identity.find_project(name) or identity.create_project(name=name, domain_id="default")
        for name in ("service", "demo", "admin")
    }
    role = {role.name: role for role in identity.roles()}
    role |= {name: identity.create_role(name=name) for name in ROLES if name not in role}
    users = {user.name: user for user in identity.users(domain_id="default")}

    def user(name: str, password: str) -> Any:
        return users.get(name) or identity.create_user(
            name=name, domain_id="default", password=secrets[password]
        )

    def grant(who: Any, where: str, roles: tuple[str, ...]) -> None:
        for name in roles:
            identity.assign_project_role_to_user(project[where], who, role[name])

    grant(user("demo", "demo"), "demo", USER_ROLES)
    grant(users["admin"], "admin", ADMIN_ROLES)
    for name in sorted({owner for owner, _ in wanted.values()}):
        grant(user(name, "service"), "service", ("admin", "service"))
    services = {service.type: service for service in identity.services()}
    endpoints = {(endpoint.service_id, endpoint.interface) for endpoint in identity.endpoints()}
    for kind, (name, where) in wanted.items():
        service = services.get(kind) or identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            if (service.id, interface) not in endpoints:
                identity.create_endpoint(
                    service_id=service.id,
                    interface=interface,
                    region_id="RegionOne",
                    url=f"http://{lab.address}:{where}",
                )
    # Heat keeps the users of wait conditions in a domain of their own.
    domain = identity.find_domain("heat") or identity.create_domain(name="heat")
    keeper = identity.find_user("heat_domain_admin", domain_id=domain.id) or identity.create_user(
        name="heat_domain_admin", domain_id=domain.id, password=secrets["heat_domain"]
    )
    identity.assign_domain_role_to_user(domain, keeper, role["admin"])


def resources(lab: Settings) -> None:
    """Make flavors and the external network, and give the demo user nothing more than that."""
    cloud = connect(lab, "lab-admin")
    flavors = {flavor.name for flavor in cloud.compute.flavors()}
    for name, (processors, memory, disk) in FLAVORS.items():
        if name not in flavors:
            cloud.compute.create_flavor(name=name, vcpus=processors, ram=memory, disk=disk)
    network = cloud.network.find_network("ext") or cloud.network.create_network(
        name="ext",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="physnet1",
    )
    first, last = lab.external_pool
    if not list(cloud.network.subnets(network_id=network.id)):
        cloud.network.create_subnet(
            network_id=network.id,
            name="ext-subnet",
            ip_version=4,
            cidr=lab.external,
            gateway_ip=lab.external_gateway,
            is_dhcp_enabled=False,
            allocation_pools=[{"start": first, "end": last}],
        )


def share_types(lab: Settings) -> None:
    """Make a type of share for each back end; ``default`` is what is taken when none is asked for."""
    manila = connect(lab, "lab-admin").shared_file_system
    types = manila.get("/types", microversion=SHARE_TYPES_VERSION).json()["share_types"]
    there = {kind["name"] for kind in types}
    backends = {"default": "dummy"} | ({"cephfs": "cephfs"} if "ceph" in lab.extras else {})
    for name in backends.keys() - there:
        specs = {
            "driver_handles_share_servers": "False",
            "share_backend_name": backends[name],
            "snapshot_support": "True",
            "create_share_from_snapshot_support": "True",
        }
        body = {"share_type": {"name": name, "share_type_access:is_public": True, "extra_specs": specs}}
        answer = manila.post("/types", json=body, microversion=SHARE_TYPES_VERSION)
        exceptions.raise_from_response(answer)


def main() -> None:
    """Do what the first argument says for the lab in the directory given as the second."""
    what, lab = sys.argv[1], settings.load(Path(sys.argv[2]))
    if what == "resources":
        resources(lab)
    elif what == "share-types":
        share_types(lab)
    else:
        wanted = ENDPOINTS if what == "identities" else EXTRA_ENDPOINTS[what]
        identities(lab, settings.passwords(lab.directory), wanted)


if __name__ == "__main__":
    main()
