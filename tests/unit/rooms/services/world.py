"""Services on models of the cloud and of Kubernetes, worked on round by round with the room's own parts."""

from collections.abc import Iterable

from tests.models.cloud import ModelNeutron, ModelOctavia
from tests.models.services import ModelKube

from causeway.cloud.neutron import Subnet
from causeway.cloud.octavia_objects import Persistence
from causeway.cloud.octavia_providers import OVN, Provider
from causeway.kube.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Meta,
    Service,
    ServiceSpec,
)
from causeway.rooms.services.actual import actual
from causeway.rooms.services.apply import Hands
from causeway.rooms.services.desired import desired
from causeway.rooms.services.model import BalancerClass, Desired, Place, Role, Setting, SubnetChoice
from causeway.rooms.services.plan import plan, possible
from causeway.rooms.services.snapshot import Snapshot
from causeway.rooms.services.steps import Step

VIP = "172.30.0.9"
DMZ = "00000000-0000-0000-0000-0000000000d1"
OTHER_SUBNET = "00000000-0000-0000-0000-0000000000a1"
CLASSES = {"dmz": BalancerClass(floating_subnet=SubnetChoice(DMZ))}


def setting(provider: Provider = OVN) -> Setting:
    return Setting(
        "cluster",
        "service-subnet",
        "ext",
        provider,
        (Place("10.1.0.0/16", "pods"),),
        frozenset({"ovn", "amphora"}),
        CLASSES,
        "service-subnet-6",
    )


class World:
    """Some Services, their cloud, and the room's parts; settled after every round."""

    def __init__(self, *services: Service, of: Setting | None = None) -> None:
        self.setting = of or setting()
        self.octavia = ModelOctavia()
        self.neutron = ModelNeutron()
        self.neutron.subnets = [
            Subnet("ext-1", "public", "ext", "172.24.4.0/24"),
            Subnet(DMZ, "dmz", "ext", "172.24.9.0/24", tags=["closed"]),
        ]
        self.kubes = {one.metadata.uid: ModelKube(one) for one in services}
        self.endpoints: list[int] = []
        self.restart()

    @property
    def kube(self) -> ModelKube:
        """The first Service's."""
        return next(iter(self.kubes.values()))

    def restart(self) -> None:
        """Lose all memory, as a killed controller does."""
        self.snapshot = Snapshot(self.octavia, self.neutron, self.setting.cluster)
        self.hands = {
            uid: Hands(self.setting, self.octavia, self.neutron, kube, self.snapshot)
            for uid, kube in self.kubes.items()
        }

    def slices(self, service: Service) -> list[EndpointSlice]:
        ports = tuple(EndpointPort(port.name, 8000 + port.port, port.protocol) for port in service.spec.ports)
        endpoints = tuple(
            Endpoint((f"10.1.0.{number}",), EndpointConditions(ready=True)) for number in self.endpoints
        )
        return [EndpointSlice(Meta("web-1", "default"), "IPv4", endpoints, ports)]

    def desired(self, service: Service) -> Desired:
        return desired(service, self.slices(service), self.setting)

    async def remaining(self, kube: ModelKube | None = None) -> tuple[Desired, list[Step], list[Step]]:
        """Return what is desired, what is left to do, and what of that is possible."""
        service = (kube or self.kube).service
        assert service
        await self.snapshot.refresh()
        wanted = self.desired(service)
        present = await actual(service, wanted, self.snapshot, self.setting.cluster)
        steps = plan(wanted, present)
        return wanted, steps, possible(steps, present)

    async def round(self, most: int = 99) -> int:
        """Do at most ``most`` possible steps of each Service; return how many are left in the plans."""
        left = 0
        for uid, kube in self.kubes.items():
            if kube.service is None:
                continue
            _, steps, now = await self.remaining(kube)
            left += len(steps)
            for step in now[:most]:
                if kube.service is not None:
                    await self.hands[uid].do(step, kube.service)
            self.look()
        return left

    def look(self) -> None:
        """Have the snapshot look at everything now, as its poller does in time."""
        for seen in self.snapshot._seen.values():
            seen.due = None
            seen.touched = -1.0

    async def converge(self) -> None:
        for _ in range(80):
            if await self.round() == 0 and not any(
                one.state != "ACTIVE" for one in self.octavia.balancers.values()
            ):
                return
            self.octavia.settle()
        raise AssertionError("no end: " + "; ".join(map(str, (await self.remaining())[1])))

    def check(self, *, also: Iterable[str] = ()) -> None:
        """Assert that the cloud is what the one Service asks for; ``also`` are load balancers of others."""
        service = self.kube.service
        wanted = self.desired(service) if service else Desired("default/web", "uid-1")
        ours = {one.id: one for one in self.octavia.balancers.values() if one.id not in set(also)}
        assert len(ours) == len(wanted.balancers)
        for balancer in wanted.balancers:
            (found,) = [one for one in ours.values() if one.name == balancer.name]
            assert found.request
            assert found.request.provider == balancer.provider
            assert balancer.role == Role.OUTSIDE or found.vip == balancer.vip.address
            assert {
                (listener.protocol, listener.port): listener for listener in found.listeners.values()
            }.keys() == {(each.listener.protocol, front.port) for front, each in balancer.fronts.items()}
            assert len(found.pools) == len(balancer.fronts)
            for front, serving in balancer.fronts.items():
                key = (serving.listener.protocol, front.port)
                (listener,) = [one for one in found.listeners.values() if (one.protocol, one.port) == key]
                (pool,) = [one for one in found.pools.values() if one.listener == listener.id]
                assert {(one.address, one.port) for one in pool.members} == {
                    (one.address, one.port) for one in serving.members
                }
                assert (pool.protocol, pool.algorithm) == (serving.pool.protocol, serving.pool.algorithm)
                sticky = Persistence("SOURCE_IP", serving.pool.affinity or None)
                assert pool.persistence == (sticky if serving.pool.sticky else None)
                told = serving.listener
                if told.connection_limit is not None:
                    assert listener.options["connection_limit"] == told.connection_limit
                if told.limits is not None:
                    assert listener.options["timeout_client_data"] == told.limits.client_data
                if told.allowed_cidrs is not None:
                    assert set(listener.options["allowed_cidrs"] or ()) == told.allowed_cidrs
                assert bool(pool.monitor) == bool(serving.monitor)
                if serving.monitor:
                    assert pool.monitor
                    assert pool.monitor.shown
                    assert pool.monitor.shown.delay == serving.monitor.delay
        self._check_outside(service, wanted)

    def _check_outside(self, service: Service | None, wanted: Desired) -> None:
        addresses = [*self.neutron.addresses.values()]
        assert len(addresses) == (1 if wanted.floating else 0)
        if not wanted.balancers:
            assert service is None or not service.metadata.finalizers
            return
        assert service
        ingress = [one.ip for one in service.status.load_balancer.ingress]
        if wanted.floating:
            assert ingress == [one.floating_ip_address for one in addresses]
            assert all(one.tags and one.port_id for one in addresses)
        elif wanted.addressed:
            assert len(ingress) == 1
        else:
            assert not ingress
        closed = any(note.closes for note in wanted.notes)
        assert service.status.conditions[0].status == ("False" if closed else "True")


def service_of(spec: ServiceSpec, name: str = "web", annotations: dict[str, str] | None = None) -> Service:
    number = {"web": "1"}.get(name, name)
    return Service(Meta(name, "default", f"uid-{number}", annotations=annotations or {}), spec)
