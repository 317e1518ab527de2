"""What is remembered of an image, by what the registry answers; the rest is tried with a real one."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ec

from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.rooms.registry import layout
from causeway.rooms.registry.gate import Gate
from causeway.rooms.registry.images import Images
from causeway.rooms.registry.store import Directory
from causeway.rooms.registry.tokens import Signer
from causeway.serve.registry import admission

LIMIT = 1000
Door = TestClient[web.Request, web.Application]


class Shop(Images):
    """Images of one namespace, which is there; ``closed`` is what stands against a push."""

    closed: Gate | None = None

    async def enter(self) -> Gate | None:
        return self.closed

    async def namespace(self, name: str) -> Object | None:
        return {"metadata": {"name": name, "uid": "1"}}


@pytest.fixture
def signer() -> Signer:
    return Signer("registry.example", ec.generate_private_key(ec.SECP256R1()), "key")


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.fixture
def statuses() -> list[int]:
    """What the registry answers, one after the other; it writes the image each time."""
    return []


@pytest.fixture
def images(store: Directory) -> Shop:
    return Shop(cast(Client, None), store, LIMIT)  # it asks for no namespace


@pytest.fixture
async def door(store: Directory, signer: Signer, statuses: list[int], images: Shop) -> AsyncIterator[Door]:
    async def written(request: web.Request) -> web.Response:
        body = await request.read()
        number = hashlib.sha256(body).hexdigest()
        link = f"{layout.REPOSITORIES}/shop/a/_manifests/revisions/sha256/{number}/link"
        await store.write(link, f"sha256:{number}".encode())
        if request.query.get("blob") != "listed":
            await store.write(layout.blob(f"sha256:{number}"), body)
        return web.Response(status=statuses.pop(0))

    registry, before = web.Application(), web.Application()
    registry.router.add_put(admission.PATH, written)
    async with TestServer(registry) as server:
        before.router.add_put(admission.PATH, admission.admission(images, signer, str(server.make_url("/"))))
        async with TestClient(TestServer(before)) as client:
            yield client


async def push(
    door: Door, store: Directory, signer: Signer, letter: str, *, layer: bool = True, query: str = ""
) -> tuple[int, str]:
    digest = f"sha256:{letter * 64}"
    if layer:
        await store.write(layout.blob(digest), b"x" * 600)
    token = signer.token("alice", [], datetime.now(UTC), {"shop": "1"})
    body = json.dumps({"layers": [{"digest": digest, "size": 1}]}).encode()
    headers = {"Authorization": f"Bearer {token}"}
    async with door.put(f"/v2/shop/a/manifests/1{query}", data=body, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("status", [201, 500, 502])
async def test_an_image_counts_that_the_registry_may_have_written(
    door: Door, store: Directory, signer: Signer, statuses: list[int], status: int
) -> None:
    statuses += [status]
    assert (await push(door, store, signer, "a"))[0] == status
    refused, said = await push(door, store, signer, "b")
    assert (refused, f"of the {LIMIT} B they may" in said) == (403, True), said


@pytest.mark.parametrize("most", [None, LIMIT])
async def test_an_image_whose_layer_is_only_listed_is_refused_whatever_the_quota(
    store: Directory, signer: Signer, door: Door, images: Shop, most: int | None
) -> None:
    """The registry would take it: where a blob cannot be had it asks the listing."""
    images._default = most
    refused, said = await push(door, store, signer, "a", layer=False)
    assert (refused, "is not there. Push the image with its parts again" in said) == (400, True), said


async def test_a_manifest_that_the_registry_takes_for_there_is_written(
    store: Directory, signer: Signer, door: Door, statuses: list[int]
) -> None:
    statuses += [201]
    assert (await push(door, store, signer, "a", query="?blob=listed"))[0] == 201
    (number,) = layout.manifests(await store.keys(layout.folder_of("shop")))
    assert b"layers" in (await store.read(layout.blob(number)) or b"")


async def test_nothing_is_written_while_unused_blobs_are_collected(
    store: Directory, signer: Signer, door: Door, images: Shop
) -> None:
    images.closed = Gate(None, "pod", None, 60.0, "1")
    refused, said = await push(door, store, signer, "a")
    assert (refused, "being collected by pod" in said) == (403, True), said
    assert await store.keys(layout.REPOSITORIES) == []
