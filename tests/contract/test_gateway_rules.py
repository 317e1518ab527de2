"""A real HAProxy reads the words for Gateway API as those who write them mean them."""

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.ports import free_port
from tests.unit.rooms.routes.examples import certificate, route, slice_of
from tests.unit.rooms.routes.gateway_examples import Thing, derived, gateway, http, listener, rule, tls
from tests.unit.rooms.routes.test_gateway_matching import chosen

from causeway.host.haproxy import Haproxy
from causeway.kube.gateways import Gateway
from causeway.kube.objects import EndpointSlice
from causeway.rooms.routes.admission import Rules
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.gateway.listeners import Offered
from causeway.rooms.routes.gateway.matching import Candidate, entries
from causeway.rooms.routes.parts import Rule
from causeway.rooms.routes.router import Router


class Stage:
    """A HAProxy, held to routes of Gateway API, in front of an application that tells what it is asked."""

    def __init__(self, directory: Path) -> None:
        default = directory / "default.pem"
        default.write_text("".join(reversed(certificate())))
        self.haproxy, self.port = Haproxy(directory), 0
        self.http, self.https, self.further = free_port(), free_port(), free_port()
        front = Front(
            plain=(f"127.0.0.1:{self.http}",),
            secure=(f"127.0.0.1:{self.https}",),
            certificate=default,
            connections=100,
            threads=2,
            ports=(f"127.0.0.1:{self.further}",),
        )
        self._parts: set[str] = set()
        self.router = Router(
            self.haproxy,
            Offer(directory=directory, rules=Rules(wildcards=True, reserved=frozenset({"registry.test"}))),
            front,
            self._slices,
            spares=20,
            told=lambda _: None,
        )

    def _slices(self, _namespace: str, name: str) -> list[EndpointSlice]:
        return [] if name == "empty" else [slice_of({"127.0.0.1": True}, self.port)]

    async def put(self, *things: Thing) -> dict[str, Any]:
        """Have routes served, by a Gateway for ``*.example`` unless there are others among ``things``."""
        if not any(isinstance(each, Gateway) for each in things):
            things = (gateway(listener(hostname="*.example")), *things)
        found = derived(*things, offered=Offered(ports=frozenset({self.further}))).parts
        for gone in self._parts - found.keys():
            self.router.remove(gone)
        for part in found.values():
            self.router.put(part)
        self._parts = set(found)
        await self.router.round()
        return dict(found)

    async def ask(self, path: str, host: str = "www.example", **given: Any) -> tuple[int, Any, Any]:
        """Return the status, the headers, and what the application says it was asked, at a ``port``."""
        headers = {"Host": host} | given.pop("headers", {})
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                given.pop("method", "GET"),
                f"http://127.0.0.1:{given.pop('port', self.http)}{path}",
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            said = await answer.json() if "json" in answer.content_type else {}
            return answer.status, answer.headers, said


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(
            {"path": request.raw_path, "headers": {k.lower(): v for k, v in request.headers.items()}}
        )

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = Stage(tmp_path)
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await made.haproxy.stop(0)
        await runner.cleanup()


async def test_it_chooses_as_the_words_say(stage: Stage) -> None:
    values = ["1", "~|&=% \"'"]
    matches: list[dict[str, Any]] = [
        {"path": {"type": kind, "value": path}}
        | ({"method": method} if method else {})
        | ({"headers": [{"name": "X-A", "value": value}]} if value else {})
        | ({"queryParams": [{"name": "q r", "value": query}]} if query else {})
        for kind, path in (("Exact", "/a"), ("PathPrefix", "/a"), ("PathPrefix", "/"))
        for method, value, query in (
            ("", "", ""),
            ("POST", "", ""),
            ("", values[1], ""),
            ("", values[0], values[1]),
        )
        if (path, method, value) != ("/", "", "")
    ]
    rules = [
        rule(
            "shop",
            matches=[each],
            filters=[
                {
                    "type": "RequestHeaderModifier",
                    "requestHeaderModifier": {"set": [{"name": "X-Rule", "value": str(number)}]},
                }
            ],
        )
        for number, each in enumerate(matches)
    ]
    route = http(*rules, hostnames=["www.example"])
    await stage.put(route)
    candidates = [
        Candidate(str(number), one.matches[0], ("", "", number, 0))
        for number, one in enumerate(route.spec.rules)
    ]
    made = entries(candidates)
    requests = itertools.product(["/a", "/a/b", "/ab"], ["GET", "POST"], ["", *values], ["", *values])
    for path, method, value, query in requests:
        headers, parameters = {"x-a": value} if value else {}, {"q r": query} if query else {}
        request = {"path": path, "method": method, "headers": headers, "query": parameters}
        encoded = "%7E%7C%26%3d%25%20%22%27" if query == values[1] else query
        asked = f"{path}?z=&q+r={encoded}&q%20r=later" if query else path
        status, _, said = await stage.ask(asked, method=method, headers=headers)
        expected = chosen(made, request)
        assert status == (200 if expected else 404), request
        assert said.get("headers", {}).get("x-rule", "") == expected, request


