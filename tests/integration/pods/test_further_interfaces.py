"""Pods get further interfaces on networks of the cloud, by a real Neutron and a real API."""

import json
from typing import TYPE_CHECKING, Any

from causeway.kube.interfaces import ATTACHMENT_DEFINITIONS
from causeway.kube.resource import EVENTS, PODS

if TYPE_CHECKING:
    from tests.integration.pods.stage import Stage

NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"


async def add(stage: "Stage", name: str, networks: Any) -> str:
    text = networks if isinstance(networks, str) else json.dumps(networks)
    spec = {"nodeName": "w1", "containers": [{"name": "c", "image": "i"}]}
    body = {"metadata": {"name": name, "annotations": {NETWORKS: text}}, "spec": spec}
    uid: str = (await stage.client.create(PODS, body, stage.namespace))["metadata"]["uid"]
    return uid


async def test_a_pod_gets_the_interfaces_it_asks_for(stage: "Stage") -> None:
    stage.controller.start()
    network: Any = stage.tenant.connection.network
    data = network.create_network(name="data")
    try:
        network.create_subnet(
            network_id=data.id,
            ip_version=4,
            cidr="10.90.0.0/24",
            enable_dhcp=False,
            allocation_pools=[{"start": "10.90.0.100", "end": "10.90.0.200"}],  # without what a pod asks for
        )
        network.create_subnet(
            network_id=data.id, ip_version=6, cidr="fd00:90::/64", gateway_ip="fd00:90::1", enable_dhcp=False
        )
        config = {"cniVersion": "1.0.0", "name": "data", "type": "causeway", "network": "data"}
        body = {
            "apiVersion": ATTACHMENT_DEFINITIONS.api_version,
            "kind": ATTACHMENT_DEFINITIONS.kind,
            "metadata": {"name": "data"},
            "spec": {"config": json.dumps(config)},
        }
        await stage.client.create(ATTACHMENT_DEFINITIONS, body, stage.namespace)
        plain = await add(stage, "plain", "data@fast0")
        wish = {"name": "data", "ips": ["10.90.0.77"], "mac": "02:00:5e:00:00:77", "interface": "net7"}
        chosen = await add(stage, "chosen", [wish])
        await add(stage, "wrong", "elsewhere")

        seen = await stage.until(
            lambda seen: (
                {(claim.pod_uid, claim.interface) for claim in seen.claims().values()}
                >= {(plain, ""), (plain, "fast0"), (chosen, ""), (chosen, "net7")}
            )
        )
        ports = {
            (claim.pod_uid, claim.interface): seen.ports[port_id] for port_id, claim in seen.claims().items()
        }
        assert ports[plain, "fast0"].network_id == data.id
        versions = sorted(":" in fixed.ip_address for fixed in ports[plain, "fast0"].fixed_ips)
        assert versions == [False, True]
        assert ports[plain, ""].network_id == stage.tenant.nets["pods"].id
        assert [fixed.ip_address for fixed in ports[chosen, "net7"].fixed_ips] == ["10.90.0.77"]
        assert ports[chosen, "net7"].mac_address == "02:00:5e:00:00:77"

        async def told() -> Any:
            meta = (await stage.client.get(PODS, "chosen", stage.namespace))["metadata"]
            return json.loads(meta["annotations"].get(STATUS, "[]"))

        first, further = await stage.come(told)
        assert (first["interface"], first["default"]) == ("eth0", True)
        assert (further["name"], further["interface"]) == (f"{stage.namespace}/data", "net7")
        assert (further["ips"], further["mac"]) == (["10.90.0.77"], "02:00:5e:00:00:77")

        async def refused() -> list[str]:
            found = (await stage.client.list(EVENTS, stage.namespace)).items
            return [each["note"] for each in found if each["regarding"]["name"] == "wrong"]

        assert "no NetworkAttachmentDefinition" in (await stage.come(refused))[0]
    finally:
        await stage.drop_pods(["plain", "chosen", "wrong"])
        await stage.until(lambda seen: all(port.network_id != data.id for port in seen.ports.values()), 300)
        network.delete_network(data)
    assert stage.controller.stop() == 0
