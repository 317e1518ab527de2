"""Which rooms the controller runs, put together from the doors they need."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from causeway.cloud.designate import Designate
from causeway.cloud.errors import CloudError
from causeway.cloud.networks import Networks
from causeway.cloud.neutron import Neutron
from causeway.cloud.nova import Nova
from causeway.cloud.octavia import Octavia
from causeway.cloud.prepared_ports import PreparedPorts
from causeway.cloud.security_groups import SecurityGroups
from causeway.cloud.session import Cloud
from causeway.engine.controller import Controller
from causeway.kit.errors import Problem
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.rooms.interfaces.controller import Interfaces
from causeway.rooms.names.controller import Names
from causeway.rooms.namespaces.controller import Namespaces
from causeway.rooms.namespaces.setting import setting_of
from causeway.rooms.nodes.controller import Room as Nodes
from causeway.rooms.pods.controller import Room as Pods
from causeway.rooms.pods.controller import shared_network
from causeway.rooms.pods.neighbours import Groups, GroupsOfNetwork
from causeway.rooms.policies.controller import Room as Policies
from causeway.rooms.services.controller import Services
from causeway.serve.controller.balancing import balancing_of
from causeway.serve.controller.naming import naming_of
from causeway.serve.controller.neighbours import FurtherInterfaces, NetworksOfNamespaces, Places
from causeway.serve.controller.settings import Platform, Settings

T = TypeVar("T")

log = structlog.get_logger()

_AGAIN_FIRST, _AGAIN_LAST = 1.0, 30.0  # seconds between attempts to reach the cloud at the start


class Rooms:
    """The rooms of one platform; ``cloud`` and ``controllers`` are there while they run."""

    def __init__(self, settings: Settings, client: Client, may_act: Callable[[], bool]) -> None:
        self._settings = settings
        self._client = client
        self._may_act = may_act
        self.cloud: Cloud | None = None
        self.controllers: list[Controller] = []

    async def run(self) -> None:
        """Work until cancelled; raises ``Problem`` if the platform's settings cannot be used."""
        platform = self._settings.platform()
        settings, may_act = self._settings, self._may_act
        cloud = await _reached(
            lambda: Cloud.open(
                settings.cloud,
                settings.clouds_file,
                may_act=may_act,
                calls_per_second=platform.cloud_calls_per_second,
            ),
            (CloudError, Problem),  # the credentials' file, too, may be on its way
        )
        async with cloud:
            self.cloud = cloud
            informers = Informers.at(self._client)
            namespaces = await _reached(lambda: self._namespaces(platform, cloud, informers), (CloudError,))
            interfaces = Interfaces(
                networks=Networks(cloud),
                recorder=Recorder(self._client, "controller"),
                definitions=informers.definitions,
            )
            pods, services, policies = await _reached(
                lambda: self._compose(platform, cloud, informers, namespaces, interfaces), (CloudError,)
            )
            nodes = Nodes.at(
                self._client,
                Nova(cloud),
                Recorder(self._client, "controller"),
                platform.cluster_id,
                informers.nodes,
            )
            names = self._names(platform, cloud, informers)
            self.controllers = [
                *pods.controllers,
                services.controller,
                namespaces.controller,
                interfaces.controller,
                *nodes.controllers,
                *policies.controllers,
                *([names.controller] if names else []),
            ]
            async with asyncio.TaskGroup() as group:
                group.create_task(informers.run())
                group.create_task(namespaces.run())
                group.create_task(interfaces.run())
                group.create_task(nodes.run())
                group.create_task(pods.run())
                group.create_task(policies.run())
                group.create_task(services.run())
                if names is not None:
                    group.create_task(names.run())

    def _names(self, platform: Platform, cloud: Cloud, informers: Informers) -> Names | None:
        setting = naming_of(platform)
        if setting is None:
            return None
        return Names(setting, Designate(cloud), Recorder(self._client, "controller"), sources=informers)

    async def _namespaces(self, platform: Platform, cloud: Cloud, informers: Informers) -> Namespaces:
        networks = Networks(cloud)
        setting = await setting_of(
            networks,
            Neutron(cloud),
            cluster=platform.cluster_id,
            pod_network_id=platform.pod_network_id,
            pod_subnet_id=platform.pod_subnet_id,
            near=[platform.node_subnet_id, platform.service_subnet_id],
            pools=platform.namespace_subnet_pool_ids,
            own_by_default=platform.namespace_networks == "own",
            global_namespaces=platform.global_namespaces,
        )
        recorder = Recorder(self._client, "controller")
        groups = SecurityGroups(cloud)
        return Namespaces.at(
            self._client, setting, networks=networks, groups=groups, recorder=recorder, sources=informers
        )

    async def _compose(
        self,
        platform: Platform,
        cloud: Cloud,
        informers: Informers,
        namespaces: Namespaces,
        interfaces: Interfaces,
    ) -> tuple[Pods, Services, Policies]:
        # The cloud is asked before the first room is made: this is repeated, and rooms follow once they are.
        neutron, octavia = Neutron(cloud), Octavia(cloud)
        setting = await balancing_of(platform, neutron, octavia)
        setting = replace(setting, places=Places(setting.places, namespaces))
        shared = await shared_network(
            neutron,
            network_id=platform.pod_network_id,
            subnet_ids=[each for each in (platform.pod_subnet_id, platform.pod_subnet_v6_id) if each],
            groups=(platform.pod_security_group_id,),
        )
        networks = NetworksOfNamespaces(namespaces, shared)
        recorder = Recorder(self._client, "controller")
        policies = await self._policies(platform, cloud, informers, GroupsOfNetwork(networks))
        pods = Pods.at(
            self._client,
            neutron,
            recorder,
            informers,
            people=PreparedPorts(cloud),
            cluster=platform.cluster_id,
            shared=shared,
            sizes=platform.pools,
            networks=networks,
            groups=policies,
            interfaces=FurtherInterfaces(interfaces, shared.groups),
            own_networks=platform.namespace_networks == "own",
        )
        policies.reconciler.is_left = pods.applier.is_left
        return pods, Services(setting, octavia, neutron, self._client, recorder, sources=informers), policies

    async def _policies(
        self, platform: Platform, cloud: Cloud, informers: Informers, others: Groups
    ) -> Policies:
        groups, second = SecurityGroups(cloud), platform.service_subnet_v6_id
        ranges = [(await Neutron(cloud).get_subnet(second)).cidr] if second else []
        return Policies(
            groups,
            Recorder(self._client, "controller"),
            informers,
            others,
            cluster=platform.cluster_id,
            families=(4, 6) if platform.pod_subnet_v6_id else (4,),
            services=(platform.service_cidr, *ranges),
            address_groups=await groups.has_address_groups(),
        )


async def _reached(attempt: Callable[[], Awaitable[T]], passing: tuple[type[Exception], ...]) -> T:
    """Return what ``attempt`` returns, repeated after any error that is ``passing``."""
    pause = _AGAIN_FIRST
    while True:
        try:
            return await attempt()
        except passing as error:
            log.warning("the cloud cannot be reached", cause=str(error), again_in=pause)
        await asyncio.sleep(pause)
        pause = min(_AGAIN_LAST, pause * 2)