async def test_what_filters_say_is_done(stage: Stage) -> None:
    odd = "a, %[src] 'b' \\ \"c\"; d=%41 ~|&"
    await stage.put(
        http(
            rule(
                "shop",
                path="/h",
                filters=[
                    {
                        "type": "RequestHeaderModifier",
                        "requestHeaderModifier": {
                            "set": [{"name": "X-S", "value": odd}],
                            "add": [{"name": "X-A", "value": "2"}],
                            "remove": ["X-R"],
                        },
                    },
                    {
                        "type": "ResponseHeaderModifier",
                        "responseHeaderModifier": {
                            "set": [{"name": "X-S", "value": odd}],
                            "add": [{"name": "Server", "value": "2"}],
                            "remove": ["Date"],
                        },
                    },
                ],
            ),
            rule(
                "shop",
                path="/old",
                filters=[
                    {
                        "type": "URLRewrite",
                        "urlRewrite": {
                            "hostname": "in.example",
                            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new/"},
                        },
                    }
                ],
            ),
            rule(
                path="/moved",
                filters=[
                    {
                        "type": "RequestRedirect",
                        "requestRedirect": {
                            "scheme": "https",
                            "port": 8443,
                            "statusCode": 308,
                            "path": {"type": "ReplaceFullPath", "replaceFullPath": "/x"},
                        },
                    }
                ],
            ),
        )
    )
    headers = {"X-S": "1", "X-A": "1", "X-R": "1"}
    status, told, said = await stage.ask("/h", headers=headers)
    assert status == 200
    assert said["headers"]["x-s"] == odd
    assert "x-r" not in said["headers"]
    assert told["x-s"] == odd
    assert len(told.getall("server")) == 2
    assert "date" not in told
    for path, seen in (("/old", "/new"), ("/old/", "/new/"), ("/old/a%20b?c=d", "/new/a%20b?c=d")):
        _, _, said = await stage.ask(path)
        assert (said["path"], said["headers"]["host"]) == (seen, "in.example")
    status, told, _ = await stage.ask("/moved/a?b=c")
    assert (status, told["location"]) == (308, "https://www.example:8443/x?b=c")


async def test_shares_nobody_is_there_for_fail(stage: Stage) -> None:
    async def share(wanted: int, number: int = 120) -> int:
        answers = await asyncio.gather(*(stage.ask("/") for _ in range(number)))
        return sum(status == wanted for status, _, _ in answers)

    await stage.put(http(rule("shop", "nobody", "empty")))
    assert 15 <= await share(500) <= 65
    assert 15 <= await share(503) <= 65
    await stage.put(http(rule("empty")))
    assert await share(503, 10) == 10
    await stage.put(http(rule("nobody")))
    assert await share(500, 10) == 10
    await stage.put(http(rule()))
    assert await share(500, 10) == 10


async def test_wildcards_stand_for_several_labels_and_changes_take_no_reload(stage: Stage) -> None:
    await stage.put(http(rule("shop")))
    worker = (await stage.haproxy.about())["Pid"]
    for host in ("a.example", "a.b.c.d.example"):
        assert (await stage.ask("/", host))[0] == 200
    assert (await stage.ask("/", "example"))[0] == 503
    found = await stage.put(http(rule("shop", path="/only"), rule("empty", path="/none")))
    assert len([each for each in found.values() if isinstance(each, Rule)]) == 2
    for path, status in (("/only", 200), ("/none", 503), ("/", 404)):
        assert (await stage.ask(path))[0] == status
    assert (await stage.haproxy.about())["Pid"] == worker


async def test_what_is_on_a_further_port_is_not_had_on_another_by_naming_it(stage: Stage) -> None:
    await stage.put(
        gateway(listener(port=stage.further, hostname="in.example")), http(hostnames=["in.example"])
    )
    assert (await stage.ask("/", "in.example", port=stage.further))[0] == 200
    assert (await stage.ask("/", f"in.example:{stage.further}", port=stage.further))[0] == 200
    assert (await stage.ask("/", "in.example"))[0] == 503
    assert (await stage.ask("/", f"{stage.further}:in.example:80"))[0] == 400
    assert (await stage.ask("/", f"{stage.further}:in.example"))[0] != 200  # its port may be "in.example"
    for address in ("[2001:db8::1]", "[2001:db8::1]:80"):
        assert (await stage.ask("/", address))[0] == 503


async def test_nor_by_asking_for_it_by_tls(stage: Stage) -> None:
    passed = listener("TLS", port=stage.further, tls={"mode": "Passthrough"})
    await stage.put(gateway(passed), tls(hostnames=["in.example"]))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for port, name in ((stage.https, "in.example"), (stage.https, f"{stage.further}:in.example")):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
        writer.close()  # TLS ended here: the application knows none
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", stage.further, ssl=context, server_hostname="in.example")


async def test_who_has_every_host_has_nothing_of_those_of_other_namespaces(stage: Stage) -> None:
    """Neither on ports they do not use nor at paths they leave out; nor of hosts that are the platform's."""
    stage.router.put(route("paths", "two", host="paths.example", path="/a"))
    stage.router.put(route("wild", "two", host="a.wild.example", path="/a", wildcardPolicy="Subdomain"))
    await stage.put(
        gateway(
            listener(),
            listener(name="further", port=stage.further),
            listener(name="own", port=stage.further, hostname="own.example"),
        ),
        http(parentRefs=[{"name": "edge", "sectionName": each} for each in ("http", "further")]),
        gateway(
            listener(hostname="held.example"),
            listener(name="deep", hostname="*.deep.example"),
            namespace="two",
        ),
        http(namespace="two"),
    )
    for host, path, usual, further in (
        ("nobodys.example", "/", 200, 200),
        ("own.example", "/", 200, 404),
        ("held.example", "/", 200, 404),
        ("a.b.deep.example", "/", 200, 404),
        ("paths.example", "/a", 200, 404),
        ("paths.example", "/b", 404, 404),
        ("b.wild.example", "/a", 200, 404),
        ("b.wild.example", "/b", 404, 404),
        ("c.b.wild.example", "/a", 200, 200),
        ("registry.test", "/", 404, 404),
    ):
        for port, expected in ((stage.http, usual), (stage.further, further)):
            assert (await stage.ask(path, host, port=port))[0] == expected, (host, path, port)
