"""Fault proxies before everything a controller talks to, and the files that lead it through them.

The cloud is reached by the endpoint overrides of a clouds.yaml, the Kubernetes API by a kubeconfig with the
token of a service account: what the product reads, and the rights it ships with.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import yaml
from tests.faults import refusals
from tests.faults.proxy import FaultProxy, Server
from tests.faults.weather import Weather
from tests.integration.kube_api import KubeApi

from causeway.cloud.credentials import Credentials
from causeway.kube.client import Client

SERVICES = ("network", "load-balancer", "compute")
KUBERNETES = "kubernetes"


@dataclass(frozen=True)
class Doors:
    """The proxies by door; ``clouds`` and ``kubeconfig`` lead through them."""

    proxies: dict[str, FaultProxy]
    clouds: Path
    kubeconfig: Path


@contextlib.asynccontextmanager
async def doors(
    directory: Path, *, clouds: Path, api: KubeApi, token: str, weather: Weather
) -> AsyncIterator[Doors]:
    """Stand before the one cloud in ``clouds`` and before ``api``, each reached as it was."""
    async with cloud_doors(directory, clouds=clouds, services=SERVICES, weather=weather) as (
        proxies,
        written,
    ):
        server = Server("127.0.0.1", api.port, api.trusting())
        kubernetes = FaultProxy(KUBERNETES, server, weather, tls=api.serving(), refusal=refusals.kubernetes)
        async with kubernetes:
            kubeconfig = _write(directory / "kubeconfig", api.config(kubernetes.url, {"token": token}))
            yield Doors({**proxies, KUBERNETES: kubernetes}, written, kubeconfig)


@contextlib.asynccontextmanager
async def cloud_doors(
    directory: Path, *, clouds: Path, services: Iterable[str], weather: Weather
) -> AsyncIterator[tuple[dict[str, FaultProxy], Path]]:
    """Stand before Keystone and ``services`` of the one cloud in ``clouds``; yield the file that tells so."""
    ((name, entry),) = _read(clouds)["clouds"].items()
    credentials = await asyncio.to_thread(Credentials, name, clouds)
    urls = {"identity": urlsplit(entry["auth"]["auth_url"])}
    for service in services:
        urls[service] = urlsplit(await asyncio.to_thread(credentials.endpoint, service))
    async with AsyncExitStack() as stack:
        proxies = {}
        for door, url in urls.items():
            server = Server(url.hostname or "", url.port or 80)
            proxies[door] = await stack.enter_async_context(FaultProxy(door, server, weather))
        through = {door: _through(urls[door], proxies[door]) for door in urls}
        entry["auth"]["auth_url"] = through.pop("identity")
        entry |= {f"{service.replace('-', '_')}_endpoint_override": url for service, url in through.items()}
        yield proxies, _write(directory / "clouds.yaml", {"clouds": {name: entry}})


async def token_of(admin: Client, account: str) -> str:
    """Return a token of a service account of ``kube-system`` that was made by the platform's manifests."""
    path = f"/api/v1/namespaces/kube-system/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = yaml.safe_load(await admin.request("POST", path, body=body))
    return str(answer["status"]["token"])


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def _write(file: Path, content: dict[str, Any]) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.touch(0o600)
    file.write_text(yaml.safe_dump(content))
    return file


def _through(url: SplitResult, proxy: FaultProxy) -> str:
    return proxy.url + url.path
