"""Images in the cloud's object store: they outlive the registry, and go with the container and its keys."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openstack
import pytest
from openstack.connection import Connection
from tests.integration.registry.stage import Stage, Storage
from tests.integration.registry.test_registry import PUSHER, account

from causeway.lab.settings import Settings
from causeway.rooms.platforms import image_store
from causeway.rooms.platforms.image_store import ImageStore


@dataclass
class Container:
    """A container of Swift, made as ``apply`` makes it."""

    cloud: Connection
    cluster: str

    def keys(self) -> dict[str, Any]:
        return {"storage": "swift"}

    def store(self) -> ImageStore | None:
        return image_store.ensure(self.cloud, self.cluster)

    def replaced(self) -> dict[str, str]:
        return {}

    def containers(self) -> list[str]:
        """Return the names of what is there of the platform: the container, and that of parts beside it."""
        answer = self.cloud.object_store.get("/", params={"format": "json", "prefix": "causeway-registry-"})
        return [each["name"] for each in answer.json() if self.cluster in each["name"]]

    def objects(self) -> list[str]:
        """Return the names of all objects."""
        path = f"/{image_store.container_of(self.cluster)}"
        return [each["name"] for each in self.cloud.object_store.get(path, params={"format": "json"}).json()]


@pytest.fixture
def storage(lab: Settings) -> Iterator[Storage]:
    del lab
    made = Container(openstack.connect(), str(uuid.uuid4()))
    yield made
    image_store.revoke(made.cloud, made.cluster)
    image_store.delete(made.cloud, made.cluster)


async def test_images_are_in_the_container_and_outlive_the_registry(stage: Stage) -> None:
    container = stage.storage
    assert isinstance(container, Container)
    await stage.namespace("shop", "builder")
    await stage.bind("shop", PUSHER, account("shop", "builder"))
    token = await stage.token("shop", "builder")
    archive, digest = stage.image("front")
    status, said = await stage.skopeo(token, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said
    assert any("repositories/shop/front" in each for each in container.objects())
    stage.stop()
    await stage.start()
    status, said = await stage.skopeo(token, "inspect", "--format={{.Digest}}", "HOST/shop/front:1")
    assert (status, said.strip()) == (0, digest)
    image_store.delete(container.cloud, container.cluster)
    assert container.containers() == []


def test_what_is_made_is_found_again_and_all_of_it_goes(storage: Storage) -> None:
    assert isinstance(storage, Container)
    first = storage.store()
    assert first is not None
    assert storage.store() == first
    assert "secret" not in repr(first)
    image_store.revoke(storage.cloud, storage.cluster)
    again = storage.store()
    assert again is not None
    assert again.secret != first.secret
    storage.cloud.object_store.put(f"/{first.container}/a/b c", data=b"x")
    for _ in range(2):
        image_store.revoke(storage.cloud, storage.cluster)
        image_store.delete(storage.cloud, storage.cluster)
        assert storage.containers() == []
