import dataclasses
from typing import Any

import pytest
from tests.unit.rooms.services.world import CLASSES, OTHER_SUBNET, setting

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
from causeway.rooms.services.annotations import INTERNAL, PREFIX, PROVIDER, SHARE
from causeway.rooms.services.desired import desired
from causeway.rooms.services.endpoints import subnet_of
from causeway.rooms.services.model import (
    Desired,
    Floating,
    Front,
    Member,
    Monitor,
    Place,
    Role,
    Serving,
    Sharing,
    SubnetChoice,
    TimeLimits,
    Vip,
)

READY = EndpointConditions(ready=True)
HTTP = ServicePort(80, "http", "TCP", "web")


def service(name: str = "web", annotations: dict[str, str] | None = None, **spec: Any) -> Service:
    values = {"cluster_ip": "172.30.0.9", "ports": (HTTP,), **spec}
    return Service(Meta(name, "default", "uid-1", annotations=annotations or {}), ServiceSpec(**values))


def outside(provider: Provider = OVN, *, of: str = "LoadBalancer", **options: str) -> Desired:
    """Return what a LoadBalancer with these annotations asks for."""
    given = {PREFIX + name.replace("_", "-"): value for name, value in options.items()}
    return desired(service(type=of, annotations=given), [], setting(provider))


def reasons(wanted: Desired) -> list[str]:
    return [note.reason for note in wanted.notes]


def serving(wanted: Desired) -> Serving:
    """Return how the port is served where the outside arrives."""
    return wanted.balancers[-1].fronts[Front("TCP", 80)]


def part(
    *endpoints: Endpoint, ports: tuple[EndpointPort, ...] = (EndpointPort("http", 8080),)
) -> EndpointSlice:
    return EndpointSlice(Meta("web-1", "default"), "IPv4", endpoints, ports)


def members(of: Service, *slices: EndpointSlice) -> set[tuple[str, int]]:
    found = desired(of, slices, setting()).balancers[0].fronts[Front("TCP", 80)]
    return {(member.address, member.port) for member in found.members}


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
    slices = [part(Endpoint(("10.1.0.1",), READY), ports=there)]
    (wanted,) = desired(service(ports=ports), slices, setting()).balancers
    assert {front: set(each.members) for front, each in wanted.fronts.items()} == {
        Front("UDP", 53): {Member("10.1.0.1", 5353)},
        Front("TCP", 53): {Member("10.1.0.1", 5354)},
    }


def test_a_service_without_endpoints_still_has_its_listeners() -> None:
    (wanted,) = desired(service(), [], setting()).balancers
    assert wanted.vip == Vip("172.30.0.9", "service-subnet")
    assert not wanted.fronts[Front("TCP", 80)].members


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
    assert not desired(of, [], setting()).balancers


def test_a_family_without_a_service_subnet_is_said_not_to_work() -> None:
    without = dataclasses.replace(setting(), second_service_subnet_id="")
    wanted = desired(service(cluster_ip="fd00::1"), [], without)
    assert not wanted.balancers
    assert reasons(wanted) == ["AddressFamily"]


def test_each_address_family_has_a_load_balancer_with_members_of_its_own() -> None:
    other = EndpointSlice(
        Meta("w", "default"), "IPv6", (Endpoint(("fd00::7",), READY),), (EndpointPort("http", 8080),)
    )
    both = service(cluster_ips=("172.30.0.9", "fd01::9"), type="LoadBalancer")
    wanted = desired(both, [part(Endpoint(("10.1.0.1",), READY)), other], setting())
    assert [(one.role, one.vip.address) for one in wanted.balancers] == [
        (Role.INSIDE, "172.30.0.9"),
        (Role.SECOND, "fd01::9"),
    ]
    assert [set(one.fronts[Front("TCP", 80)].members) for one in wanted.balancers] == [
        {Member("10.1.0.1", 8080)},
        {Member("fd00::7", 8080)},
    ]


def test_addresses_of_other_families_are_left_out() -> None:
    other = EndpointSlice(Meta("w", "default"), "IPv6", (Endpoint(("fd00::1",), READY),), ())
    assert members(service(), other) == set()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"ports": (HTTP, ServicePort(9, "s", "X"))}, "UnsupportedProtocol"),
        (
            {
                "session_affinity": "ClientIP",
                "session_affinity_config": SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=9)),
            },
            "UnsupportedAffinityTimeout",
        ),
        ({"external_ips": ("1.2.3.4",)}, "UnsupportedExternalIPs"),
        ({"type": "NodePort"}, "UnsupportedNodePort"),
        ({"internal_traffic_policy": "Local"}, "UnsupportedTrafficPolicy"),
    ],
)
def test_what_cannot_be_had_is_noted_with_a_remedy(spec: dict[str, Any], reason: str) -> None:
    wanted = desired(service(**spec), [], setting())
    assert reasons(wanted) == [reason]
    assert wanted.notes[0].remedy
    assert wanted.balancers


