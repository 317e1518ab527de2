"""Policies on the real cloud: a real API server, the room in this process, ports with real traffic.

Whoever makes ports for pods is played by the test: it gives a port the groups the room tells.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from tests.integration import projects
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.policies.traffic import Chassis, Host, Hosts
from tests.pace import pauses

from causeway.cloud.errors import Conflict, NotFound
from causeway.cloud.security_groups import SecurityGroups
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.objects import Pod
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, NETWORK_POLICIES, NODES, PODS, SERVICES
from causeway.lab.settings import Settings
from causeway.rooms.policies.controller import Room

SERVICE_CIDR = "172.30.0.0/17"
VIP = "172.30.0.10"
DEADLINE = 240.0  # seconds any single condition may take on a busy machine
Question = tuple[str, str, str, int]
"""Who asks whom (a name, or an address) by which protocol at which port."""


@dataclass
class Site:
    """Networks joined by a router, with hosts: two nodes, pods, somebody outside."""

    project: projects.Project
    hosts: dict[str, Host]
    everybody: Hosts
    open_group: str
    subnets: dict[str, Any]


@pytest.fixture(scope="module")
def site(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with contextlib.ExitStack() as after:
        project = after.enter_context(projects.project("policies", tmp_path_factory.mktemp("cloud")))
        network = project.cloud.network
        router = network.create_router(name="router")
        subnets = {}
        # What the cloud may give to anybody is apart from the addresses that are chosen here.
        for name, cidr, gateway, given in (
            ("pods", "10.20.0.0/24", "10.20.0.1", None),
            ("nodes", "10.10.0.0/24", "10.10.0.1", None),
            ("outside", "192.0.2.0/24", "192.0.2.1", ("192.0.2.100", "192.0.2.120")),
            ("services", "172.30.0.0/16", "172.30.128.1", ("172.30.128.2", "172.30.255.254")),
        ):
            net = network.create_network(name=name)
            more = {"allocation_pools": [{"start": given[0], "end": given[1]}]} if given else {}
            made = network.create_subnet(
                network_id=net.id, ip_version=4, cidr=cidr, gateway_ip=gateway, **more
            )
            network.add_interface_to_router(router, subnet_id=made.id)
            subnets[name] = made
        group = network.create_security_group(name="open")
        network.create_security_group_rule(security_group_id=group.id, direction="ingress")
        hosts = Hosts(project.admin, Chassis(lab), project.id)
        after.callback(hosts.close)
        wanted: list[tuple[str, str, str | None]] = [
            *((name, "pods", None) for name in ("web1", "web2", "client", "stranger")),
            *((name, "nodes", None) for name in ("n1", "n2")),
            ("near", "outside", "192.0.2.10"),
            ("far", "outside", "192.0.2.200"),
        ]
        made_hosts = {
            name: hosts.add(name, subnets[where], [group.id], address) for name, where, address in wanted
        }
        yield Site(project, made_hosts, hosts, group.id, subnets)


class Others:
    """Pods that no policy is for are open."""

    def __init__(self, group: str) -> None:
        self._group = group

    def of(self, pod: Pod) -> tuple[str, ...] | None:
        return (self._group,)

    def on_change(self, wake: Callable[[str], None]) -> None:
        pass


@dataclass
class Stage:
    """What a test acts on and looks at."""

    site: Site
    kube: Client
    cloud: Cloud
    informers: Informers
    room: Room
    cluster: str
    prefix: str
    uids: dict[str, str] = field(default_factory=dict)
    due: set[str] = field(default_factory=set)
    plugging: bool = False

    @property
    def groups(self) -> SecurityGroups:
        return SecurityGroups(self.cloud)

    async def prepare(self) -> None:
        """Make the platform's objects: nodes, two namespaces, pods as their ports are."""
        for name in ("n1", "n2"):
            await self.kube.create(NODES, {"metadata": {"name": f"{self.prefix}-{name}"}})
            addresses = [{"type": "InternalIP", "address": self.site.hosts[name].address}]
            await self._status(NODES, f"{self.prefix}-{name}", None, {"addresses": addresses})
        for name, team in (("a", "red"), ("b", "blue")):
            await self.kube.create(
                NAMESPACES, {"metadata": {"name": self.namespace(name), "labels": {"team": team}}}
            )
        for name, where, app, web in (
            ("web1", "a", "web", 8080),
            ("web2", "a", "web", 9090),
            ("client", "a", "client", 80),
            ("stranger", "b", "client", 80),
        ):
            await self.add_pod(name, where, app, web, self.site.hosts[name].address)

    def namespace(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    async def add_pod(self, name: str, where: str, app: str, web: int, address: str) -> str:
        ports = [{"name": "web", "containerPort": web}]
        spec = {"nodeName": f"{self.prefix}-n1", "containers": [{"name": "c", "image": "i", "ports": ports}]}
        body = {"metadata": {"name": name, "labels": {"app": app}}, "spec": spec}
        made = await self.kube.create(PODS, body, self.namespace(where))
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        await self._status(PODS, name, self.namespace(where), status)
        uid: str = made["metadata"]["uid"]
        self.uids[uid] = name
        self.due.add(uid)
        return uid

    async def add_service(self) -> None:
        """Make a service whose port 80 leads to port 8080 of web1, with its load balancer."""
        namespace = self.namespace("a")
        spec = {"clusterIP": VIP, "ports": [{"port": 80, "targetPort": 8080}]}
        await self.kube.create(SERVICES, {"metadata": {"name": "web"}, "spec": spec}, namespace)
        address = self.site.hosts["web1"].address
        part = {
            "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
        await self.kube.create(ENDPOINT_SLICES, part, namespace)
        member = {"address": address, "protocol_port": 8080, "subnet_id": self.site.subnets["pods"].id}
        pool = {"name": "p", "protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT", "members": [member]}
        listener = {"name": "l", "protocol": "TCP", "protocol_port": 80, "default_pool": pool}
        body = {
            "name": "web",
            "provider": "ovn",
            "vip_subnet_id": self.site.subnets["services"].id,
            "vip_address": VIP,
            "listeners": [listener],
        }
        await self.cloud.call("load-balancer", "POST", "/v2/lbaas/loadbalancers", body={"loadbalancer": body})

    async def apply(self, name: str, *, namespace: str = "a", **spec: Any) -> None:
        """Declare a policy."""
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": self.namespace(namespace)},
            "spec": spec,
        }
        await self.kube.apply(body, manager="test")

    async def withdraw(self, name: str, *, namespace: str = "a") -> None:
        await self.kube.delete(NETWORK_POLICIES, name, self.namespace(namespace))

    async def expect(self, answers: dict[Question, bool], seconds: float = DEADLINE) -> None:
        """Wait until exactly those get an answer who should."""
        questions = [
            (self.site.hosts[who], self._address(whom), protocol, port)
            for who, whom, protocol, port in answers
        ]
        deadline = time.monotonic() + seconds
        while True:
            found = await asyncio.to_thread(self.site.everybody.all_ask, questions)
            wrong = {key: got for key, got in zip(answers, found, strict=True) if got != answers[key]}
            if not wrong:
                return
            assert time.monotonic() < deadline, f"otherwise than meant: {wrong}"

    async def come(self, look: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
        """Look until it is as it should be."""
        deadline, pause = time.monotonic() + seconds, pauses()
        while not await look():
            assert time.monotonic() < deadline
            await asyncio.sleep(next(pause))

    async def settle(self, seconds: float = DEADLINE) -> None:
        """Wait until nothing is left to do."""
        deadline = time.monotonic() + seconds
        while self.due or self.plugging or not self.room.controllers[0].queue.idle:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def plug(self) -> None:
        """Give ports the groups the room tells, until cancelled."""
        while True:
            self.plugging = bool(self.due)
            for uid in [*self.due]:
                await self._plug(uid)
            self.plugging = False
            await asyncio.sleep(0.05)

    async def _plug(self, uid: str) -> None:
        host = self.site.hosts.get(self.uids.get(uid, ""))
        if host is None:
            self.due.discard(uid)
            return
        pods = [pod for pod in self.informers.pods.store.all() if pod.metadata.uid == uid]
        groups = self.room.of(pods[0]) if pods else None
        if groups is not None:
            self.due.discard(uid)
            body = {"port": {"security_groups": list(groups)}}
            try:
                await self.cloud.call("network", "PUT", f"/v2.0/ports/{host.port_id}", body=body)
            except (NotFound, Conflict):  # a group may have gone while the call was under way
                self.due.add(uid)

    async def _status(self, resource: Any, name: str, namespace: str | None, status: Any) -> None:
        await self.kube.patch(resource, name, {"status": status}, namespace, subresource="status")

    def _address(self, whom: str) -> str:
        return self.site.hosts[whom].address if whom in self.site.hosts else whom


@pytest.fixture
async def stage(site: Site, kube_api: KubeApi) -> AsyncIterator[Stage]:
    async with (
        Client(from_kubeconfig(kube_api.kubeconfig)) as kube,
        await Cloud.open(projects.CLOUD, site.project.clouds) as cloud,
    ):
        await deploy(kube)
        cluster = str(uuid4())
        informers = Informers.at(kube)
        room = Room(
            SecurityGroups(cloud),
            Recorder(kube, "controller"),
            informers,
            Others(site.open_group),
            cluster=cluster,
            services=(SERVICE_CIDR,),
        )
        made = Stage(site, kube, cloud, informers, room, cluster, f"p{uuid4().hex[:6]}")
        room.on_change(made.due.add)
        await made.prepare()
        running = [asyncio.create_task(each) for each in (informers.run(), room.run(), made.plug())]
        try:
            yield made
        finally:
            for task in running:
                task.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
            for host in site.hosts.values():
                body = {"port": {"security_groups": [site.open_group]}}
                await cloud.call("network", "PUT", f"/v2.0/ports/{host.port_id}", body=body)
            for each in ended:
                if isinstance(each, Exception):  # it had not run to the end of the test
                    raise each
