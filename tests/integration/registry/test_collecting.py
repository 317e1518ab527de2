"""What no image needs is freed, images go with their namespace, and a namespace holds no more than it may."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.integration.registry.stage import Disk, Stage
from tests.integration.registry.test_registry import PUSHER, account

from causeway.kit.errors import Problem
from causeway.kube.access import Access, from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import NAMESPACES
from causeway.rooms.registry import gate, owners
from causeway.rooms.registry.gate import Entrance, Hold
from causeway.rooms.registry.images import Images
from causeway.rooms.registry.owners import Owner
from causeway.rooms.registry.quota import ANNOTATION
from causeway.rooms.registry.store import Directory, Store
from causeway.serve.registry import collector

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


async def owned(stage: Stage, namespace: str, **annotations: str) -> str:
    """Make a namespace with somebody who may push; return his token."""
    await stage.namespace(namespace, "builder", **annotations)
    await stage.bind(namespace, PUSHER, account(namespace, "builder"))
    return await stage.token(namespace, "builder")


def directory(stage: Stage) -> Store:
    assert isinstance(stage.storage, Disk)
    return Directory(stage.storage.directory)


async def blobs(store: Store) -> int:
    return sum(each.endswith("/data") for each in await store.keys("docker/registry/v2/blobs"))


async def collect_what_a_lost_namespace_left(stage: Stage, store: Store) -> None:
    """Push to two namespaces, lose one, collect, and push again."""
    stays, gone = await owned(stage, "stays"), await owned(stage, "gone")
    archive, digest = stage.image("kept")
    other, _ = stage.image("lost")
    for token, source, target in ((stays, archive, "HOST/stays/a:1"), (gone, other, "HOST/gone/b/c:1")):
        status, said = await stage.skopeo(token, "copy", source, target)
        assert status == 0, said
    before = await blobs(store)
    await stage.forsake("gone")
    await stage.quieten()
    async with gate.closed(stage.admin, "somebody"):
        # Who pushes is told why he may not, and nobody else notices.
        status, said = await stage.skopeo(stays, "copy", other, "HOST/stays/b:1")
        assert status != 0
        assert "unused blobs are being collected" in said, said
        status, said = await stage.skopeo(stays, "inspect", "--format={{.Digest}}", "HOST/stays/a:1")
        assert (status, said.strip()) == (0, digest)
    await stage.collect()
    assert await store.folders("docker/registry/v2/repositories") == ["stays"]
    assert await blobs(store) == before - 3  # a layer, a configuration, a manifest
    assert await stage.unused() == (0, 0)
    # What was collected can be pushed again, and what was not can be pulled.
    status, said = await stage.skopeo(stays, "copy", other, "HOST/stays/b:1")
    assert status == 0, said
    for name in ("a", "b"):
        target = f"oci-archive:{stage.directory / f'{name}-got.tar'}"
        status, said = await stage.skopeo(stays, "copy", f"HOST/stays/{name}:1", target)
        assert status == 0, said


async def test_what_a_namespace_that_is_gone_left_is_freed(stage: Stage) -> None:
    await collect_what_a_lost_namespace_left(stage, directory(stage))


async def test_a_collection_ends_well_where_nothing_is_pushed_or_an_index_of_nothing(stage: Stage) -> None:
    await stage.collect()
    bearer = may_push(stage, await owned(stage, "empty"), "empty/a")
    status, told = write(stage, bearer, "empty/a", {"manifests": []}, INDEX)
    assert status == 201, told
    before = await blobs(directory(stage))
    await stage.collect()
    assert await blobs(directory(stage)) == before


async def test_what_is_deleted_is_what_the_registrys_own_program_would(stage: Stage) -> None:
    token, store = await owned(stage, "same"), directory(stage)
    first, digest = stage.image("first")
    second, _ = stage.image("second")
    third, doomed = stage.image("third")
    pushes = ((first, "a:1"), (second, "a:1"), (first, "b:1"), (third, "c:1"))  # the first loses a tag
    for source, target in pushes:
        status, said = await stage.skopeo(token, "copy", source, f"HOST/same/{target}")
        assert status == 0, said
    bearer = may_push(stage, token, "same/c")
    part = {"mediaType": MANIFEST, "digest": doomed, "size": 500}
    status, told = write(stage, bearer, "same/c", {"manifests": [part]}, INDEX)  # it has the tag now
    assert status == 201, told
    status, said = await stage.skopeo(token, "delete", "HOST/same/b:1")
    assert status == 0, said
    assert await stage.unused() == (0, 0)  # an image without a tag may be wanted by its digest
    before = await blobs(store)
    await stage.collect()
    assert await blobs(store) == before
    theirs = await stage.unused("--delete-untagged")
    assert theirs == (3, 1)
    await stage.collect(untagged="delete")
    assert await blobs(store) == before - 3
    assert await stage.unused("--delete-untagged") == (0, 0)
    status, said = await stage.skopeo(token, "inspect", f"HOST/same/a@{digest}")
    assert status != 0
    assert "unknown" in said, said
    for name in ("a:1", f"c@{doomed}"):
        target = f"oci-archive:{stage.directory / f'{name[0]}-kept.tar'}"
        status, said = await stage.skopeo(token, "copy", f"HOST/same/{name}", target)
        assert status == 0, said
    status, said = await stage.skopeo(token, "copy", first, "HOST/same/a:2")
    assert status == 0, said


class Meanwhile(Directory):
    """A store in which a namespace takes images over just when they are looked through."""

    def __init__(self, root: Path, stage: Stage) -> None:
        super().__init__(root)
        self._stage = stage

    async def folders(self, folder: str) -> list[str]:
        await self._stage.namespace("young")
        made, platform = [await self._stage.admin.get(NAMESPACES, each) for each in ("young", "kube-system")]
        uids = Owner(platform["metadata"]["uid"], made["metadata"]["uid"])
        await owners.record(Directory(self._root), "young", uids)
        return await super().folders(folder)


async def test_what_a_namespace_takes_over_during_a_collection_stays(stage: Stage, tmp_path: Path) -> None:
    key = "docker/registry/v2/repositories/young/a/_layers/link"
    store = Meanwhile(tmp_path / "others", stage)
    await store.write(key, b"x")
    await stage.quieten()
    async with gate.closed(stage.admin, "somebody") as hold:
        assert await collector.sweep(stage.admin, store, hold) == []
    assert await store.keys("docker") == [key]


class Watched(Client):
    """A client that knows when something was read for the second time."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._reads = 0
        self.again = asyncio.Event()

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().get(*args, **kwargs)
        self._reads += 1
        if self._reads > 1:
            self.again.set()
        return found


