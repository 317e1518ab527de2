"""What is put into a platform, on a real Kubernetes API."""

from typing import Any

import pytest
from tests.integration.kube_api import KubeApi
from tests.unit.rooms.platforms.examples import NEW, PKI, platform

from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.resource import CLAIMS, DAEMON_SETS, DEPLOYMENTS, ROUTES, SERVICES, STORAGE_CLASSES
from causeway.rooms.platforms import addons, registering
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


def manifests(registry: registering.Registering | None = None) -> list[dict[str, Any]]:
    """Return all objects but those of nodes, which this API is not set up to allow."""
    found = addons.manifests(addons.Settings({}, {}, 1, registry=registry))
    return [each for each in found if each["kind"] != DAEMON_SETS.kind]


async def test_a_registry_comes_at_once_and_goes_without_its_images(kube_api: KubeApi) -> None:
    wanted = platform(registry={"storage": "cinder", "host": "registry.example.test"})
    made = registering.registering(wanted, NEW.services.cidr, PKI, {})
    assert made is not None
    place = (registering.NAME, addons.NAMESPACE)
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as client:
        # The first time its route's definition is as new as the route.
        for _ in range(2):
            await addons.install(client, manifests(made))
        service = await client.get(SERVICES, *place)
        assert service["spec"]["clusterIP"] == made.address
        assert (await client.get(ROUTES, *place))["spec"]["host"] == made.host
        await addons.install(client, manifests())
        for each in (DEPLOYMENTS, SERVICES, ROUTES):
            with pytest.raises(NotFound):
                await client.get(each, *place)
        assert (await client.get(CLAIMS, *place))["metadata"]["name"] == registering.NAME
