"""``causeway orphans`` on a project of the lab, with a real Kubernetes API to ask who lives."""

import uuid
from typing import Any

from tests.integration.kube_api import KubeApi
from tests.integration.orphans.conftest import Scene
from tests.integration.projects import until

from causeway.cloud.ownership import Owner
from causeway.kube.client import Client
from causeway.kube.resource import NAMESPACES, PODS, PORT_POOLS, SERVICES


async def populate(scene: Scene, kube: Client) -> None:
    """Make objects of every sort: of the living, of the dead, of a cluster that is gone, of others."""
    network, balancers = scene.project.cloud.network, scene.project.cloud.load_balancer
    await kube.create(NAMESPACES, {"metadata": {"name": "shop"}})
    pod = await kube.create(
        PODS, {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}, "shop"
    )
    service = await kube.create(
        SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}, "shop"
    )

    def owned(kind: str, alive: str = "") -> Owner:
        return Owner(scene.alive, kind, alive or str(uuid.uuid4()))

    net = network.create_network(name="pods")
    subnet = network.create_subnet(network_id=net.id, ip_version=4, cidr="10.20.0.0/24")
    external = network.find_network("ext")

    def port(name: str, tags: list[str]) -> str:
        return str(network.create_port(network_id=net.id, name=name, tags=tags).id)

    living, dead, foreign = scene.living, scene.dead, scene.foreign
    living["port of a pod"] = port("shop/web", owned("pod", pod["metadata"]["uid"]).tags())
    living["port of a pool"] = port("", Owner(scene.alive, "pod").tags())
    dead["port of a pod"] = port("shop/old", owned("pod").tags())
    dead["port of no pool"] = port("", Owner(scene.alive, "pod").tags())
    parent = network.create_port(network_id=net.id, name="w1", tags=Owner(scene.alive, "node").tags())
    trunk = network.create_trunk(name="w1", port_id=parent.id)
    subport = {"port_id": dead["port of a pod"], "segmentation_type": "vlan", "segmentation_id": 7}
    network.add_trunk_subports(trunk, [subport])
    living["parent port"] = parent.id
    pool = {"metadata": {"name": "w1"}, "spec": {"ports": [pooled(living["port of a pool"])]}}
    await kube.apply(pool, manager="test", resource=PORT_POOLS)

    about = owned("policy").description()
    dead["group"] = network.create_security_group(name="shop/deny", description=about).id
    dead["peers"] = network.create_address_group(
        name="peers", description=about, addresses=["10.20.0.9/32"]
    ).id
    dead["address"] = network.create_ip(
        floating_network_id=external.id, description=owned("service").description()
    ).id
    balancer = balancers.create_load_balancer(
        name="shop/old", vip_subnet_id=subnet.id, provider="ovn", tags=owned("service").tags()
    )
    dead["balancer"] = balancer.id
    alive = balancers.create_load_balancer(
        name="shop/web",
        vip_subnet_id=subnet.id,
        provider="ovn",
        tags=owned("service", service["metadata"]["uid"]).tags(),
    )
    living["balancer"] = alive.id

    foreign["port"] = port("shop/old", ["somebody-else"])
    foreign["balancer"] = balancers.create_load_balancer(
        name="shop/old", vip_subnet_id=subnet.id, provider="ovn"
    ).id
    foreign["group"] = network.create_security_group(name="shop/deny").id

    lost = Owner(scene.gone, "network")
    gone_net = network.create_network(name="lost")
    network.set_tags(gone_net, lost.tags())
    gone_subnet = network.create_subnet(network_id=gone_net.id, ip_version=4, cidr="10.30.0.0/24")
    router = network.create_router(name="lost")
    network.set_tags(router, lost.tags())
    network.add_interface_to_router(router, subnet_id=gone_subnet.id)
    tags = Owner(scene.gone, "pod", str(uuid.uuid4())).tags()
    lost_port = network.create_port(network_id=gone_net.id, name="shop/lost", tags=tags)
    scene.left |= {"network": gone_net.id, "router": router.id, "port": lost_port.id}
    until(lambda: all(each.provisioning_status == "ACTIVE" for each in balancers.load_balancers()))


def pooled(port: str) -> dict[str, Any]:
    return {
        "portID": port,
        "segmentationID": 5,
        "macAddress": "fa:16:3e:00:00:01",
        "fixedIPs": [{"ipAddress": "10.20.0.8", "prefixLength": 24}],
        "mtu": 1400,
    }


def told(answer: dict[str, Any], cluster: str) -> dict[str, str]:
    return {each["id"]: each["proof"] for each in answer["orphans"] if each["cluster"] == cluster}


async def test_orphans_are_proven_and_deleted_and_nothing_else(
    scene: Scene, kube: Client, kube_api: KubeApi
) -> None:
    await populate(scene, kube)

    status, answer = scene.causeway(kubeconfig=kube_api.kubeconfig)
    assert status == 1
    proofs = told(answer, scene.alive)
    assert set(proofs) == set(scene.dead.values())
    assert proofs[scene.dead["port of no pool"]] == "no node has been given it: no PortPool names it"
    assert "no policy has the UID" in proofs[scene.dead["peers"]]
    assert set(told(answer, scene.gone)) == set(scene.left.values())

    status, answer = scene.causeway("--delete", "--older-than", "0", kubeconfig=kube_api.kubeconfig)
    assert scene.present(scene.dead) == set()
    assert scene.present(scene.living) == set(scene.living)
    assert scene.present(scene.foreign) == set(scene.foreign)
    assert scene.present(scene.left) == set(scene.left)  # its cluster was not named
    assert status == 1

    status, answer = scene.causeway("--cluster", scene.gone, "--delete", "--older-than", "0")
    assert (status, [each["deleted"] for each in answer["orphans"]]) == (0, [True] * len(answer["orphans"]))
    assert scene.present(scene.left) == set()
    assert scene.present(scene.living) == set(scene.living)
    assert scene.present(scene.foreign) == set(scene.foreign)

    status, answer = scene.causeway(kubeconfig=kube_api.kubeconfig)
    assert (status, answer["orphans"], answer["unjudged"]) == (0, [], {})
