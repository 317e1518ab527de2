"""The annotations of a claim, from a small HTTP server that answers as the API does."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from causeway.kube.access import Access
from causeway.kube.client import Client
from causeway.rooms.volumes.model import Near, Reason, Refused
from causeway.serve.csi.claims import WITH, WITHOUT, Claims

NAMES = {"csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "shop"}


async def near(answer: web.Response, names: dict[str, str]) -> tuple[Near, list[str]]:
    """Return what the claim asks for, and the paths that were asked."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return answer

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(application)
    await server.start_server()
    try:
        async with Client(Access(str(server.make_url("")).rstrip("/"))) as kube:
            return await Claims(kube).near(names), asked
    finally:
        await server.close()


def claim(annotations: dict[str, str]) -> web.Response:
    body: dict[str, Any] = {"metadata": {"name": "data", "annotations": annotations}}
    return web.json_response(body)


@pytest.mark.parametrize(
    ("annotations", "wanted"),
    [
        ({}, Near()),
        ({"other": "x"}, Near()),
        ({WITH: "pvc-a"}, Near(("pvc-a",))),
        ({WITHOUT: " pvc-a, pvc-b ,"}, Near((), ("pvc-a", "pvc-b"))),
        ({WITH: "a", WITHOUT: "b"}, Near(("a",), ("b",))),
    ],
)
async def test_words_of_the_annotations(annotations: dict[str, str], wanted: Near) -> None:
    found, asked = await near(claim(annotations), NAMES)
    assert found == wanted
    assert asked == ["/api/v1/namespaces/shop/persistentvolumeclaims/data"]


async def test_a_volume_without_a_claim_asks_nobody() -> None:
    assert await near(claim({WITH: "a"}), {}) == (Near(), [])


async def test_a_claim_that_is_gone_asks_for_nothing() -> None:
    assert (await near(web.json_response({"kind": "Status"}, status=404), NAMES))[0] == Near()


async def test_a_claim_that_cannot_be_read_is_asked_for_again() -> None:
    with pytest.raises(Refused, match="shop/data") as refused:
        await near(web.json_response({"kind": "Status", "message": "no"}, status=403), NAMES)
    assert refused.value.reason is Reason.PENDING