async def waiting(client: Watched, collector: str) -> asyncio.Task[None]:
    """Let a collector wait; return when it has looked twice without taking the Lease."""
    task = asyncio.create_task(Hold(client, collector).take())
    looked = asyncio.create_task(client.again.wait())
    done, _ = await asyncio.wait([task, looked], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert done == {looked}
    return task


async def test_of_those_who_push_and_those_who_collect_one_goes_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_LOOK_EVERY", 0.2)
    client, access = stage.admin, from_kubeconfig(stage.api.kubeconfig)
    entrance = Entrance(client)
    await stage.quieten()
    answers = await asyncio.gather(*(entrance.enter() for _ in range(4)))
    assert answers == [None] * 4
    async with Watched(access) as first, Watched(access) as second:
        # Somebody may push: who collects waits, and takes it as soon as nobody can any more.
        one = await waiting(first, "one")
        assert await entrance.enter() is None
        await stage.quieten()
        await asyncio.wait_for(one, 30)
        # The same one may come again, after it was killed; another one waits, and nobody pushes.
        await Hold(client, "one").take()
        two = await waiting(second, "two")
        closed = await entrance.enter()
        assert closed is not None
        assert closed.collector == "one"
        await Hold(client, "two").give_back()
        assert await entrance.enter() is not None
        await Hold(client, "one").give_back()
        await asyncio.wait_for(two, 30)
        await Hold(client, "two").give_back()
        assert await entrance.enter() is None


async def test_a_namespace_of_the_same_name_has_nothing_of_the_former(stage: Stage, tmp_path: Path) -> None:
    former = await owned(stage, "again")
    archive, digest = stage.image("front")
    status, said = await stage.skopeo(former, "copy", archive, "HOST/again/front:1")
    assert status == 0, said
    await stage.forsake("again")
    later = await owned(stage, "again")
    for image in ("HOST/again/front:1", f"HOST/again/front@{digest}"):
        status, said = await stage.skopeo(later, "inspect", image)
        assert status != 0
        assert "unknown" in said, said
    assert await directory(stage).keys("docker/registry/v2/repositories/again") == []
    status, said = await stage.skopeo(later, "copy", archive, "HOST/again/front:1")
    assert status == 0, said
    status, said = await stage.skopeo(later, "copy", "HOST/again/front:1", f"oci-archive:{tmp_path / 'got'}")
    assert status == 0, said


async def test_who_pulls_waits_for_nobody_and_needs_no_room(stage: Stage, tmp_path: Path) -> None:
    await stage.namespace("full")
    namespace = await stage.admin.get(NAMESPACES, "full")
    store = Directory(tmp_path / "others")
    unwritable = tmp_path / "others/causeway/namespaces/.full.new"
    unwritable.mkdir(parents=True)
    images = Images(stage.admin, store, None)
    await images.begin()
    assert await images.settle(namespace, changes=False) is None
    with pytest.raises(Problem, match=r"registry\.size"):  # whose it would be nobody would know
        await images.settle(namespace, changes=True)
    unwritable.rmdir()
    assert await images.settle(namespace, changes=True) is None
    async with images.turn("full"):  # somebody counts
        assert await asyncio.wait_for(images.settle(namespace, changes=False), 30) is None


async def test_a_namespace_holds_what_it_may_and_who_pushes_more_is_told(stage: Stage) -> None:
    token = await owned(stage, "small", **{ANNOTATION: "150Ki"})
    first, _ = stage.image("first")
    second, _ = stage.image("second")
    for target in ("HOST/small/a:1", "HOST/small/b:1"):  # what it holds already weighs nothing more
        status, said = await stage.skopeo(token, "copy", first, target)
        assert status == 0, said
    status, said = await stage.skopeo(token, "copy", second, "HOST/small/c:1")
    assert status != 0
    for words in ("namespace small", "of the 150.0 KiB they may", "Delete images of it"):
        assert words in said, said
    await stage.namespace("small", **{ANNOTATION: "1 MB"})
    status, said = await stage.skopeo(token, "copy", second, "HOST/small/c:1")
    assert status != 0
    assert "'1 MB' is no amount. Write it as 5Gi" in said, said
    # However the path is written, it is the same request.
    bearer = may_push(stage, token, "small/c")
    for path in ("/v2/small/c/manifests/1", "/v2/small%2Fc/%6Danifests/1"):
        status, told = stage.ask(path, bearer, method="PUT", body=b"{}")
        assert (status, b"no amount" in told) == (403, True), told
    await stage.namespace("small", **{ANNOTATION: "150Ki"})
    # What is sent later would not be counted.
    status, told = write(stage, bearer, "small/c", {"layers": [{"digest": f"sha256:{'0' * 64}", "size": 1}]})
    assert (status, b"MANIFEST_BLOB_UNKNOWN" in told, b"with its parts again" in told) == (400, True, True), (
        told
    )
    for target in ("HOST/small/a:1", "HOST/small/b:1"):
        status, said = await stage.skopeo(token, "delete", target)
        assert status == 0, said
    status, said = await stage.skopeo(token, "copy", second, "HOST/small/c:1")
    assert status == 0, said


async def test_without_a_quota_too_no_image_comes_in_that_a_collection_would_break(stage: Stage) -> None:
    bearer = may_push(stage, await owned(stage, "odd"), "odd/a")
    for manifest, words in (
        ({"layers": [{"digest": f"sha512:{'0' * 128}", "size": 1}]}, b"parts are named by their sha256"),
        ({"Layers": []}, b"'Layers' is spelt 'layers'"),
    ):
        status, told = write(stage, bearer, "odd/a", manifest)
        assert (status, words in told) == (400, True), told


def may_push(stage: Stage, token: str, repository: str) -> dict[str, str]:
    """Return the headers of who may push to a repository."""
    signed = {"Authorization": f"Basic {base64.b64encode(f'any:{token}'.encode()).decode()}"}
    _, answer = stage.ask(f"/auth/token?scope=repository:{repository}:pull,push,delete", signed)
    return {"Authorization": f"Bearer {json.loads(answer)['token']}"}


def write(
    stage: Stage,
    headers: Mapping[str, str],
    repository: str,
    manifest: Mapping[str, Any],
    kind: str = MANIFEST,
) -> tuple[int, bytes]:
    """Write a manifest under the tag 1; return what is answered."""
    body = json.dumps({"schemaVersion": 2, "mediaType": kind, **manifest}).encode()
    told = {**headers, "Content-Type": kind}
    return stage.ask(f"/v2/{repository}/manifests/1", told, method="PUT", body=body)