def test_how_long_a_client_stays_is_told_where_octavia_takes_it() -> None:
    config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=60))
    ports = (ServicePort(53, "dns", "UDP"),)
    spec: dict[str, Any] = {"session_affinity": "ClientIP", "session_affinity_config": config, "ports": ports}
    wanted = desired(service(**spec), [], setting())
    assert not wanted.notes
    assert wanted.balancers[0].fronts[Front("UDP", 53)].pool.affinity == 60


def test_source_ranges_that_cannot_be_enforced_keep_the_service_inside() -> None:
    of = service(type="LoadBalancer", load_balancer_source_ranges=("10.0.0.0/8",))
    wanted = desired(of, [], setting())
    assert (wanted.floating, wanted.addressed, len(wanted.balancers)) == (None, False, 1)
    assert "amphora" in wanted.notes[0].remedy
    assert "NetworkPolicy" in wanted.notes[0].remedy


def test_source_ranges_are_for_those_outside_alone() -> None:
    of = service(type="LoadBalancer", load_balancer_source_ranges=("10.1.2.3/8",))
    inside, elsewhere = desired(of, [], setting(AMPHORA)).balancers
    assert inside.fronts[Front("TCP", 80)].listener.allowed_cidrs == frozenset()
    assert elsewhere.fronts[Front("TCP", 80)].listener.allowed_cidrs == frozenset({"10.0.0.0/8"})


def test_another_controllers_class_leaves_the_outside_to_it() -> None:
    of = service(type="LoadBalancer", load_balancer_class="x/y", annotations={PREFIX + "lb-method": "wrong"})
    wanted = desired(of, [], setting())
    assert (wanted.foreign, wanted.floating, wanted.addressed, wanted.notes) == (True, None, False, ())
    ours = desired(service(type="LoadBalancer", load_balancer_class="causeway.dev/octavia"), [], setting())
    assert ours.floating


def test_client_affinity_keeps_clients_with_a_member() -> None:
    wanted = desired(service(session_affinity="ClientIP"), [], setting())
    assert serving(wanted).pool.sticky


def test_a_member_belongs_to_the_subnet_its_address_lies_in() -> None:
    places = (Place("10.1.0.0/16", "pods"), Place("10.2.0.0/16", "nodes"))
    found = [subnet_of(address, places) for address in ("10.1.2.3", "10.2.0.4", "192.0.2.1")]
    assert found == ["pods", "nodes", "pods"]


def test_a_floating_ip_comes_from_where_the_annotations_say() -> None:
    assert outside().floating == Floating("ext")
    network = "00000000-0000-0000-0000-000000000001"
    assert outside(floating_network_id=network).floating == Floating(network)
    assert outside(floating_subnet="dmz*", floating_subnet_tags="!closed").floating == Floating(
        "ext", SubnetChoice("", "dmz*", "!closed")
    )
    assert outside(floating_subnet="dmz", floating_subnet_id=OTHER_SUBNET).floating == Floating(
        "ext", SubnetChoice(OTHER_SUBNET)
    )
    named: dict[str, Any] = {"class": "dmz", "floating_subnet_id": OTHER_SUBNET}
    of_class = outside(**named).floating
    assert of_class
    assert of_class.subnets == CLASSES["dmz"].floating_subnet  # the class counts first


def test_a_load_balancer_elsewhere_is_a_second_one() -> None:
    port = "00000000-0000-0000-0000-000000000002"
    cases: list[tuple[dict[str, Any], Vip]] = [
        ({"subnet_id": OTHER_SUBNET}, Vip(subnet_id=OTHER_SUBNET)),
        ({"network_id": OTHER_SUBNET}, Vip(network_id=OTHER_SUBNET)),
        ({"subnet_id": OTHER_SUBNET, "port_id": port}, Vip(port_id=port)),
    ]
    for given, vip in cases:
        inside, elsewhere = outside(**given).balancers
        assert (inside.vip.address, elsewhere.role, elsewhere.vip) == ("172.30.0.9", Role.OUTSIDE, vip)
    assert len(outside(subnet_id="00000000-0000-0000-0000-000000000003").balancers) == 2


