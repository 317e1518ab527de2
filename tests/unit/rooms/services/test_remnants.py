"""Ports of load balancers that were never made: found, and deleted only when nothing else can be true."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest
from tests.models.cloud import ModelNeutron, ModelOctavia
from tests.unit.rooms.services.test_controller import Platform, service

from causeway.cloud import errors
from causeway.cloud.neutron import FixedIP, Port
from causeway.cloud.octavia_objects import LoadBalancer, LoadBalancerRequest
from causeway.rooms.services.remnants import GRACE, Remnants

Run = Callable[[Coroutine[Any, Any, None]], None]
GONE = "11111111-1111-1111-1111-111111111111"


def port(name: str, subnet: str = "service-subnet", address: str = "172.30.0.9") -> Port:
    addresses = (FixedIP(subnet, address),)
    return Port(f"port of {name}", name, "DOWN", "services", "fa:16:3e:00:00:01", addresses)


def test_a_port_whose_load_balancer_was_never_made_goes_after_a_while(in_virtual_time: Run) -> None:
    async def run() -> None:
        neutron = ModelNeutron()
        stay = [port("somebody's"), port(f"octavia-lb-{GONE}-2")]
        elsewhere = msgspec.structs.replace(port(f"ovn-lb-vip-{GONE}", "other-subnet"), id="elsewhere")
        go = [port(f"ovn-lb-vip-{GONE}"), port(f"octavia-lb-{GONE}")]
        neutron.ports = {one.id: one for one in (*stay, elsewhere, *go)}
        remnants = Remnants(ModelOctavia(), neutron, ("service-subnet", ""), lambda _: False)
        before = dict(neutron.ports)
        await remnants.clear()
        await asyncio.sleep(GRACE - 1)
        await remnants.clear()
        assert neutron.ports == before
        await asyncio.sleep(1)
        await remnants.clear()
        assert [*neutron.ports.values()] == [*stay, elsewhere]

    in_virtual_time(run())


def test_ports_of_load_balancers_that_exist_stay(in_virtual_time: Run) -> None:
    class Strict(ModelOctavia):
        async def get_load_balancer(self, identifier: str) -> LoadBalancer:
            if identifier.startswith("2"):
                raise errors.Forbidden("load-balancer", "of another project")
            return await super().get_load_balancer(identifier)

    async def run() -> None:
        octavia, neutron = Strict(), ModelNeutron()
        request = LoadBalancerRequest("mine", "ovn", [], vip_subnet_id="service-subnet")
        made = await octavia.create_load_balancer(request)
        names = [made.balancer.id, GONE.replace("1", "2"), GONE.replace("1", "3")]
        neutron.ports = {name: port(f"ovn-lb-vip-{name}") for name in names}
        remnants = Remnants(octavia, neutron, ("service-subnet",), lambda one: one == names[2])
        for _ in range(3):
            await remnants.clear()
            await asyncio.sleep(GRACE)
        assert neutron.ports.keys() == set(names)

    in_virtual_time(run())


def test_without_a_reason_nothing_is_listed(in_virtual_time: Run) -> None:
    async def run() -> None:
        neutron = ModelNeutron()
        remnants = Remnants(ModelOctavia(), neutron, ("service-subnet",), lambda _: False)
        for _ in range(40):
            await remnants.clear()
            await asyncio.sleep(GRACE / 4)
        assert neutron.listed_ports == 5
        remnants.suspect()
        await remnants.clear()
        assert neutron.listed_ports == 6

    in_virtual_time(run())


def test_a_cloud_that_does_not_answer_for_long_makes_no_reason_forgotten(in_virtual_time: Run) -> None:
    class Away(ModelNeutron):
        away = True

        async def list_ports(self, tags: Sequence[str] = (), **filters: str) -> list[Port]:
            if self.away:
                raise errors.Unreachable("network", "no answer")
            return await super().list_ports(tags, **filters)

    async def run() -> None:
        neutron = Away()
        left = port(f"ovn-lb-vip-{GONE}")
        neutron.ports[left.id] = left
        remnants = Remnants(ModelOctavia(), neutron, ("service-subnet",), lambda _: False)
        for _ in range(8):
            with pytest.raises(errors.Unreachable):
                await remnants.clear()
            await asyncio.sleep(GRACE)
        neutron.away = False
        await remnants.clear()
        assert neutron.ports
        await asyncio.sleep(GRACE)
        await remnants.clear()
        assert not neutron.ports

    in_virtual_time(run())


def test_a_service_whose_address_a_crash_of_octavia_kept_is_served_in_the_end(in_virtual_time: Run) -> None:
    async def run() -> None:
        here = Platform(service())
        create = here.octavia.create_load_balancer
        left = port(f"ovn-lb-vip-{GONE}")
        crashed: list[bool] = []

        async def crashing(request: LoadBalancerRequest) -> Any:
            if not crashed:
                crashed.append(True)
                here.neutron.ports[left.id] = left
                raise errors.ServerError("load-balancer", "Neutron did not answer")
            if here.neutron.ports:
                raise errors.AddressTaken("load-balancer", "172.30.0.9 already allocated")
            return await create(request)

        here.octavia.create_load_balancer = crashing  # type: ignore[method-assign]  # Octavia dies half way
        async with here.at_work():
            await asyncio.sleep(GRACE)
            assert here.conditions == [("False", "AddressTaken")]
            await asyncio.sleep(2 * GRACE)
            assert here.conditions == [("True", "Served")]
            assert not here.neutron.ports

    in_virtual_time(run())
