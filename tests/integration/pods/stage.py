"""A platform without servers: a controller to kill, nodes that are but their daemon, pods nobody runs."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import uuid4

import yaml
from tests.figures import cloud_calls
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.leases import gave_up
from tests.integration.pods.player import Player
from tests.integration.pods.tenant import Tenant
from tests.pace import pauses
from tests.ports import free_port

from causeway.cloud.neutron import Neutron, Port, Trunk
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import AlreadyExists
from causeway.kube.objects import Claim, PoolPort, PortPool
from causeway.kube.resource import NODES, PODS, PORT_POOLS, SERVICE_ACCOUNTS

T = TypeVar("T")

DEADLINE = 240.0  # seconds any single condition may take on a busy machine


class Controller:
    """``causeway serve controller`` as a process that can be killed."""

    def __init__(self, tenant: Tenant) -> None:
        self.port = free_port()
        self._log = tenant.directory / "controller.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))},
            "KUBECONFIG": str(tenant.directory / "kubeconfig"),
            "CAUSEWAY_CONFIG": str(tenant.config),
            "OS_CLIENT_CONFIG_FILE": str(tenant.clouds),
            "OS_CLOUD": "openstack",
            "POD_NAME": "controller",
            "CAUSEWAY_HEALTH_PORT": str(self.port),
        }

    def be(self, api: KubeApi, bearer: str) -> None:
        """Reach the API as who holds that token."""
        file = Path(self.environment["KUBECONFIG"])
        file.write_text(yaml.safe_dump(api.config(f"https://127.0.0.1:{api.port}", {"token": bearer})))

    def start(self) -> None:
        program = "from causeway.main import main; main()"
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", "controller"],
                stdout=sink,
                stderr=sink,
                env=self.environment,
            )

    def keep(self) -> None:
        """Start it again, as its kubelet would, if it ended because it could not renew its lease in time."""
        if self._process is not None and gave_up(self._process, self.log):
            self.start()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE)
        self._process = None

    def stop(self) -> int:
        """End it in order and return its status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(DEADLINE)
        self._process = None
        return status

    def end(self) -> None:
        if self._process is not None:
            self.kill()

    def memory(self) -> float:
        """How much memory it holds, in MiB."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return round(int(kilobytes) / 1024, 1)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def calls(self) -> Counter[str]:
        """How often it called the network service, by kind of call."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=DEADLINE) as answer:
            text = answer.read().decode()
        return cloud_calls(text, "network")


class Watched(Generic[T]):
    """Something a controller works on, at which one may look until it is as it should be."""

    controller: Controller

    async def look(self) -> T:
        raise NotImplementedError

    async def until(self, condition: Callable[[T], bool], seconds: float = DEADLINE) -> T:
        """Look until ``condition`` holds."""

        async def look() -> T | None:
            seen = await self.look()
            return seen if condition(seen) else None

        found: T = await self.come(look, seconds)
        return found

    async def come(self, look: Callable[[], Awaitable[Any]], seconds: float = DEADLINE) -> Any:
        """Look until there is something to see."""
        deadline, pause = time.monotonic() + seconds, pauses()
        while True:
            self.controller.keep()
            if found := await look():
                return found
            assert time.monotonic() < deadline, f"not in time\n{self.controller.log[-3000:]}"
            await asyncio.sleep(next(pause))


@dataclass(frozen=True)
class Seen:
    """The pods' network as Neutron and the API have it at one moment."""

    ports: dict[str, Port]
    trunks: dict[str, Trunk]
    pools: dict[str, PortPool]

    def entries(self) -> dict[str, tuple[str, PoolPort]]:
        """Return (node, entry) of every port in a pool."""
        return {
            entry.port_id: (name, entry) for name, pool in self.pools.items() for entry in pool.spec.ports
        }

    def claims(self) -> dict[str, Claim]:
        """Return who has a port, by port."""
        return {claim.port_id: claim for pool in self.pools.values() for claim in pool.status.claims}

    def free(self) -> dict[str, int]:
        """Return how many ports are ready on each node."""
        claimed = self.claims()
        return {
            name: sum(1 for entry in pool.spec.ports if not entry.retiring and entry.port_id not in claimed)
            for name, pool in self.pools.items()
        }

    def subports(self) -> dict[str, tuple[str, int]]:
        """Return (node, VLAN) of every subport by port."""
        return {
            sub.port_id: (trunk.name, sub.segmentation_id)
            for trunk in self.trunks.values()
            for sub in trunk.sub_ports
        }


