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
from causeway.rooms.registry.images import Images
from causeway.rooms.registry.store import Directory
from causeway.rooms.registry.tokens import Signer
from causeway.serve.registry import admission

LIMIT = 1000
Door = TestClient[web.Request, web.Application]


class Shop(Images):
    """Images of one namespace, which is there."""

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
async def door(store: Directory, signer: Signer, statuses: list[int]) -> AsyncIterator[Door]:
    async def written(request: web.Request) -> web.Response:
        body = await request.read()
        number = hashlib.sha256(body).hexdigest()
        link = f"{layout.REPOSITORIES}/shop/a/_manifests/revisions/sha256/{number}/link"
        await store.write(link, f"sha256:{number}".encode())
        await store.write(layout.blob(f"sha256:{number}"), body)
        return web.Response(status=statuses.pop(0))

    registry, before = web.Application(), web.Application()
    registry.router.add_put(admission.PATH, written)
    async with TestServer(registry) as server:
        images = Shop(cast(Client, None), store, LIMIT)  # it asks for no namespace
        before.router.add_put(admission.PATH, admission.admission(images, signer, str(server.make_url("/"))))
        async with TestClient(TestServer(before)) as client:
            yield client


async def push(door: Door, store: Directory, signer: Signer, letter: str) -> tuple[int, str]:
    digest = f"sha256:{letter * 64}"
    await store.write(layout.blob(digest), b"x" * 600)
    token = signer.token("alice", [], datetime.now(UTC), {"shop": "1"})
    body = json.dumps({"layers": [{"digest": digest, "size": 1}]}).encode()
    headers = {"Authorization": f"Bearer {token}"}
    async with door.put("/v2/shop/a/manifests/1", data=body, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("status", [201, 500, 502])
async def test_an_image_counts_that_the_registry_may_have_written(
    door: Door, store: Directory, signer: Signer, statuses: list[int], status: int
) -> None:
    statuses += [status]
    assert (await push(door, store, signer, "a"))[0] == status
    refused, said = await push(door, store, signer, "b")
    assert (refused, f"of the {LIMIT} B they may" in said) == (403, True), said
