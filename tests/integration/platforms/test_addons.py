"""What is put into a platform, on a real Kubernetes API."""

from typing import Any

from tests.integration.kube_api import KubeApi

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import STORAGE_CLASSES
from causeway.rooms.platforms import addons
from causeway.rooms.platforms.model import VolumeDriver


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
