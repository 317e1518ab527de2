"""Images in a bucket that was there before, by keys of its user's Secret; the S3 is that of a real Ceph."""

import base64
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openstack
import pytest
from tests.integration.kube_api import KubeApi
from tests.integration.lab import s3
from tests.integration.lab.s3 import S3
from tests.integration.registry.stage import Stage, Storage
from tests.integration.registry.test_collecting import collect_what_a_lost_namespace_left, owned

from causeway.kit.errors import Problem
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.lab.settings import Settings
from causeway.rooms.platforms.image_store import ImageStore
from causeway.rooms.registry.bucket import Bucket, Place
from causeway.rooms.registry.quota import ANNOTATION
from causeway.rooms.registry.store import together

SECRET = "keys-of-the-bucket"
OURS = ("docker/registry/v2/", "causeway/")
FOREIGN = {
    "notes/plan.txt": b"somebody's",
    "docker/registry/v20/blobs/sha256/00/data": b"of another registry",
    "causeway.txt": b"kept",
}
LARGE = 40 << 20  # bytes: sent in parts, and copied in parts (from 32 MiB on) when it is whole
PAGE = 1000  # keys that are listed at once


@dataclass
class Given:
    """A bucket, as the platform file names it."""

    owner: S3
    bucket: str

    def keys(self) -> dict[str, Any]:
        named = {"endpoint": self.owner.url, "bucket": self.bucket, "secret": SECRET}
        return {"storage": "s3", "s3": named}

    def store(self) -> ImageStore | None:
        return None

    def replaced(self) -> dict[str, str]:
        return {}

    def place(self) -> Place:
        """Return where the collector and the token service look."""
        return Place(self.owner.url, self.bucket, "us-east-1", self.owner.access, self.owner.secret)

    def objects(self) -> list[str]:
        """Return the names of all objects, up to a page of them."""
        page = ElementTree.fromstring(self.owner.request("GET", f"/{self.bucket}"))
        return [each.text or "" for each in page.iterfind("{*}Contents/{*}Key")]


@pytest.fixture
async def storage(lab: Settings, kube_api: KubeApi) -> AsyncIterator[Storage]:
    """A bucket with what others have in it, and its keys where the platform file says."""
    assert "ceph" in lab.extras, "this lab has no Ceph: bring it up by `causeway lab up --with ceph`"
    cloud: Any = openstack.connect()
    owner, credential = s3.of_user(cloud)
    made = Given(owner, f"images-{uuid.uuid4().hex[:8]}")
    owner.request("PUT", f"/{made.bucket}")
    for key, content in FOREIGN.items():
        owner.request("PUT", f"/{made.bucket}/{key}", content)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": "kube-system"},
        "data": {
            "access-key": base64.b64encode(owner.access.encode()).decode(),
            "secret-key": base64.b64encode(owner.secret.encode()).decode(),
        },
    }
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await admin.apply(secret, manager="somebody")
    yield made
    async with Bucket(made.place()) as store:
        for key in (*(each.partition("/")[0] for each in OURS), *FOREIGN):
            await store.remove(key)
    owner.request("DELETE", f"/{made.bucket}")
    cloud.identity.delete(credential)


async def test_images_are_in_the_bucket_outlive_the_registrys_node_and_touch_nothing_else(
    stage: Stage, tmp_path: Path
) -> None:
    given = stage.storage
    assert isinstance(given, Given)
    token = await owned(stage, "shop")
    archive, digest = stage.image("front", LARGE)
    status, said = await stage.skopeo(token, "copy", archive, "HOST/shop/front:1")
    assert status == 0, said
    assert any("repositories/shop/front" in each for each in given.objects())
    # Its node is lost: another one has the Secrets, and goes on where that was.
    stage.stop()
    other = stage.elsewhere(tmp_path / "other")
    try:
        await other.start()
        target = f"oci-archive:{tmp_path / 'got.tar'}"
        status, said = await other.skopeo(token, "copy", "HOST/shop/front:1", target)
        assert status == 0, said
        status, said = await other.skopeo(token, "inspect", "--format={{.Digest}}", "HOST/shop/front:1")
        assert (status, said.strip()) == (0, digest)
        status, said = await other.skopeo(token, "delete", "HOST/shop/front:1")
        assert status == 0, said
        await other.collect()
        assert await other.unused() == (0, 0)
    finally:
        other.stop()
    assert not [each for each in given.objects() if each.startswith("docker/registry/v2/blobs/")]
    assert {each for each in given.objects() if not each.startswith(OURS)} == set(FOREIGN)
    for key, content in FOREIGN.items():
        assert given.owner.request("GET", f"/{given.bucket}/{key}") == content


async def test_what_a_namespace_that_is_gone_left_is_freed_there_too(stage: Stage) -> None:
    given = stage.storage
    assert isinstance(given, Given)
    async with Bucket(given.place()) as store:
        await collect_what_a_lost_namespace_left(stage, store)
    assert {each for each in given.objects() if not each.startswith(OURS)} == set(FOREIGN)


async def test_a_namespace_holds_what_it_may_there_too(stage: Stage) -> None:
    token = await owned(stage, "small", **{ANNOTATION: "150Ki"})
    (first, _), (second, _) = stage.image("first"), stage.image("second")
    status, said = await stage.skopeo(token, "copy", first, "HOST/small/a:1")
    assert status == 0, said
    status, said = await stage.skopeo(token, "copy", second, "HOST/small/b:1")
    assert status != 0
    assert "of the 150.0 KiB they may" in said, said
    status, said = await stage.skopeo(token, "delete", "HOST/small/a:1")
    assert status == 0, said
    status, said = await stage.skopeo(token, "copy", second, "HOST/small/b:1")
    assert status == 0, said


async def test_files_are_listed_by_pages_and_go_with_their_folder(storage: Storage) -> None:
    assert isinstance(storage, Given)
    began = datetime.now(UTC)
    many = [f"docker/many/{number:04}/a b+c%2F&ü" for number in range(PAGE + 5)]
    async with Bucket(storage.place()) as store:
        await together(store.write(key, key.encode()) for key in many)
        listed = await store.written("docker/many")
        assert sorted(listed) == many
        seconds = timedelta(seconds=2)  # it tells milliseconds at best
        assert all(began - seconds <= each <= datetime.now(UTC) + seconds for each in listed.values())
        assert sorted(await store.folders("docker/many")) == [f"{each:04}" for each in range(PAGE + 5)]
        assert await store.read(many[7]) == many[7].encode()
        assert await store.size(many[7]) == len(many[7].encode())
        await store.write("docker/empty", b"")
        assert (await store.read("docker/empty"), await store.size("docker/empty")) == (b"", 0)
        assert (await store.read("docker/none"), await store.size("docker/none")) == (None, None)
        await store.remove("docker/none")
        await store.remove("docker/many")
    assert set(storage.objects()) == {"docker/empty", *FOREIGN}


async def test_what_the_object_store_refuses_is_told(storage: Storage) -> None:
    assert isinstance(storage, Given)
    place = storage.place()
    for wrong, words in (
        (replace(place, secret="not its secret"), "it answers 403: SignatureDoesNotMatch"),
        (replace(place, bucket=f"{place.bucket}-2"), "there is no such bucket"),
    ):
        async with Bucket(wrong) as store:
            with pytest.raises(Problem, match=words):
                await store.keys("docker")
