"""What is made of Heat's and Neutron's answers: paths of resources, progress, places, leftovers."""

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from tests.unit.rooms.platforms import clouds, examples

from causeway.cloud.ownership import Owner
from causeway.kit.errors import Finding, Problem
from causeway.rooms.platforms import waiting
from causeway.rooms.platforms.belongings import Belonging
from causeway.rooms.platforms.destroy import made_by_controllers, summary
from causeway.rooms.platforms.facts import CloudFacts, Identity, LoadBalancing, Subnet
from causeway.rooms.platforms.site import Place, locate
from causeway.rooms.platforms.stack import stack_resources


def row(name: str, kind: str, physical: str, stack: str, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    return {
        "resource_name": name,
        "resource_type": kind,
        "physical_resource_id": physical,
        "resource_status": status,
        "resource_status_reason": None,
        "links": [{"rel": "stack", "href": f"http://heat/v1/p/stacks/some-name/{stack}"}],
    }


ROWS = [
    row("server", "OS::Nova::Server", "server-id", "node-stack", "CREATE_IN_PROGRESS"),
    row("masters", "OS::Heat::ResourceGroup", "group-stack", "root"),
    row("net", "OS::Neutron::Net", "net-id", "root"),
    row("0", "node.yaml", "node-stack", "group-stack"),
    row("port", "OS::Neutron::Port", "", "node-stack", "INIT_COMPLETE"),
]


def test_resources_of_stacks_in_the_stack_are_named_from_the_top() -> None:
    found = {each.path: each for each in stack_resources(ROWS)}
    assert set(found) == {
        ("masters",),
        ("masters", "0"),
        ("masters", "0", "server"),
        ("masters", "0", "port"),
        ("net",),
    }
    assert found["masters",].nested
    assert found["masters", "0"].nested
    assert not found["net",].nested


def test_progress_tells_how_far_heat_is_and_what_fails() -> None:
    found = stack_resources(ROWS)
    assert waiting.told(found) == "1 of 3 resources; masters/0/server"
    broken = [replace(each, status="CREATE_FAILED") if each.path[-1] == "net" else each for each in found]
    assert waiting.told(broken) == "0 of 3 resources; failed: net"


def facts(**network: Any) -> CloudFacts:
    return CloudFacts(
        identity=Identity("p", frozenset(), frozenset(), False),
        compute=clouds.COMPUTE,
        images=(),
        network=replace(clouds.NETWORK, **network),
        volumes=clouds.VOLUMES,
        load_balancing=LoadBalancing(frozenset({"amphora", "ovn"}), {}),
        stack=None,
    )


def test_a_new_platform_is_placed_by_its_ranges_and_the_best_provider() -> None:
    found = locate(examples.platform(), facts())
    assert found.external_network == "x1"
    assert found.provider.name == "ovn"
    assert found.router is None
    assert found.nodes == Place(IPv4Network("10.10.0.0/24"))


EXISTING = Subnet("s1", "private-subnet", "p1", IPv4Network("10.9.0.0/24"), ())


def existing(subnet: str = "private-subnet") -> dict[str, Any]:
    return {
        "networks": {
            "external": "ext",
            "nodes": {"network": "private", "subnet": subnet},
            "pods": {"cidr": "10.20.0.0/16"},
            "services": {"cidr": "172.30.0.0/16"},
        }
    }


def test_existing_networks_bring_their_router() -> None:
    network = {"subnets": (EXISTING,), "routers_of": {"s1": frozenset({"r1"})}}
    found = locate(examples.platform(**existing()), facts(**network))
    assert found.nodes == Place(IPv4Network("10.9.0.0/24"), "p1", "s1")
    assert found.router == "r1"


def test_what_the_cloud_does_not_have_is_named() -> None:
    with pytest.raises(Problem, match="no subnet 'absent'"):
        locate(examples.platform(**existing("absent")), facts(subnets=(EXISTING,)))
    with pytest.raises(Problem, match="no external network"):
        locate(examples.platform(), facts(networks=()))
    silent = replace(facts(), network=Finding("service network", "does not answer", "Wait."))
    with pytest.raises(Problem, match="does not answer"):
        locate(examples.platform(), silent)


@pytest.mark.parametrize(
    ("servers", "volumes", "apart"),
    [({"a"}, {"a"}, False), ({"a"}, {"a", "b"}, False), ({"a", "b"}, {"a"}, True), ({"a"}, {"nova"}, True)],
)
def test_volumes_have_zones_of_their_own_where_not_every_servers_is_one(
    servers: set[str], volumes: set[str], apart: bool
) -> None:
    cloud = replace(
        facts(),
        compute=replace(clouds.COMPUTE, zones=frozenset(servers)),
        volumes=replace(clouds.VOLUMES, zones=frozenset(volumes)),
    )
    assert locate(examples.platform(), cloud).zones_apart is apart


def test_a_provider_nobody_knows_is_refused() -> None:
    with pytest.raises(Problem, match="nothing is known of the provider 'f5'"):
        locate(examples.platform(loadBalancerProvider="f5"), facts())


def test_what_the_stack_made_is_left_to_heat() -> None:
    found = [
        Belonging("port", "1", "demo-master-0", "node"),
        Belonging("port", "2", "default/pod", Owner("c", "pod").kind),
        Belonging("load balancer", "3", "demo-api", "platform"),
        Belonging("load balancer", "4", "default/web", "service"),
    ]
    assert [each.id for each in made_by_controllers(found)] == ["2", "4"]
    assert summary(found) == "2 load balancers, 2 ports"
