"""Two controllers, a real API server and the lab's cloud, with a proxy on every way between them."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from tests.faults.doors import Doors, doors, token_of
from tests.faults.weather import Weather
from tests.integration.deployment import deploy
from tests.integration.faults.site import Instance, Site
from tests.integration.faults.world import World
from tests.integration.kube_api import KubeApi
from tests.integration.pods.player import Player
from tests.integration.pods.tenant import connect

from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import AlreadyExists
from causeway.kube.resource import NAMESPACES, NODES
from causeway.lab.settings import Settings


class Stage:
    """A world, and instances that reach it through doors of their own.

    ``own_lab`` is the lab if it is there for tests alone: a service of it may be restarted then.
    """

    def __init__(
        self, world: World, api: KubeApi, own_lab: Settings | None, token: str, stack: AsyncExitStack
    ) -> None:
        self.world = world
        self.api = api
        self.own_lab = own_lab
        self._token = token
        self._stack = stack
        self.instances: list[Instance] = []

    async def doors(self, name: str, weather: Weather) -> Doors:
        """Return proxies before everything, which stand until the end of the test."""
        site = self.world.site
        return await self._stack.enter_async_context(
            doors(site.directory / name, clouds=site.clouds, api=self.api, token=self._token, weather=weather)
        )

    def instance(self, name: str, through: Doors) -> Instance:
        """Return an instance that is not started yet, and is ended at the end of the test."""
        site = self.world.site
        made = Instance(name, site.directory, site.config, through.clouds, through.kubeconfig)
        made.log_file.unlink(missing_ok=True)
        self._stack.push_async_callback(asyncio.to_thread, made.stop)
        self.instances.append(made)
        return made

    async def leading(self, *some: Instance) -> None:
        """Return when one of ``some`` leads and has reached the cloud."""

        async def leads() -> bool:
            return any([await asyncio.to_thread(one.leads) for one in some])

        await self.world.until(f"{' or '.join(one.name for one in some)} leads", leads, 300)

    def logs(self, size: int = 3000) -> str:
        """Return the ends of what the instances said."""
        return "\n".join(f"--- {one.name}\n{one.log[-size:]}" for one in self.instances)


@pytest.fixture(scope="module")
def site(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OS_CLIENT_CONFIG_FILE")  # it would count for more than the files we name
        with contextlib.closing(connect("lab-admin", lab.clouds_file)) as admin:
            made = Site(admin, tmp_path_factory.mktemp("site"))
            try:
                yield made
            finally:
                made.remove()


@pytest.fixture
async def stage(site: Site, kube_api: KubeApi, lab: Settings) -> AsyncIterator[Stage]:
    own_lab = lab if "CAUSEWAY_LAB_DIR" in os.environ else None
    async with (
        Client(from_kubeconfig(kube_api.kubeconfig)) as kube,
        await Cloud.open("openstack", site.clouds) as cloud,
        AsyncExitStack() as stack,
    ):
        await deploy(kube)
        token = await token_of(kube, "causeway-controller")
        namespace = f"ns-{uuid4().hex[:6]}"
        await kube.create(NAMESPACES, {"metadata": {"name": namespace}})
        async with asyncio.TaskGroup() as group:
            nodes = []
            for name in site.nodes:
                with contextlib.suppress(AlreadyExists):
                    await kube.create(NODES, {"metadata": {"name": name}})
                nodes.append(group.create_task(Player(kube, kube, name).run()))
            try:
                yield Stage(World(site, kube, cloud, namespace), kube_api, own_lab, token, stack)
            finally:
                for node in nodes:
                    node.cancel()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints a figure past pytest's capture."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return tell


__all__ = ["say", "site", "stage"]
