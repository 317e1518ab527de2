from pathlib import Path

import pytest

from causeway.rooms.services.annotations import INTERNAL, KNOWN, PREFIX, Wishes, wishes
from causeway.rooms.services.model import SubnetChoice

ID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
DOCS = Path(__file__).parents[4] / "docs"


def read(**given: str) -> Wishes:
    return wishes({PREFIX + name.replace("_", "-"): value for name, value in given.items()})


def test_without_annotations_nothing_is_wished_and_nothing_noted() -> None:
    assert wishes({}) == Wishes()
    assert wishes({"app.kubernetes.io/name": "x"}) == Wishes()


def test_every_annotation_has_its_meaning() -> None:
    found = read(
        floating_network_id=ID,
        floating_subnet_id=ID,
        subnet_id=ID.upper(),
        network_id=ID,
        member_subnet_id=ID,
        port_id=ID,
        flavor_id=ID,
        load_balancer_id=ID,
        availability_zone="az1",
        hostname="www.example.org",
        lb_method="round_robin",
        connection_limit="100",
        proxy_protocol="v2",
        default_tls_container_ref="https://keys/v1/containers/1",
        timeout_client_data="1",
        timeout_member_connect="2",
        timeout_member_data="3",
        timeout_tcp_inspect="0",
        enable_health_monitor="true",
        health_monitor_delay="5",
        health_monitor_timeout="4",
        health_monitor_max_retries="3",
        health_monitor_max_retries_down="2",
        keep_floatingip="true",
        load_balancer_address="192.0.2.1",
        **{"class": "dmz"},
    )
    assert not found.notes
    assert found == Wishes(
        class_name="dmz",
        flavor=ID,
        zone="az1",
        subnet_id=ID,
        network_id=ID,
        port_id=ID,
        member_subnet_id=ID,
        floating_network_id=ID,
        floating_subnet=SubnetChoice(ID),
        keep_floating=True,
        balancer_id=ID,
        hostname="www.example.org",
        algorithm="ROUND_ROBIN",
        connection_limit=100,
        limits={"client_data": 1, "member_connect": 2, "member_data": 3, "tcp_inspect": 0},
        proxy_protocol="PROXYV2",
        tls="https://keys/v1/containers/1",
        monitored=True,
        monitor={"delay": 5, "timeout": 4, "max_retries": 3, "max_retries_down": 2},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subnet_id", "not-an-id"),
        ("proxy_protocol", "v3"),
        ("x_forwarded_for", "maybe"),
        ("floating_subnet", "~("),
        ("lb_method", "BEST"),
        ("connection_limit", "0"),
        ("connection_limit", "many"),
        ("timeout_client_data", "-1"),
        ("health_monitor_max_retries", "11"),
    ],
)
def test_what_is_malformed_is_named_and_counts_as_not_given(name: str, value: str) -> None:
    found = read(**{name: value})
    (note,) = found.notes
    assert note.reason == "InvalidAnnotation"
    assert name.replace("_", "-") in note.cause
    assert repr(value) in note.cause
    assert found == Wishes(notes=(note,))


def test_a_malformed_place_does_not_open_another() -> None:
    assert read(subnet_id="x").notes[0].closes
    assert wishes({INTERNAL: "yes"}).notes[0].closes
    assert not read(timeout_client_data="x").notes[0].closes


def test_two_ways_to_tell_the_clients_address_exclude_each_other() -> None:
    found = read(proxy_protocol="true", x_forwarded_for="true")
    assert [note.reason for note in found.notes] == ["ConflictingAnnotations"]
    assert not found.proxy_protocol
    assert not found.forwarded_for


def test_what_has_no_meaning_here_is_said() -> None:
    assert [note.reason for note in read(node_selector="a=b").notes] == ["NodeSelector"]
    assert [note.reason for note in read(flavour_id=ID).notes] == ["UnknownAnnotation"]


@pytest.mark.parametrize(
    "page", ["reference/service-annotations.md", "how-to/from-cloud-provider-openstack.md"]
)
def test_the_documents_name_every_annotation(page: str) -> None:
    text = (DOCS / page).read_text()
    assert not [name for name in sorted(KNOWN | {INTERNAL}) if name.removeprefix(PREFIX) not in text]
