"""A platform without servers whose namespaces may have networks of their own, and its controller."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.kube_api import KubeApi
from tests.integration.pods.stage import Controller, Watched, played
from tests.integration.pods.stage import Stage as PodStage
from tests.integration.pods.tenant import Tenant, tenancy

from causeway.cloud.networks import Interface, Network, Networks, Subnet
from causeway.cloud.security_groups import AddressGroup, SecurityGroup, SecurityGroups
from causeway.cloud.session import Cloud
from causeway.kube.client import Client
from causeway.kube.resource import EVENTS, NAMESPACES
from causeway.lab.settings import Settings
from causeway.rooms.namespaces.model import KIND

RANGE = "10.40.0.0/22"


@dataclass
class RoutedTenant(Tenant):
    """A project with a router, and a range for four networks of namespaces."""

    def _make_networks(self) -> None:
        super()._make_networks()
        network = self.connection.network
        self.router = network.create_router(name="platform")
        for name in ("pods", "nodes", "services"):
            network.add_interface_to_router(self.router, subnet=self.subnets[name].id)
        self.pool = network.create_subnet_pool(
            name="namespaces", prefixes=[RANGE], default_prefix_length=24, minimum_prefix_length=24
        )
        config = json.loads(self.config.read_text())
        self.config.write_text(json.dumps(config | {"namespaceSubnetPoolIds": [self.pool.id]}))

    def remove(self) -> None:
        network = self.connection.network
        for port in list(network.ports(device_id=self.router.id)):
            network.remove_interface_from_router(self.router, port=port.id)
        network.delete_router(self.router)
        for left in network.networks(project_id=self.project.id):
            if left.name.startswith("namespace/"):
                for port in network.ports(network_id=left.id):
                    network.delete_port(port)
                network.delete_network(left)
        network.delete_subnet_pool(self.pool)
        super().remove()
        for group in self.admin.network.address_groups(project_id=self.project.id):
            self.admin.network.delete_address_group(group)


@dataclass(frozen=True)
class Seen:
    """What the cloud has for namespaces at one moment."""

    networks: list[Network]
    subnets: list[Subnet]
    groups: list[SecurityGroup]
    peers: list[AddressGroup]
    interfaces: list[Interface]

    def networks_of(self) -> dict[str, str]:
        """Return the networks' ids by the uid of their namespace."""
        return {each.owner.uid: each.id for each in self.networks if each.owner}

    def joined(self) -> set[str]:
        """Return the subnets the router is on."""
        return {ip["subnet_id"] for each in self.interfaces for ip in each.fixed_ips}

    def whole(self, uids: list[str]) -> bool:
        """Return whether exactly these namespaces have a network, and each all of it."""
        own = {each.id for each in self.subnets}
        return (
            sorted(each.owner.uid for each in self.networks if each.owner) == sorted(uids)
            and sorted(each.owner.uid for each in self.groups if each.owner) == sorted(uids)
            and sorted(each.network_id for each in self.subnets) == sorted(each.id for each in self.networks)
            and own <= self.joined()
            and all(len(_ingress(each)) >= 4 for each in self.groups)
            and len(self.peers) == (1 if uids else 0)
        )


def _ingress(group: SecurityGroup) -> list[Any]:
    return [each for each in group.security_group_rules if each.direction == "ingress"]


class Stage(Watched[Seen]):
    """Everything a test acts on and looks at."""

    def __init__(
        self,
        tenant: RoutedTenant,
        controller: Controller,
        client: Client,
        cloud: Cloud,
        pods: PodStage,
        api: KubeApi,
    ) -> None:
        self.pods = pods
        self._api = api
        self.tenant = tenant
        self.controller = controller
        self.client = client
        self._networks, self._groups = Networks(cloud), SecurityGroups(cloud)

    async def make(self, name: str, **annotations: str) -> str:
        """Make a namespace, or annotate it anew; return its uid."""
        found = {f"causeway.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": found}}
        uid: str = (await self.client.apply(body, manager="test"))["metadata"]["uid"]
        return uid

    async def delete(self, name: str) -> None:
        """Delete a namespace as Kubernetes' own controller does: it is the one who finalizes."""
        await self.client.delete(NAMESPACES, name)
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name},
            "spec": {"finalizers": []},
        }
        await self.client.request("PUT", NAMESPACES.path(None, name, "finalize"), body=body)

    async def condition(self, name: str) -> tuple[str, str]:
        """Return the reason and message of our condition of a namespace."""
        found = (await self.client.get(NAMESPACES, name)).get("status", {}).get("conditions", [])
        ours = [each for each in found if each["type"] == "causeway.dev/Network"]
        return (ours[0]["reason"], ours[0]["message"]) if ours else ("", "")

    async def events(self, name: str) -> list[str]:
        """Return the reasons of the Events about a namespace."""
        found = await self.client.list(EVENTS, "default")
        return [each["reason"] for each in found.items if each["regarding"]["name"] == name]

    async def explained(self, name: str) -> tuple[int | None, dict[str, Any]]:
        """Return the status of `causeway explain namespace` and what it printed."""
        settings = {"config.json": self.tenant.config.read_text()}
        meta = {"name": "causeway", "namespace": "kube-system"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": settings}
        await self.client.apply(body, manager="causeway")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from causeway.main import main; main()"),
            *("explain", "namespace", name, "-o", "json"),
            stdout=asyncio.subprocess.PIPE,
            # By whoever runs the platform: the controller may not read all that explains.
            env={**self.controller.environment, "KUBECONFIG": str(self._api.kubeconfig)},
        )
        printed, _ = await process.communicate()
        return process.returncode, json.loads(printed)

    async def look(self) -> Seen:
        cluster = self.tenant.cluster
        return Seen(
            *await asyncio.gather(
                self._networks.list_networks(cluster, KIND),
                self._networks.list_subnets(cluster, KIND),
                self._groups.list_groups(cluster, KIND),
                self._groups.list_address_groups(cluster, KIND),
                self._networks.list_interfaces(self.tenant.router.id),
            )
        )

    async def told(self, name: str, reason: str) -> str:
        """Wait until our condition of a namespace has a reason; return its message."""

        async def look() -> str | None:
            found, message = await self.condition(name)
            return message or "-" if found == reason else None

        message: str = await self.come(look)
        return message


@pytest.fixture(scope="module")
def tenant(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoutedTenant]:
    with tenancy(RoutedTenant, lab, tmp_path_factory.mktemp("tenant")) as made:
        yield made


@pytest.fixture
async def stage(tenant: RoutedTenant, kube_api: KubeApi) -> AsyncIterator[Stage]:
    async with played(tenant, kube_api) as pods:
        yield Stage(tenant, pods.controller, pods.client, pods.cloud, pods, kube_api)
