from typing import Any

import pytest

from causeway.cloud.octavia_providers import AMPHORA, OVN, Provider
from causeway.kube.objects import (
    ClientIPConfig,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    Meta,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)
from causeway.rooms.services.desired import desired, subnet_of
from causeway.rooms.services.model import Front, Member, Place

READY = EndpointConditions(ready=True)
HTTP = ServicePort(80, "http", "TCP", "web")


def service(name: str = "web", **spec: Any) -> Service:
    values = {"cluster_ip": "172.30.0.9", "ports": (HTTP,), **spec}
    return Service(Meta(name, "default", "uid-1"), ServiceSpec(**values))


def part(
    *endpoints: Endpoint, ports: tuple[EndpointPort, ...] = (EndpointPort("http", 8080),)
) -> EndpointSlice:
    return EndpointSlice(Meta("web-1", "default"), "IPv4", endpoints, ports)


def members(of: Service, *slices: EndpointSlice) -> set[tuple[str, int]]:
    backend = desired(of, slices, OVN).listeners[Front("TCP", 80)]
    return {(member.address, member.port) for member in backend.members}


def test_named_target_ports_are_those_of_the_slices() -> None:
    first = part(Endpoint(("10.1.0.1",), READY))
    second = part(Endpoint(("10.1.0.2",), READY), ports=(EndpointPort("http", 9090),))
    assert members(service(), first, second) == {("10.1.0.1", 8080), ("10.1.0.2", 9090)}


def test_ready_endpoints_take_traffic_and_unknown_counts_as_ready() -> None:
    slice_ = part(
        Endpoint(("10.1.0.1",), READY),
        Endpoint(("10.1.0.2",), EndpointConditions(ready=False)),
        Endpoint(("10.1.0.3",), EndpointConditions()),
    )
    assert members(service(), slice_) == {("10.1.0.1", 8080), ("10.1.0.3", 8080)}
    assert len(members(service(publish_not_ready_addresses=True), slice_)) == 3


def test_while_none_is_ready_those_that_end_but_still_serve_do() -> None:
    ending = Endpoint(("10.1.0.1",), EndpointConditions(ready=False, serving=True, terminating=True))
    assert members(service(), part(ending)) == {("10.1.0.1", 8080)}
    assert members(service(), part(ending, Endpoint(("10.1.0.2",), READY))) == {("10.1.0.2", 8080)}


def test_the_same_port_over_tcp_and_udp_is_two_listeners() -> None:
    ports = (ServicePort(53, "dns", "UDP"), ServicePort(53, "dns-tcp", "TCP"))
    there = (EndpointPort("dns", 5353, "UDP"), EndpointPort("dns-tcp", 5354, "TCP"))
    wanted = desired(service(ports=ports), [part(Endpoint(("10.1.0.1",), READY), ports=there)], OVN)
    assert {front: set(backend.members) for front, backend in wanted.listeners.items()} == {
        Front("UDP", 53): {Member("10.1.0.1", 5353)},
        Front("TCP", 53): {Member("10.1.0.1", 5354)},
    }


def test_a_service_without_endpoints_still_has_its_listeners() -> None:
    wanted = desired(service(), [], OVN)
    assert wanted.vip == "172.30.0.9"
    assert not wanted.listeners[Front("TCP", 80)].members


@pytest.mark.parametrize(
    "of",
    [
        service(cluster_ip="None"),
        service(cluster_ip=""),
        service(type="ExternalName", cluster_ip=""),
        service("kubernetes"),
        service(ports=()),
        Service(Meta("web", "default", deletion_timestamp="now"), ServiceSpec(cluster_ip="172.30.0.9")),
    ],
)
def test_these_ask_for_no_load_balancer(of: Service) -> None:
    assert desired(of, [], OVN).vip is None


def test_ipv6_alone_is_said_not_to_work() -> None:
    wanted = desired(service(cluster_ip="fd00::1"), [], OVN)
    assert wanted.vip is None
    assert [note.reason for note in wanted.notes] == ["AddressFamily"]


def test_addresses_of_other_families_are_left_out() -> None:
    other = EndpointSlice(Meta("w", "default"), "IPv6", (Endpoint(("fd00::1",), READY),), ())
    assert members(service(), other) == set()


@pytest.mark.parametrize(
    ("spec", "provider", "reason"),
    [
        ({"ports": (HTTP, ServicePort(9, "s", "X"))}, OVN, "UnsupportedProtocol"),
        (
            {
                "session_affinity": "ClientIP",
                "session_affinity_config": SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=9)),
            },
            OVN,
            "UnsupportedAffinityTimeout",
        ),
        (
            {"type": "LoadBalancer", "load_balancer_source_ranges": ("10.0.0.0/8",)},
            AMPHORA,
            "UnsupportedSourceRanges",
        ),
        ({"type": "LoadBalancer", "load_balancer_ip": "1.2.3.4"}, OVN, "UnsupportedAddress"),
        ({"external_ips": ("1.2.3.4",)}, OVN, "UnsupportedExternalIPs"),
    ],
)
def test_what_cannot_be_had_is_noted_with_a_remedy(
    spec: dict[str, Any], provider: Provider, reason: str
) -> None:
    wanted = desired(service(**spec), [], provider)
    assert [note.reason for note in wanted.notes] == [reason]
    assert wanted.notes[0].remedy
    assert wanted.vip


def test_source_ranges_that_cannot_be_enforced_keep_the_service_inside() -> None:
    spec: dict[str, Any] = {"type": "LoadBalancer", "load_balancer_source_ranges": ("10.0.0.0/8",)}
    assert not desired(service(**spec), [], OVN).floating
    assert desired(service(type="LoadBalancer"), [], OVN).floating


def test_a_class_of_its_own_leaves_the_outside_to_others() -> None:
    assert not desired(service(type="LoadBalancer", load_balancer_class="x/y"), [], OVN).floating


def test_client_affinity_keeps_clients_with_a_member() -> None:
    (backend,) = desired(service(session_affinity="ClientIP"), [], OVN).listeners.values()
    assert backend.sticky


def test_a_member_belongs_to_the_subnet_its_address_lies_in() -> None:
    places = (Place("10.1.0.0/16", "pods"), Place("10.2.0.0/16", "nodes"))
    found = [subnet_of(address, places) for address in ("10.1.2.3", "10.2.0.4", "192.0.2.1")]
    assert found == ["pods", "nodes", "pods"]
