"""The floating IP of a Service: whose it is, where it comes from, and what stays of it."""

import msgspec
from tests.unit.rooms.services.world import DMZ, VIP, World, service_of

from causeway.cloud.ownership import Owner
from causeway.kube.objects import ServicePort, ServiceSpec
from causeway.rooms.services.annotations import INTERNAL, PREFIX
from causeway.rooms.services.model import KIND

SOMEBODY = Owner("", "")


def world(address: str = "", **options: str) -> World:
    spec = ServiceSpec("LoadBalancer", VIP, ports=(ServicePort(80, "p"),), load_balancer_ip=address)
    given = {PREFIX + name.replace("_", "-"): value for name, value in options.items()}
    return World(service_of(spec, annotations=given))


async def change(of: World, **given: str) -> None:
    assert of.kube.service
    annotations = {PREFIX + name.replace("_", "-"): value for name, value in given.items()}
    meta = msgspec.structs.replace(of.kube.service.metadata, annotations=annotations)
    of.kube.service = msgspec.structs.replace(of.kube.service, metadata=meta)
    await of.converge()


async def remove(of: World) -> None:
    assert of.kube.service
    meta = msgspec.structs.replace(of.kube.service.metadata, deletion_timestamp="now")
    of.kube.service = msgspec.structs.replace(of.kube.service, metadata=meta)
    await of.converge()
    assert of.kube.service is None


async def theirs(of: World, address: str, port: str | None = None) -> str:
    """Make a floating IP as a person does."""
    made = await of.neutron.create_floating_ip("ext", port, SOMEBODY, address=address)
    of.neutron._replace(made.id, description="mine")
    return made.id


def ingress(of: World) -> list[str]:
    assert of.kube.service
    return [one.hostname or one.ip for one in of.kube.service.status.load_balancer.ingress]


async def test_a_change_of_subnet_takes_another_address() -> None:
    here = world()
    await here.converge()
    assert ingress(here)[0].startswith("172.24.4.")
    await change(here, floating_subnet="dmz")
    assert ingress(here)[0].startswith("172.24.9.")
    await change(here, floating_subnet_tags="!closed")
    assert ingress(here)[0].startswith("172.24.4.")
    await change(here, floating_subnet_id=DMZ)
    assert ingress(here)[0].startswith("172.24.9.")
    assert len(here.neutron.addresses) == 1


async def test_a_subnet_nobody_knows_is_told() -> None:
    here = world(floating_subnet="nowhere")
    await here.converge()
    assert here.kube.service
    assert here.kube.service.status.conditions[0].reason == "NoSuchSubnet"
    assert not here.neutron.addresses


async def test_a_floating_ip_that_is_there_is_used_and_stays() -> None:
    here = world("172.24.4.77")
    identifier = await theirs(here, "172.24.4.77")
    await here.converge()
    assert ingress(here) == ["172.24.4.77"]
    assert here.neutron.addresses[identifier].owner is None  # nobody will delete it
    here.restart()
    await remove(here)
    left = here.neutron.addresses[identifier]
    assert (left.port_id, left.tags, left.description) == (None, [], "mine")


async def test_a_floating_ip_that_leads_elsewhere_is_refused() -> None:
    here = world("172.24.4.77")
    identifier = await theirs(here, "172.24.4.77", "another-port")
    await here.converge()
    assert here.kube.service
    assert here.kube.service.status.conditions[0].reason == "AddressInUse"
    assert here.neutron.addresses[identifier].port_id == "another-port"


async def test_a_chosen_floating_ip_that_does_not_exist_is_made() -> None:
    here = world("172.24.4.78")
    await here.converge()
    assert ingress(here) == ["172.24.4.78"]
    await remove(here)
    assert not here.neutron.addresses


async def test_an_address_is_kept_when_asked() -> None:
    here = world(keep_floatingip="true")
    await here.converge()
    await remove(here)
    (left,) = here.neutron.addresses.values()
    assert (left.port_id, left.tags, left.owner) == (None, [], None)


async def test_an_internal_service_gives_its_address_back_and_shows_its_vip() -> None:
    here = world()
    await here.converge()
    assert here.kube.service
    meta = msgspec.structs.replace(here.kube.service.metadata, annotations={INTERNAL: "true"})
    here.kube.service = msgspec.structs.replace(here.kube.service, metadata=meta)
    await here.converge()
    assert ingress(here) == [VIP]
    assert not here.neutron.addresses


async def test_a_hostname_is_shown_and_the_address_is_in_the_annotation() -> None:
    here = world(hostname="www.example.org")
    await here.converge()
    assert ingress(here) == ["www.example.org"]
    (address,) = here.neutron.addresses.values()
    assert here.kube.service
    written = here.kube.service.metadata.annotations[PREFIX + "load-balancer-address"]
    assert written == address.floating_ip_address


async def test_what_serves_it_is_told_and_told_anew_when_it_is_replaced() -> None:
    here = world()
    await here.converge()
    (first,) = here.octavia.balancers
    assert told(here) == (first, first)
    here.octavia.balancers[first].state = "ERROR"
    await here.converge()
    (second,) = here.octavia.balancers
    assert second != first
    assert told(here) == (second, second)


async def test_a_copy_of_a_service_does_not_ask_for_the_load_balancer_of_the_other() -> None:
    other = "6cbd5e6b-2d2f-4e0a-8b6b-0f1f7a4c4a53"
    here = world(load_balancer_id=other)
    assert here.kube.service
    meta = here.kube.service.metadata
    copied = {**meta.annotations, "causeway.dev/load-balancer-id": other}
    meta = msgspec.structs.replace(meta, annotations=copied)
    here.kube.service = msgspec.structs.replace(here.kube.service, metadata=meta)
    await here.converge()
    (own,) = here.octavia.balancers
    assert told(here) == (own, own)


async def test_what_a_service_asks_for_by_id_is_not_noted_as_ours() -> None:
    here = world()
    await here.converge()
    assert here.kube.service
    asked = "6cbd5e6b-2d2f-4e0a-8b6b-0f1f7a4c4a53"
    meta = here.kube.service.metadata
    meta = msgspec.structs.replace(meta, annotations={**meta.annotations, PREFIX + "load-balancer-id": asked})
    here.kube.service = msgspec.structs.replace(here.kube.service, metadata=meta)
    await here.converge()
    assert told(here) == (asked, None)
    assert here.kube.service.status.conditions[0].reason == "NoSuchLoadBalancer"


async def test_what_another_controller_writes_on_its_service_stays() -> None:
    spec = ServiceSpec("LoadBalancer", VIP, ports=(ServicePort(80, "p"),), load_balancer_class="others/class")
    theirs = {PREFIX + "load-balancer-address": "198.51.100.7"}
    here = World(service_of(spec, annotations=theirs))
    await here.converge()
    assert here.kube.service
    assert len(here.octavia.balancers) == 1  # at its ClusterIP
    assert here.kube.service.metadata.annotations == theirs
    await remove(here)


def told(here: World) -> tuple[str | None, str | None]:
    assert here.kube.service
    annotations = here.kube.service.metadata.annotations
    return annotations.get(PREFIX + "load-balancer-id"), annotations.get("causeway.dev/load-balancer-id")


async def test_an_address_of_another_cluster_is_nobodys_here() -> None:
    here = world()
    await here.neutron.create_floating_ip("ext", None, Owner("other", KIND, "uid-1"))
    await here.converge()
    await remove(here)
    assert len(here.neutron.addresses) == 1
