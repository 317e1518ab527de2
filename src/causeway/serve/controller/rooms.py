"""Which rooms the controller runs, put together from the doors they need."""

import asyncio

import structlog

from causeway.cloud import octavia_providers
from causeway.cloud.errors import CloudError
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.session import Cloud
from causeway.engine.controller import Controller
from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.rooms.pods.controller import Room as Pods
from causeway.rooms.pods.controller import site_of
from causeway.rooms.services.controller import Services
from causeway.rooms.services.model import Place, Setting
from causeway.serve.controller.settings import Platform, Settings

log = structlog.get_logger()

_AGAIN_FIRST, _AGAIN_LAST = 1.0, 30.0  # seconds between attempts to reach the cloud at the start


class Rooms:
    """The rooms of one platform; ``cloud`` and ``controllers`` are there while they run."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self._settings = settings
        self._client = client
        self.cloud: Cloud | None = None
        self.controllers: list[Controller] = []

    async def run(self) -> None:
        """Work until cancelled; raises ``Problem`` if the platform's settings cannot be used."""
        platform = self._settings.platform()
        pause = _AGAIN_FIRST
        while True:
            try:
                cloud = await Cloud.open(self._settings.cloud, self._settings.clouds_file)
                break
            except (CloudError, Problem) as error:  # it, or the credentials' file, may be on its way
                log.warning("the cloud cannot be reached", cause=str(error), again_in=pause)
            await asyncio.sleep(pause)
            pause = min(_AGAIN_LAST, pause * 2)
        async with cloud:
            self.cloud = cloud
            pods, services = await self._compose(platform, Neutron(cloud), Octavia(cloud))
            self.controllers = [pods.controller, services.controller]
            async with asyncio.TaskGroup() as group:
                group.create_task(pods.run())
                group.create_task(services.run())

    async def _compose(self, platform: Platform, neutron: Neutron, octavia: Octavia) -> tuple[Pods, Services]:
        provider = octavia_providers.known(platform.load_balancer_provider)
        if provider is None:
            raise Problem.of(
                f"{self._settings.config}: loadBalancerProvider",
                f"{platform.load_balancer_provider!r} is not known here",
                "Run `causeway preflight` to see which providers serve.",
            )
        site = await site_of(
            neutron,
            cluster=platform.cluster_id,
            network_id=platform.pod_network_id,
            subnet_id=platform.pod_subnet_id,
            security_group_id=platform.pod_security_group_id,
        )
        subnets = [platform.pod_subnet_id, platform.node_subnet_id]
        setting = Setting(
            cluster=platform.cluster_id,
            service_subnet_id=platform.service_subnet_id,
            external_network_id=platform.external_network_id,
            provider=provider,
            places=tuple([Place((await neutron.get_subnet(each)).cidr, each) for each in subnets]),
        )
        recorder = Recorder(self._client, "controller")
        pods = Pods.at(self._client, neutron, recorder, site)
        return pods, Services(setting, octavia, neutron, self._client, recorder)
