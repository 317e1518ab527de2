"""The stage set up and taken down: project, nodes, Kubernetes API, counting proxies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.integration.kube_api import KubeApi

from bench import node, tenant
from bench.contender import Stage
from bench.pods import declare_nodes
from bench.proxy import Figures, Proxy
from bench.waiting import seconds_until
from causeway.cloud.session import Cloud
from causeway.kit.errors import Problem
from causeway.kit.progress import Progress
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import ApiError, NotFound
from causeway.kube.resource import PODS, SERVICES, Resource
from causeway.lab.images import kubernetes
from causeway.lab.settings import Settings
from causeway.rooms.platforms.addons import Settings as Addons
from causeway.rooms.platforms.addons import manifests

_PROXIED = ("identity", "network", "load-balancer")
_SERVED_WITHIN = 60.0  # seconds a new kind may take until the Kubernetes API serves it


@contextlib.asynccontextmanager
async def set_up(
    lab: Settings, directory: Path, *, nodes: int, definitions: Iterable[dict[str, Any]] = ()
) -> AsyncIterator[Stage]:
    """Set the stage for as long as the block takes; ``definitions`` are kinds the contenders need."""
    async with contextlib.AsyncExitStack() as stack:
        api = stack.enter_context(kube_api(lab, directory))
        made = stack.enter_context(tenant.tenant(lab, directory, nodes))
        plugged = stack.enter_context(node.plugged(lab, made))
        figures = Figures()
        access = from_kubeconfig(api.kubeconfig)
        kube_proxy = Proxy("kubernetes", access.server, figures, access=access)
        await stack.enter_async_context(kube_proxy)
        for server in plugged:
            await kube_proxy.listen(server.uplink)
        leading: dict[str, str] = {}
        for service in _PROXIED[:0:-1]:
            upstream = made.endpoint(service)
            proxy = await stack.enter_async_context(Proxy(service, upstream, figures))
            leading[upstream] = proxy.url
        identity = Proxy("identity", made.endpoint("identity"), figures, rewrite=leading)
        await stack.enter_async_context(identity)
        kube = await stack.enter_async_context(Client(access))
        clouds = made.clouds(directory / "user.yaml")
        cloud = await stack.enter_async_context(await Cloud.open("openstack", clouds))
        kinds = [*our_definitions(), *definitions]
        for each in kinds:
            await kube.apply(each, manager="bench")
        await _until_served(kube, [resource_defined(each) for each in kinds])
        auth_url = f"{identity.url}/v3"
        stage = Stage(directory, made, plugged, kube, cloud, figures, auth_url, kube_proxy.url)
        await declare_nodes(stage)
        yield stage


async def clear(stage: Stage, kinds: Iterable[Resource]) -> None:
    """Remove what a contender left in the cloud and, finalizers or not, in Kubernetes.

    Only when it does not run any more: it would make again what is taken from it. ``kinds`` are its own; the
    next to run would take up what is left of them.
    """
    for resource in (SERVICES, PODS, *kinds):
        for each in (await stage.kube.list(resource)).items:
            name, namespace = each["metadata"]["name"], each["metadata"].get("namespace")
            if resource == SERVICES and (name, namespace) == ("kubernetes", "default"):
                continue
            with contextlib.suppress(NotFound):
                await stage.kube.patch(resource, name, {"metadata": {"finalizers": None}}, namespace)
                await stage.kube.delete(resource, name, namespace, grace_seconds=0)
    await asyncio.to_thread(stage.tenant.clear)


def resource_defined(definition: dict[str, Any]) -> Resource:
    """Return the resource a CustomResourceDefinition defines."""
    spec = definition["spec"]
    names, version = spec["names"], spec["versions"][0]["name"]
    return Resource(spec["group"], version, names["plural"], names["kind"], spec["scope"] == "Namespaced")


async def _until_served(kube: Client, kinds: Iterable[Resource]) -> None:
    """Wait until new kinds can be listed: a controller may end when it finds that they cannot."""
    for kind in kinds:

        async def served(kind: Resource = kind) -> bool:
            try:
                await kube.list(kind)
            except ApiError:
                return False
            return True

        if await seconds_until(served, _SERVED_WITHIN) is None:
            raise Problem.of(
                f"the Kubernetes API of the run: {kind.plural}", "is not served", "Look at its log."
            )


@contextlib.contextmanager
def kube_api(lab: Settings, directory: Path) -> Iterator[KubeApi]:
    """Run etcd and a Kubernetes API for as long as the block takes."""
    home = directory / "kubernetes"
    home.mkdir()
    api = KubeApi(home, kubernetes.obtain(lab.cache, directory / "obtain.log", Progress()))
    try:
        api.start()
        yield api
    finally:
        api.stop()


def our_definitions() -> list[dict[str, Any]]:
    """Return the kinds Causeway adds to Kubernetes."""
    everything = manifests(Addons(config={}, cloud_files={}, masters=1))
    return [each for each in everything if each["kind"] == "CustomResourceDefinition"]
