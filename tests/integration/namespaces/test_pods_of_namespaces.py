"""Pods of a namespace with its own network get ports there, with its group, and take nothing with them."""

from typing import TYPE_CHECKING

from causeway.kube.resource import PODS

if TYPE_CHECKING:
    from tests.integration.namespaces.conftest import Stage


async def test_pods_live_on_the_network_of_their_namespace(stage: "Stage") -> None:
    stage.controller.start()
    uid = await stage.make("shop", network="own")
    # At once: they wait for the network.
    spec = {"nodeName": "w1", "containers": [{"name": "c", "image": "i"}]}
    await stage.make("plain")
    for name, namespace in (("one", "shop"), ("two", "shop"), ("three", "plain")):
        await stage.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, namespace)
    ports = await stage.pods.until(lambda seen: len(seen.claims()) == 3)
    seen = await stage.until(lambda seen: seen.whole([uid]))
    (network,), (subnet,), (group,) = seen.networks, seen.subnets, seen.groups
    entries = {port_id: entry for port_id, (_, entry) in ports.entries().items()}
    for port_id, claim in ports.claims().items():
        own = claim.namespace == "shop"
        port = ports.ports[port_id]
        assert (port.network_id == network.id) == own
        assert (port.security_groups == (group.id,)) == own
        assert entries[port_id].namespace == ("shop" if own else "")
        address = entries[port_id].fixed_ips[0]
        assert (address.prefix_length, address.gateway) == (
            (24, subnet.gateway_ip) if own else (16, "10.20.0.1")
        )

    for name in ("one", "two"):
        await stage.client.delete(PODS, name, "shop", grace_seconds=0)
    await stage.delete("shop")
    await stage.until(lambda seen: seen.whole([]))
    left = await stage.pods.look()
    assert {port.network_id for port in left.ports.values()} == {stage.tenant.nets["pods"].id}
    await stage.client.delete(PODS, "three", "plain", grace_seconds=0)
    assert stage.controller.stop() == 0
