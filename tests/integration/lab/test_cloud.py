"""What a plain project user of the lab's cloud must be able to do, since platforms are deployed as one."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openstack.exceptions import ForbiddenException

from causeway.lab.settings import Settings
from causeway.lab.verify import connect

LIMIT = 240.0


@pytest.fixture
def demo(lab: Settings) -> Any:
    return connect(lab, "lab")


@pytest.fixture
def network(demo: Any) -> Iterator[Any]:
    made = demo.network.create_network(name="test-lab")
    demo.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.77.0.0/24", name="test-lab")
    yield made
    for port in demo.network.ports(network_id=made.id):
        demo.network.delete_port(port)
    demo.network.delete_network(made)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_user_is_no_administrator(demo: Any) -> None:
    with pytest.raises(ForbiddenException):
        list(demo.identity.users())
    with pytest.raises(ForbiddenException):
        list(demo.compute.services())


def test_flavors_and_external_network_are_there(demo: Any) -> None:
    flavors = {flavor.name: (flavor.vcpus, flavor.ram, flavor.disk) for flavor in demo.compute.flavors()}
    assert flavors["m1.medium"] == (2, 2048, 20)
    assert demo.network.find_network("ext").is_router_external


def test_ports_are_created_in_bulk_with_their_tags(demo: Any, network: Any) -> None:
    body = {
        "ports": [{"network_id": network.id, "tags": ["causeway", f"causeway-uid={n}"]} for n in range(5)]
    }
    answer = demo.network.post("/ports", json=body)
    assert answer.status_code == 201
    tags = sorted(sorted(port["tags"]) for port in answer.json()["ports"])
    assert tags == [["causeway", f"causeway-uid={n}"] for n in range(5)]
    found = list(demo.network.ports(tags="causeway-uid=3", network_id=network.id))
    assert len(found) == 1


def test_a_trunk_takes_subports(demo: Any, network: Any) -> None:
    parent, child = (demo.network.create_port(network_id=network.id) for _ in range(2))
    trunk = demo.network.create_trunk(port_id=parent.id, name="test-lab")
    demo.network.add_trunk_subports(
        trunk, [{"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 100}]
    )
    assert [port["segmentation_id"] for port in demo.network.get_trunk(trunk).sub_ports] == [100]
    demo.network.delete_trunk(trunk)


def test_a_whole_load_balancer_comes_by_one_request(demo: Any, network: Any) -> None:
    subnet = next(demo.network.subnets(network_id=network.id))
    members = [{"address": f"10.77.0.{n}", "protocol_port": 8080, "subnet_id": subnet.id} for n in (50, 51)]
    pool = {"protocol": "TCP", "lb_algorithm": "SOURCE_IP_PORT", "members": members}
    listeners = [
        {"protocol": "TCP", "protocol_port": port, "default_pool": {"name": f"pool-{port}", **pool}}
        for port in (80, 443)
    ]
    body = {"name": "test-lab", "provider": "ovn", "vip_subnet_id": subnet.id, "listeners": listeners}
    made = demo.load_balancer.post("/lbaas/loadbalancers", json={"loadbalancer": body}).json()["loadbalancer"]
    path = f"/lbaas/loadbalancers/{made['id']}"

    def active() -> bool:
        return bool(demo.load_balancer.get(path).json()["loadbalancer"]["provisioning_status"] == "ACTIVE")

    until(active)
    demo.load_balancer.delete(path, params={"cascade": "true"})
    until(lambda: demo.load_balancer.get(path).status_code == 404)


def test_a_volume_holds_bytes_behind_it(demo: Any) -> None:
    volume = demo.block_storage.create_volume(size=1, name="test-lab")
    until(lambda: demo.block_storage.get_volume(volume.id).status == "available")
    demo.block_storage.delete_volume(volume)


def test_a_stack_is_made_and_deleted(demo: Any) -> None:
    template = {
        "heat_template_version": "2018-08-31",
        "resources": {"net": {"type": "OS::Neutron::Net", "properties": {"name": "test-lab-stack"}}},
    }
    stack = demo.orchestration.create_stack(name="test-lab", template=template)
    until(lambda: demo.orchestration.get_stack(stack.id).status == "CREATE_COMPLETE")
    demo.orchestration.delete_stack(stack.id)
    until(lambda: demo.network.find_network("test-lab-stack") is None)


def test_an_application_credential_is_made(demo: Any) -> None:
    made = demo.identity.create_application_credential(demo.current_user_id, "test-lab")
    demo.identity.delete_application_credential(demo.current_user_id, made.id)
