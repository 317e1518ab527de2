"""Random operations of users, and random harm to everything else, both from one seed."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.faults.doors import Doors
from tests.faults.proxy import FaultProxy
from tests.faults.weather import Weather
from tests.integration.faults.conftest import Stage
from tests.integration.faults.objects import Ports, endpoints, namespace, pod, service
from tests.integration.faults.policies import APPS, draw
from tests.integration.faults.site import Instance

from causeway.cloud.errors import CloudError
from causeway.kube.client import Client
from causeway.kube.errors import ApiError, Conflict, NotFound
from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, NETWORK_POLICIES, PODS, SERVICES
from causeway.lab import tree

OPERATIONS = 200
_PODS, _SERVICES, _NAMESPACES = (
    14,
    4,
    2,
)  # names at most; an operation on one that exists changes or deletes it
_POLICIES = 4
_PACE = 0.12  # seconds between two operations, on the average
_HARM_EVERY = 28  # operations, on the average
_PORTS: tuple[Ports, ...] = (((80, "TCP"),), ((80, "TCP"), (443, "TCP")), ((53, "TCP"), (53, "UDP")))


@dataclass
class Storm:
    """One run of one seed; ``journal`` tells what was done, and when, for whoever has to understand it."""

    stage: Stage
    weather: Weather
    seed: int
    instances: dict[Instance, Doors]
    journal: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._kube: Client = self.stage.world.kube
        self._where = self.stage.world.namespace
        self._pods: dict[str, bool] = {}  # name -> whether it still runs
        self._services: dict[str, Ports] = {}
        self._policies: set[str] = set()
        self._namespaces: dict[str, bool] = {}  # name -> whether it wants a network of its own
        self._began = time.monotonic()
        self._paused = False
        self._repairs: list[asyncio.Task[None]] = []

    def note(self, text: str) -> None:
        """Put something into the journal."""
        self.journal.append(f"{time.monotonic() - self._began:6.2f} {text}")

    @contextlib.asynccontextmanager
    async def around(self) -> AsyncIterator[None]:
        """Have a kubelet start what ended and let go what is told to."""
        tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._kubelet())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._repairs, return_exceptions=True)

    async def rage(self) -> None:
        """Do ``OPERATIONS`` operations with harm between them; return when all harm is repaired."""
        restart = self._dice.randrange(OPERATIONS)
        for number in range(OPERATIONS):
            await self._operate()
            if number == restart:
                await self._restart_servers()
            elif self._dice.random() < 1 / _HARM_EVERY:
                await self._harm()
            await asyncio.sleep(self._dice.uniform(0, 2 * _PACE))
        await asyncio.gather(*self._repairs)

    async def clear(self) -> None:
        """Have users delete all they made."""
        for name in [*self._pods]:
            await self._kube.delete(PODS, name, self._where, grace_seconds=0)
        for name in [*self._services]:
            await self._delete_service(name)
        for name in self._policies:
            await self._kube.delete(NETWORK_POLICIES, name, self._where)
        for name in [*self._namespaces]:
            await self._delete_namespace(name)
        self._pods.clear()
        self._services.clear()
        self._policies.clear()

    # what users do

    async def _operate(self) -> None:
        choice = self._dice.random()
        if choice < 0.55:
            await self._operate_on_a_pod()
        elif choice < 0.83:
            await self._operate_on_a_service()
        elif choice < 0.93:
            await self._operate_on_a_policy()
        else:
            await self._operate_on_a_namespace()

    async def _operate_on_a_pod(self) -> None:
        number = self._dice.randrange(_PODS)
        name, app = f"pod-{number}", APPS[number % len(APPS)]
        if name not in self._pods:
            node = self._dice.choice(self.stage.world.site.nodes)
            self.note(f"create {name} on {node}")
            with contextlib.suppress(Conflict):  # its predecessor is still leaving
                await self._kube.create(PODS, pod(name, node, app=app), self._where)
                self._pods[name] = True
        elif self._pods[name] and self._dice.random() < 0.15:
            self.note(f"{name} has done its work")
            body = {"status": {"phase": "Succeeded"}}
            self._pods[name] = False
            with contextlib.suppress(NotFound):
                await self._kube.patch(PODS, name, body, self._where, subresource="status")
        else:
            grace = self._dice.choice((0, 0, 5))
            self.note(f"delete {name}{' in its own time' if grace else ''}")
            del self._pods[name]
            await self._kube.delete(PODS, name, self._where, grace_seconds=grace)

    async def _operate_on_a_service(self) -> None:
        name = f"svc-{self._dice.randrange(_SERVICES)}"
        ports = self._services.get(name)
        choice = self._dice.random()
        if ports is None:
            ports, external = self._dice.choice(_PORTS), self._dice.random() < 0.5
            self.note(f"create {name} {ports} {'outside' if external else 'inside'}")
            body = service(name, self._where, ports, external=external)
            if choice < 0.3:  # as some users do: the endpoints are there first
                await self._scale(name, ports)
            try:
                await self._kube.create(SERVICES, body, self._where)
            except Conflict:
                return  # its predecessor is still held by its finalizer
            self._services[name] = ports
            await self._scale(name, ports)
        elif choice < 0.5:
            await self._scale(name, ports)
        elif choice < 0.65:
            ports, external = self._dice.choice(_PORTS), self._dice.random() < 0.5
            self.note(f"change {name} to {ports} {'outside' if external else 'inside'}")
            await self._kube.apply(service(name, self._where, ports, external=external), manager="user")
            self._services[name] = ports
            await self._scale(name, ports)
        else:
            self.note(f"delete {name}")
            await self._delete_service(name)
            del self._services[name]

    async def _operate_on_a_policy(self) -> None:
        name = f"policy-{self._dice.randrange(_POLICIES)}"
        if name in self._policies and self._dice.random() < 0.4:
            self.note(f"delete {name}")
            self._policies.discard(name)
            await self._kube.delete(NETWORK_POLICIES, name, self._where)
            return
        body = draw(self._dice, name, self._where)
        self.note(f"{'change' if name in self._policies else 'create'} {name} {body['spec']}")
        self._policies.add(name)
        await self._kube.apply(body, manager="user")

    async def _operate_on_a_namespace(self) -> None:
        name = f"{self._where}-{self._dice.randrange(_NAMESPACES)}"
        if name not in self._namespaces:
            self.note(f"create namespace {name}")
            await self._kube.apply(namespace(name, own=True), manager="user")
            self._namespaces[name] = True
        elif self._dice.random() < 0.5:
            own = not self._namespaces[name]
            self.note(f"namespace {name} {'wants' if own else 'has no use for'} a network")
            await self._kube.apply(namespace(name, own=own), manager="user")
            self._namespaces[name] = own
        else:
            await self._delete_namespace(name)

    async def _delete_namespace(self, name: str) -> None:
        self.note(f"delete namespace {name}")
        del self._namespaces[name]
        await self._kube.delete(NAMESPACES, name)
        # As Kubernetes' own controller does when nothing is left in it.
        body = {**namespace(name, own=False), "spec": {"finalizers": []}}
        await self._kube.request("PUT", NAMESPACES.path(None, name, "finalize"), body=body)

    async def _scale(self, name: str, ports: Ports) -> None:
        ready = [self._dice.random() < 0.8 for _ in range(self._dice.randrange(4))]
        self.note(f"{name} has endpoints {ready}")
        await self._kube.apply(endpoints(name, self._where, ports, ready=ready), manager="user")

    async def _delete_service(self, name: str) -> None:
        await self._kube.delete(SERVICES, name, self._where)
        await self._kube.delete(ENDPOINT_SLICES, f"{name}-1", self._where)

    async def _kubelet(self) -> None:
        """Let pods that were told to go, go."""
        while True:
            with contextlib.suppress(ApiError):  # the API, too, is restarted
                await self._finish_leaving()
            await asyncio.sleep(0.3)

    async def _finish_leaving(self) -> None:
        for found in (await self._kube.list(PODS, self._where)).items:
            if found["metadata"].get("deletionTimestamp"):
                await self._kube.delete(PODS, found["metadata"]["name"], self._where, grace_seconds=0)

    # what harms

    async def _harm(self) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            self._kill_the_leader,
            self._kill_the_leader,
            self._kill_somebody,
            self._pause_the_leader,
            self._close_a_door,
            self._close_a_door,
            self._freeze_a_door,
        ]
        await self._dice.choice(kinds)()

    async def _leader(self) -> Instance | None:
        for one in self.instances:
            if await asyncio.to_thread(one.leads):
                return one
        return None

    async def _kill_the_leader(self) -> None:
        one = await self._leader()
        if one is not None:
            self._kill(one)

    async def _kill_somebody(self) -> None:
        self._kill(self._dice.choice([*self.instances]))

    def _kill(self, one: Instance) -> None:
        self.note(f"KILL {one.name}")
        one.kill()
        one.wanted = True  # as its Deployment has it

    async def _pause_the_leader(self) -> None:
        one = await self._leader()
        if one is not None and not self._paused:  # once: it takes long
            self._paused = True
            self.note(f"PAUSE {one.name}")
            one.pause()
            self._later(11.0, f"go on, {one.name}", one.go_on)

    async def _close_a_door(self) -> None:
        name, doors = self._doors()
        self.note(f"DOWN {name}")
        for door in doors:
            await door.down()
        await asyncio.sleep(self._dice.uniform(0.5, 2.0))
        for door in doors:
            await door.up()
        self.note(f"up {name}")

    async def _freeze_a_door(self) -> None:
        name, doors = self._doors()
        self.note(f"FREEZE {name}")
        for door in doors:
            door.freeze()
        await asyncio.sleep(self._dice.uniform(0.5, 3.0))
        for door in doors:
            door.thaw()
        self.note(f"thaw {name}")

    async def _restart_servers(self) -> None:
        """Kill the API server, and Neutron's where nobody else uses the lab, and start them again."""
        self.note("RESTART the API server")
        server, lab = self.stage.api.server, self.stage.own_lab
        await asyncio.to_thread(server.end)
        if lab is not None:
            self.note("RESTART Neutron")
            await asyncio.to_thread(tree.restart_service, lab, "neutron")
            self._repairs.append(asyncio.create_task(self._until_neutron_answers()))
        await asyncio.to_thread(server.start)
        self.note("the API server answers")

    async def _until_neutron_answers(self) -> None:
        while True:
            with contextlib.suppress(CloudError):
                await self.stage.world.inventory()
                self.note("Neutron answers")
                return
            await asyncio.sleep(0.5)

    def _doors(self) -> tuple[str, list[FaultProxy]]:
        """Choose a service, and for whom it is away: for everybody, or for one."""
        ways = list(self.instances.values())
        name = self._dice.choice(sorted(ways[0].proxies))
        chosen = self._dice.choice((ways, ways[:1], ways[1:]))
        return f"{name} for {len(chosen)}", [way.proxies[name] for way in chosen]

    def _later(self, seconds: float, what: str, do: Callable[[], None]) -> None:
        async def repair() -> None:
            await asyncio.sleep(seconds)
            self.note(what)
            do()

        self._repairs.append(asyncio.create_task(repair()))

    async def _keep(self) -> None:
        """Start again what ended, as the kubelet does."""
        while True:
            for one in self.instances:
                self._restart(one)
            await asyncio.sleep(0.5)

    def _restart(self, one: Instance) -> None:
        if one.wanted and (not one.runs() or one.ended() is not None):
            self.note(f"start {one.name} again")
            one.start()
