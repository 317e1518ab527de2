"""One platform for all end-to-end tests: they walk the demo's path in order, on one deployed platform."""

import os
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.connection import Connection
from tests.e2e.routed import WANTED, Ask, answer, authority_of
from tests.integration import projects

from causeway.kit.progress import Progress
from causeway.lab import settings
from causeway.lab.seed import USER_ROLES
from demo.commands import Kubectl, causeway, lab_environment
from demo.path import HERE, Demo

NAME = "e2e"
CLOUD = "lab"  # as the platform's file has it
SERVICES = "    services: {cidr: 172.30.0.0/16}\n"
ZONE = "    zone: demo.causeway.test\n"
REGISTRY = "  registry: {storage: cinder, size: 5}\n"
SHARES = "  shares: {classes: {cephfs: {protocol: CEPHFS, type: cephfs}}}\n"
INFRA = "      role: infra\n      count: "
IPV6 = '    ipv6: {nodes: "fd00:10::/64", pods: "fd00:20::/64", services: "fd00:30::/108"}\n'


@pytest.fixture(scope="session")
def demo() -> Demo:
    """The demo with its platform deployed, with IPv6, the zone's own name servers, shares and two routers.

    It has a project of its own: what else is tested on the lab goes on beside it. Its files lie in the lab's
    directory and go with the lab.
    """
    directory = Path(os.environ["CAUSEWAY_LAB_DIR"]) / "e2e"
    directory.mkdir(exist_ok=True)
    text = (HERE / "platform.yaml").read_text()
    servers = f"    nameservers: [{settings.from_environment().address}]\n"
    causeway("lab", "up", "--with", "dns")
    demo = Demo(Progress(sys.stdout), directory / "platform.yaml", _user(directory / "clouds.yaml"))
    for line, more in ((SERVICES, IPV6), (ZONE, servers), (REGISTRY, SHARES)):
        text = text.replace(line, line + more)
    text = text.replace(f"{INFRA}1\n", f"{INFRA}2\n")
    demo.platform.write_text(text)
    demo.cloud()
    demo.deploy()
    return demo


def _user(clouds: Path) -> dict[str, str]:
    """Make a project and its user, unless an earlier run on this lab has; return how they are used."""
    if not clouds.exists():
        files = [lab_environment()["OS_CLIENT_CONFIG_FILE"]]
        config = openstack.config.OpenStackConfig(config_files=files, load_envvars=False)
        password = uuid.uuid4().hex
        with Connection(config=config.get_one("lab-admin")) as admin:
            identity: Any = admin.identity  # typed as any version of it
            project = identity.find_project(NAME) or identity.create_project(name=NAME, domain_id="default")
            if (before := identity.find_user(NAME)) is not None:
                identity.delete_user(before)
            user = identity.create_user(name=NAME, password=password, domain_id="default")
            projects.grant(admin, project, user, USER_ROLES)
            projects.write(admin, clouds, NAME, password, CLOUD)
    return {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": CLOUD}


@pytest.fixture(scope="session")
def kubectl(demo: Demo) -> Kubectl:
    return demo.kubectl()


@pytest.fixture(scope="session")
def url(demo: Demo) -> str:
    """Where the guestbook answers."""
    return demo.application()


@pytest.fixture(scope="session")
def cloud(demo: Demo) -> Connection:
    """The project's own view of the cloud."""
    return demo.connected()


@pytest.fixture(scope="module")
def router_address(demo: Demo) -> str:
    """The address of the platform's router from outside."""
    with Progress().phase("router") as phase:  # tests before may have lost a node
        return str(demo.working(phase)["addresses"]["router"])


@pytest.fixture(scope="module")
def ask(router_address: str, kubectl: Kubectl, url: str) -> Iterator[Ask]:
    """Ask an application behind the router by its host name; needs the guestbook."""
    kubectl("apply", "-f", "-", stdin=WANTED)
    yield partial(answer, router_address, authority_of(kubectl.kubeconfig))
    kubectl("delete", "route/front", "ingress/front", "-n", "default")
