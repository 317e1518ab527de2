"""A Kubernetes API with our rights in it, and Prometheus as Debian and Ubuntu package it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import CLUSTER_ROLE_BINDINGS, SERVICE_ACCOUNTS, SUBJECT_ACCESS_REVIEWS
from causeway.lab import settings

DEADLINE = 240.0  # seconds any single condition may take on a busy machine


@dataclass
class Platform:
    """A Kubernetes API whose accounts have the rights that are shipped; ``prometheus`` may read figures."""

    admin: Client
    kubeconfig: dict[str, Any]

    async def token(self, account: str, *audiences: str) -> str:
        spec = {"audiences": list(audiences), "expirationSeconds": 600}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = SERVICE_ACCOUNTS.path("kube-system", account, "token")
        answer: str = yaml.safe_load(await self.admin.request("POST", path, body=body))["status"]["token"]
        return answer

    async def as_account(self, account: str) -> Client:
        """Return a client that is a service account."""
        user = {"name": "admin", "user": {"token": await self.token(account)}}
        return Client(from_kubeconfig(self.kubeconfig | {"users": [user]}))


async def in_force(admin: Client, user: str) -> None:
    """Wait until a user may get the figures: a binding takes effect some time after it was made."""
    spec = {"user": user, "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await admin.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": spec})
            if answer["status"]["allowed"]:
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def platform(kube_api: KubeApi) -> AsyncIterator[Platform]:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await deploy(admin)
        for name in ("prometheus", "somebody"):
            await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": name}}, "kube-system")
        group = "rbac.authorization.k8s.io"
        role = {"apiGroup": group, "kind": "ClusterRole", "name": "causeway-metrics-reader"}
        subject = {"kind": "ServiceAccount", "name": "prometheus", "namespace": "kube-system"}
        binding = {"metadata": {"name": "prometheus"}, "roleRef": role, "subjects": [subject]}
        await admin.create(CLUSTER_ROLE_BINDINGS, binding)
        await in_force(admin, f"system:serviceaccount:{subject['namespace']}:{subject['name']}")
        yield Platform(admin, yaml.safe_load(kube_api.kubeconfig.read_text()))


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of Prometheus' programs; obtained if the cache lacks them."""
    root = settings.from_environment().cache / "prometheus"
    programs = root / "usr" / "bin"
    if not (programs / "promtool").exists():
        fetched = tmp_path_factory.mktemp("prometheus")
        subprocess.run(["apt-get", "-qq", "download", "prometheus"], cwd=fetched, check=True)
        (package,) = fetched.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return programs
