"""One platform for all end-to-end tests: they walk the demo's path in order, on one deployed platform."""

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import openstack
import pytest
from openstack.connection import Connection
from tests.e2e.routed import WANTED, Ask, answer, authority_of

from causeway.kit.progress import Progress
from causeway.lab import settings
from demo.commands import Kubectl, lab_environment
from demo.path import HERE, Demo

SERVICES = "    services: {cidr: 172.30.0.0/16}\n"
ZONE = "    zone: demo.causeway.test\n"
REGISTRY = "  registry: {storage: cinder, size: 5}\n"
SHARES = "  shares: {classes: {cephfs: {protocol: CEPHFS, type: cephfs}}}\n"
INFRA = "      role: infra\n      count: "
IPV6 = '    ipv6: {nodes: "fd00:10::/64", pods: "fd00:20::/64", services: "fd00:30::/108"}\n'


@pytest.fixture(scope="session")
def demo() -> Demo:
    """The demo with its platform deployed, with IPv6, the zone's own name servers, shares and two routers.

    Its files lie in the lab's directory and go with the lab.
    """
    directory = Path(os.environ["CAUSEWAY_LAB_DIR"]) / "e2e"
    directory.mkdir(exist_ok=True)
    text = (HERE / "platform.yaml").read_text()
    servers = f"    nameservers: [{settings.from_environment().address}]\n"
    demo = Demo(Progress(sys.stdout), directory / "platform.yaml")
    for line, more in ((SERVICES, IPV6), (ZONE, servers), (REGISTRY, SHARES)):
        text = text.replace(line, line + more)
    text = text.replace(f"{INFRA}1\n", f"{INFRA}2\n")
    demo.platform.write_text(text)
    demo.cloud()
    demo.deploy()
    return demo


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
    os.environ.update(lab_environment())
    return openstack.connect()


@pytest.fixture(scope="module")
def router_address(demo: Demo) -> str:
    """The address of the platform's router from outside."""
    status = json.loads(demo.causeway("status", str(demo.platform), "-o", "json"))
    return str(status["addresses"]["router"])


@pytest.fixture(scope="module")
def ask(router_address: str, kubectl: Kubectl, url: str) -> Iterator[Ask]:
    """Ask an application behind the router by its host name; needs the guestbook."""
    kubectl("apply", "-f", "-", stdin=WANTED)
    yield partial(answer, router_address, authority_of(kubectl.kubeconfig))
    kubectl("delete", "route/front", "ingress/front", "-n", "default")