def test_an_internal_service_has_no_floating_ip_and_is_reached_at_its_vip() -> None:
    wanted = desired(service(type="LoadBalancer", annotations={INTERNAL: "true"}), [], setting())
    assert (wanted.floating, wanted.addressed) == (None, True)
    both = desired(service(type="LoadBalancer", annotations={INTERNAL: "true", SHARE: "edge"}), [], setting())
    assert (reasons(both), both.addressed) == (["InternalShared"], False)


def test_a_load_balancer_is_shared_by_id_or_by_a_name_in_the_namespace() -> None:
    identifier = "00000000-0000-0000-0000-000000000004"
    assert outside(load_balancer_id=identifier).balancers[1].sharing == Sharing(id=identifier)
    named = desired(service(type="LoadBalancer", annotations={SHARE: "edge"}), [], setting())
    assert named.balancers[1].sharing == Sharing(name="default/edge")


def test_another_provider_serves_the_outside_alone() -> None:
    given = {PROVIDER: "amphora", PREFIX + "x-forwarded-for": "true", PREFIX + "timeout-client-data": "7"}
    inside, elsewhere = desired(service(type="LoadBalancer", annotations=given), [], setting()).balancers
    assert (inside.provider, elsewhere.provider) == ("ovn", "amphora")
    found = elsewhere.fronts[Front("TCP", 80)]
    assert (found.listener.protocol, found.pool.protocol, found.pool.algorithm) == (
        "HTTP",
        "HTTP",
        "ROUND_ROBIN",
    )
    assert found.listener.limits == TimeLimits(client_data=7)
    unknown = desired(service(type="LoadBalancer", annotations={PROVIDER: "f5"}), [], setting())
    assert (reasons(unknown), unknown.addressed) == (["UnknownProvider"], False)


@pytest.mark.parametrize(
    ("given", "protocols"),
    [
        ({}, ("TCP", "TCP")),
        ({"x_forwarded_for": "true"}, ("HTTP", "HTTP")),
        ({"proxy_protocol": "true"}, ("TCP", "PROXY")),
        ({"proxy_protocol": "v2"}, ("TCP", "PROXYV2")),
        ({"default_tls_container_ref": "https://keys/1"}, ("TERMINATED_HTTPS", "HTTP")),
        (
            {"default_tls_container_ref": "https://keys/1", "x_forwarded_for": "true"},
            ("TERMINATED_HTTPS", "HTTP"),
        ),
        (
            {"default_tls_container_ref": "https://keys/1", "proxy_protocol": "v1"},
            ("TERMINATED_HTTPS", "PROXY"),
        ),
    ],
)
def test_what_is_spoken_on_both_sides_of_a_load_balancer(
    given: dict[str, str], protocols: tuple[str, str]
) -> None:
    found = serving(outside(AMPHORA, **given))
    assert (found.listener.protocol, found.pool.protocol) == protocols
    assert found.listener.forwarded_for == ("x_forwarded_for" in given)


@pytest.mark.parametrize(
    ("name", "value", "closes"),
    [
        ("x_forwarded_for", "true", True),
        ("proxy_protocol", "v2", True),
        ("default_tls_container_ref", "https://keys/1", True),
        ("connection_limit", "10", False),
        ("timeout_tcp_inspect", "10", False),
        ("flavor_id", OTHER_SUBNET, False),
        ("availability_zone", "az1", False),
        ("lb_method", "ROUND_ROBIN", False),
    ],
)
def test_what_ovn_cannot_do_names_who_can_and_does_not_open_what_it_would_change(
    name: str, value: str, *, closes: bool
) -> None:
    wanted = outside(OVN, **{name: value})
    assert len(wanted.notes) == 1
    assert "amphora" in wanted.notes[0].remedy
    assert (wanted.floating is None) == closes
    assert not outside(AMPHORA, **{name: value}).notes


def test_members_are_watched_as_the_annotations_say() -> None:
    found = serving(outside(enable_health_monitor="true", health_monitor_delay="9")).monitor
    assert found == Monitor("TCP", delay=9)
    assert serving(outside(health_monitor_delay="9")).monitor is None


def test_members_are_reached_from_the_subnet_that_is_named() -> None:
    assert serving(outside(member_subnet_id=OTHER_SUBNET)).pool.subnet_id == OTHER_SUBNET


def test_annotations_are_for_load_balancers_alone() -> None:
    assert not outside(of="ClusterIP", lb_method="wrong", subnet_id=OTHER_SUBNET).notes
    assert len(outside(of="ClusterIP", subnet_id=OTHER_SUBNET).balancers) == 1
