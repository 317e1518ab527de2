"""The client against a small HTTP server that answers as the API does."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from causeway.kube.access import Access, Token
from causeway.kube.client import Client
from causeway.kube.errors import (
    AlreadyExists,
    Conflict,
    Fenced,
    Forbidden,
    Gone,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from causeway.kube.objects import Pod
from causeway.kube.resource import CONFIG_MAPS, NODES, PODS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Api = Callable[..., Awaitable[Client]]


def pod(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version}}


def status(code: int, reason: str, message: str = "no") -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    servers, clients = [], []

    async def start(handler: Handler, token: Token | None = None) -> Client:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(application)
        await server.start_server()
        servers.append(server)
        client = await Client(Access(str(server.make_url("")).rstrip("/"), None, token)).__aenter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.__aexit__(None, None, None)
    for server in servers:
        await server.close()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (403, "Forbidden", Forbidden),
        (429, "TooManyRequests", TooManyRequests),
        (503, "ServiceUnavailable", Unavailable),
    ],
)
async def test_a_refusal_is_a_typed_error_with_place_and_cause(
    api: Api, code: int, reason: str, kind: type[Exception]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return status(code, reason, "because")

    client = await api(answer)
    with pytest.raises(kind) as caught:
        await client.get(PODS, "front", "shop")
    assert "GET /api/v1/namespaces/shop/pods/front" in str(caught.value)
    assert "because" in str(caught.value)


async def test_an_unreachable_api_is_unavailable() -> None:
    async with Client(Access("http://127.0.0.1:9", None)) as client:
        with pytest.raises(Unavailable):
            await client.get(NODES, "one")


async def test_a_list_is_read_in_pages_and_starts_over_when_its_version_expired(api: Api) -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        if request.query.get("continue"):
            return status(410, "Expired")
        if "limit" in request.query:
            return web.json_response({"metadata": {"continue": "next"}, "items": [pod("a")]})
        return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [pod("a"), pod("b")]})

    client = await api(answer)
    listing = await client.list(PODS, of=Pod, fields="spec.nodeName!=")
    assert [item.metadata.name for item in listing.items] == ["a", "b"]
    assert listing.resource_version == "7"
    assert len(seen) == 3
    assert all(query["fieldSelector"] == "spec.nodeName!=" for query in seen)


async def test_a_watch_yields_changes_and_bookmarks_and_raises_what_the_server_reports(api: Api) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.query["allowWatchBookmarks"] == "true"
        response = web.StreamResponse()
        await response.prepare(request)
        big = pod("a", "5")
        big["metadata"]["annotations"] = {"large": "x" * 300_000}
        for event in (
            {"type": "ADDED", "object": big},
            {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "9"}}},
            {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}},
        ):
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    client = await api(answer)
    events = []
    with pytest.raises(Gone):
        async for event in client.watch(PODS, of=Pod, resource_version="4"):
            events.append(event)
    assert [(event.type, event.resource_version) for event in events] == [("ADDED", "5"), ("BOOKMARK", "9")]
    assert events[1].object is None


async def test_apply_is_server_side_and_names_its_manager(api: Api) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.method == "PATCH"
        assert request.content_type == "application/apply-patch+yaml"
        assert dict(request.query) == {"fieldManager": "causeway", "force": "true"}
        return web.json_response({"path": request.path, "sent": await request.json()})

    client = await api(answer)
    body = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "shop"},
    }
    answered = await client.apply(body, manager="causeway")
    assert answered["path"] == "/api/v1/namespaces/shop/configmaps/a"
    assert answered["sent"] == body


async def test_deleting_what_is_gone_or_replaced_is_no_error(api: Api) -> None:
    async def answer(request: web.Request) -> web.Response:
        return status(404, "NotFound") if request.path.endswith("gone") else status(409, "Conflict")

    client = await api(answer)
    assert not await client.delete(PODS, "gone", "shop")
    assert not await client.delete(PODS, "replaced", "shop", uid="old")
    with pytest.raises(Conflict):
        await client.delete(PODS, "busy", "shop")


async def test_a_rotated_token_is_read_again_after_a_refusal(api: Api, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    async def answer(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer new":
            return web.json_response(pod("a"))
        file.write_text("new\n")
        return status(401, "Unauthorized")

    client = await api(answer, Token(file=file))
    assert (await client.get(PODS, "a", "shop", of=Pod)).metadata.uid == "a"


async def test_what_changes_something_is_not_sent_by_who_may_not_act(api: Api) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.json_response(pod("a"))

    reaching = await api(answer)
    async with Client(reaching._access, may_act=lambda: False) as client:
        with pytest.raises(Fenced, match="no longer the leader"):
            await client.patch(PODS, "a", {}, "shop")
        await client.get(PODS, "a", "shop")
    assert asked == ["GET"]


async def test_an_answer_that_is_no_json_is_an_error_of_the_api(api: Api) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    client = await api(answer)
    with pytest.raises(Unavailable, match="not understood"):
        await client.create(PODS, pod("a"), "shop")


def test_a_token_never_shows() -> None:
    assert "secret" not in repr(Access("http://x", None, Token("secret")))
