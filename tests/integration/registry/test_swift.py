"""Images in the cloud's object store: they outlive the registry, and go with the container and its keys."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.connection import Connection
from tests.integration.registry.stage import Stage, Storage
from tests.integration.registry.test_collecting import collect_what_a_lost_namespace_left
from tests.integration.registry.test_registry import PUSHER, account

from causeway.lab.settings import Settings
from causeway.rooms.platforms import image_store
from causeway.rooms.platforms.image_store import ImageStore
from causeway.rooms.registry import quota
from causeway.rooms.registry.bucket import Bucket, Place

SOMEBODY = "5d8c0e6f1b2a4c3d9e7f0a1b2c3d4e5f"  # a user of nobody here


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


async def test_images_are_in_the_container_and_outlive_the_registrys_node(
    stage: Stage, tmp_path: Path
) -> None:
    container = stage.storage
    assert isinstance(container, Container)
    await stage.namespace("shop", "builder")
    await stage.bind("shop", PUSHER, account("shop", "builder"))
    token = await stage.token("shop", "builder")
    archive, digest = stage.image("front")
    status, said = await stage.skopeo(token, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said
    assert any("repositories/shop/front" in each for each in container.objects())
    # Its node is lost: another has nothing but the Secret, and goes on where that was.
    stage.stop()
    other = stage.elsewhere(tmp_path / "other")
    try:
        await other.start()
        status, said = await other.skopeo(token, "inspect", "--format={{.Digest}}", "HOST/shop/front:1")
        assert (status, said.strip()) == (0, digest)
        status, said = await other.skopeo(token, "copy", archive, "HOST/shop/front:2")
        assert status == 0, said
    finally:
        other.stop()
    image_store.delete(container.cloud, container.cluster)
    assert container.containers() == []


async def test_what_a_namespace_that_is_gone_left_is_freed_there_too(stage: Stage) -> None:
    container = stage.storage
    assert isinstance(container, Container)
    made = container.store()
    assert made is not None
    place = Place(made.endpoint, made.container, "us-east-1", made.access, made.secret)
    async with Bucket(place) as store:
        await collect_what_a_lost_namespace_left(stage, store)
        held = await quota.held(store, "stays")
        assert sorted(held.values())[-2:] == sorted(map(len, await layers(store)))
    image_store.delete(container.cloud, container.cluster)


async def layers(store: Bucket) -> list[bytes]:
    """Return the bytes of what is large."""
    contents = [await store.read(each) or b"" for each in await store.keys("docker/registry/v2/blobs")]
    return [each for each in contents if len(each) > 50_000]


def test_what_is_made_is_found_again_and_all_of_it_goes(storage: Storage) -> None:
    assert isinstance(storage, Container)
    first = storage.store()
    assert first is not None
    assert storage.store() == first
    assert "secret" not in repr(first)
    (data,) = image_store.stored(storage.cloud, storage.cluster)
    assert (str(data), data.about()) == (f"container {first.container}", "0 GiB")
    image_store.revoke(storage.cloud, storage.cluster)
    again = storage.store()
    assert again is not None
    assert again.secret != first.secret
    storage.cloud.object_store.put(f"/{first.container}/a/b c", data=b"x")
    # Who may have keys that cannot be seen from here is known as long as the container is.
    mark = {image_store.mark_of("a" * 32): SOMEBODY}
    storage.cloud.object_store.post(f"/{first.container}", headers=mark)
    head = storage.cloud.object_store.head(f"/{first.container}")
    assert image_store.users_in(head.headers) == sorted([str(storage.cloud.current_user_id), SOMEBODY])
    for _ in range(2):
        assert image_store.revoke(storage.cloud, storage.cluster) == [SOMEBODY]
    assert f"--user {SOMEBODY}" in image_store.unrevoked(storage.cluster, SOMEBODY).remedy
    for _ in range(2):
        image_store.delete(storage.cloud, storage.cluster)
        assert image_store.revoke(storage.cloud, storage.cluster) == []
        assert storage.containers() == []
        assert image_store.stored(storage.cloud, storage.cluster) == []
