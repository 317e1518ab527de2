"""A Kubernetes API for the module, and for each test a router of its own with the rights that are shipped."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration.deployment import deploy
from tests.integration.kube_api import Authority, KubeApi
from tests.integration.routes.stage import LOCAL, Application, Router, Site

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import NAMESPACES, SERVICE_ACCOUNTS

StartApplication = Callable[..., Awaitable[Application]]


@pytest.fixture(scope="module")
def address() -> Iterator[None]:
    """The address of applications, on the loopback device."""
    subprocess.run(["ip", "address", "replace", f"{LOCAL}/32", "dev", "lo"], check=True)
    yield
    subprocess.run(["ip", "address", "delete", f"{LOCAL}/32", "dev", "lo"], check=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def kubeconfig_of_router(admin: Client, api: KubeApi, directory: Path) -> Path:
    """Return the kubeconfig of the router's service account."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    path = SERVICE_ACCOUNTS.path("kube-system", "causeway-router", "token")
    token = yaml.safe_load(await admin.request("POST", path, body=body))["status"]["token"]
    file = directory / "router.kubeconfig"
    file.write_text(yaml.safe_dump(api.config(f"https://127.0.0.1:{api.port}", {"token": token})))
    return file


@pytest.fixture
async def site(kube_api: KubeApi, authority: Authority, address: None, tmp_path: Path) -> AsyncIterator[Site]:
    """A router that has started, and nothing routed yet."""
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await deploy(admin)
        router = Router(tmp_path, await kubeconfig_of_router(admin, kube_api, tmp_path))
        try:
            await router.start()
            yield Site(admin, router, authority)
        finally:
            await router.end()
            for each in (await admin.list(NAMESPACES)).items:
                if each["metadata"]["name"].startswith("t-"):
                    await _empty(admin, each["metadata"]["name"])


async def _empty(admin: Client, namespace: str) -> None:
    """Remove routes and endpoints; nobody here would remove a namespace's contents with it."""
    for path in (
        f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes",
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    ):
        await admin.request("DELETE", path)


@pytest.fixture
async def application(address: None) -> AsyncIterator[StartApplication]:
    """Starts an application by name."""
    started: list[Application] = []

    async def start(name: str, tls: object = None, kind: type[Application] = Application) -> Application:
        each = await kind(name, tls).start()  # type: ignore[arg-type]
        started.append(each)
        return each

    yield start
    await asyncio.gather(*(each.stop() for each in started))