class Stage(Watched[Seen]):
    """Everything a test acts on and looks at."""

    def __init__(
        self, tenant: Tenant, controller: Controller, client: Client, cloud: Cloud, api: KubeApi
    ) -> None:
        self._api = api
        self.cloud = cloud
        self.tenant = tenant
        self.controller = controller
        self.client = client
        self.players: list[Player] = []
        self._neutron = Neutron(cloud)
        self.namespace = f"ns-{uuid4().hex[:6]}"

    @contextlib.asynccontextmanager
    async def as_node_daemon(self, node: str) -> AsyncIterator[Client]:
        """Return a client with the rights the daemon of a node has."""
        spec = {
            "nodeName": node,
            "hostNetwork": True,
            "serviceAccountName": "causeway-node",
            "containers": [{"name": "c", "image": "i"}],
        }
        body = {"metadata": {"generateName": f"causeway-node-{node}-"}, "spec": spec}
        pod = await self.client.create(PODS, body, "kube-system")
        user = {"token": await token(self.client, "causeway-node", pod)}
        async with Client(
            from_kubeconfig(self._api.config(f"https://127.0.0.1:{self._api.port}", user))
        ) as made:
            yield made

    async def add_pods(self, count: int, labels: dict[str, str] | None = None) -> dict[str, str]:
        """Make ``count`` pods, alternating between the nodes; return their nodes by uid."""
        nodes = self.tenant.nodes

        async def add(number: int) -> tuple[str, str]:
            node = nodes[number % len(nodes)]
            spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
            body = {"metadata": {"name": f"pod-{number}", "labels": labels or {}}, "spec": spec}
            made = await self.client.create(PODS, body, self.namespace)
            return made["metadata"]["uid"], node

        return dict(await asyncio.gather(*(add(number) for number in range(count))))

    async def drop_pods(self, names: list[str]) -> None:
        deletions = (self.client.delete(PODS, name, self.namespace, grace_seconds=0) for name in names)
        await asyncio.gather(*deletions)

    async def known(self, policy: str) -> None:
        """Wait until every node knows a policy: a pod that came before that would take any ready port."""

        async def look() -> bool:
            return all(player.knows(self.namespace, policy) for player in self.players)

        await self.come(look)

    async def look(self) -> Seen:
        # In this order, for what is in a pool is on a trunk before, and what is on a trunk is a port.
        pools = await self.client.list(PORT_POOLS, of=PortPool)
        trunks = await self._neutron.list_trunks()
        ports = await self._neutron.list_owned_ports(self.tenant.cluster, "pod")
        return Seen(
            {port.id: port for port in ports},
            {trunk.id: trunk for trunk in trunks},
            {item.metadata.name: item for item in pools.items},
        )


@contextlib.asynccontextmanager
async def played(tenant: Tenant, kube_api: KubeApi) -> AsyncIterator[Stage]:
    """Set a stage in a tenant, with all its nodes played; whoever likes starts the controller."""
    controller = Controller(tenant)
    async with (
        Client(from_kubeconfig(kube_api.kubeconfig)) as client,
        await Cloud.open("openstack", tenant.clouds) as cloud,
    ):
        await deploy(client)
        controller.be(kube_api, await token(client, "causeway-controller"))
        made = Stage(tenant, controller, client, cloud, kube_api)
        async with contextlib.AsyncExitStack() as after, asyncio.TaskGroup() as group:
            playing = []
            for name in tenant.nodes:
                with contextlib.suppress(AlreadyExists):
                    await client.create(NODES, {"metadata": {"name": name}})
                daemon = await after.enter_async_context(made.as_node_daemon(name))
                made.players.append(Player(daemon, client, name))
                playing.append(group.create_task(made.players[-1].run()))
            try:
                yield made
            finally:
                controller.end()
                for task in playing:
                    task.cancel()


async def token(client: Client, account: str, pod: dict[str, Any] | None = None) -> str:
    """Return a token of a service account of ours, bound to ``pod`` as the kubelet asks for it."""
    spec: dict[str, Any] = {"expirationSeconds": 3600}
    if pod is not None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = SERVICE_ACCOUNTS.path("kube-system", account, "token")
    answer: str = json.loads(await client.request("POST", path, body=body))["status"]["token"]
    return answer
