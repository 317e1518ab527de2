"""What is put into a platform, on a real Kubernetes API."""

from typing import Any

from tests.integration.kube_api import KubeApi

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import CONFIG_MAPS, STORAGE_CLASSES
from causeway.rooms.platforms import addons, forwarding
from causeway.rooms.platforms.model import Names, VolumeDriver


def storage_class(text: str) -> list[dict[str, Any]]:
    volumes = addons.Volumes("u", "same", VolumeDriver.model_validate_json(text), {})
    found = addons.manifests(addons.Settings({}, {}, 1, volumes=volumes))
    return [each for each in found if each["kind"] == STORAGE_CLASSES.kind]


async def test_a_class_of_another_volume_type_takes_the_place_of_the_one_there(kube_api: KubeApi) -> None:
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        uids = []
        for text in ("{}", "{}", '{"type": "ssd"}', '{"type": "ssd"}'):
            await addons.install(client, storage_class(text))
            found = await client.get(STORAGE_CLASSES, "cinder")
            uids.append(found["metadata"]["uid"])
    assert found["parameters"] == {"type": "ssd"}
    assert [uids[0], uids[2]] == [uids[1], uids[3]]
    assert uids[0] != uids[2]


async def test_the_zones_are_asked_of_their_own_name_servers_until_they_are_not(kube_api: KubeApi) -> None:
    names = Names.model_validate_json('{"zone": "shop.example.org", "nameservers": ["192.0.2.53"]}')
    original = ".:53 {\n    errors\n}\n"
    corefile = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": forwarding.NAME, "namespace": forwarding.NAMESPACE},
        "data": {forwarding.FILE: original},
    }
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:

        async def present() -> str:
            found = await client.get(CONFIG_MAPS, forwarding.NAME, forwarding.NAMESPACE)
            return str(found["data"][forwarding.FILE])

        assert not await forwarding.forward(client, names)  # no DNS of kubeadm's
        await client.create(CONFIG_MAPS, corefile)
        try:
            assert [await forwarding.forward(client, names) for _ in range(2)] == [True, False]
            assert "forward . 192.0.2.53" in await present()
            assert await forwarding.forward(client, None)
            assert await present() == original
        finally:
            await client.delete(CONFIG_MAPS, forwarding.NAME, forwarding.NAMESPACE)
