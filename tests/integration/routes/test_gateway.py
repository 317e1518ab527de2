"""Gateway API through a real HAProxy, from a real Kubernetes API, with the rights that are shipped."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.integration.deployment import served
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import until
from tests.integration.routes.gateway_api import definitions
from tests.integration.routes.gateways import ALL, Gateways, backend, http_rule, listener
from tests.integration.routes.stage import SUFFIX, Greeter, Site, serving

from causeway.kube.gateways import GATEWAY_CLASSES, GATEWAYS, GRANTS, HTTP_ROUTES, TCP_ROUTES, TLS_ROUTES
from causeway.kube.resource import CRDS, ROLE_BINDINGS, ROLES, SECRETS, SERVICES
from causeway.lab import settings

HTTP_OK = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The definitions of Gateway API's standard channel."""
    files = definitions(settings.from_environment().cache, tmp_path_factory.mktemp("gateway") / "log")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [yaml.load(Path(file).read_text(), loader) for file in files]


@pytest.fixture
async def gateways(
    site: Site, standard: list[dict[str, Any]], request: pytest.FixtureRequest
) -> AsyncIterator[Gateways]:
    """Gateway API in a namespace of the test's own, defined while the router runs; nothing is left."""
    there = {each["metadata"]["name"] for each in (await site.admin.list(CRDS)).items}
    for each in standard:
        if each["metadata"]["name"] not in there:
            await site.admin.create(CRDS, each)
    await asyncio.gather(*(served(site.admin, each["spec"]) for each in standard))
    namespace = f"t-{request.node.name[:50].strip('_').replace('_', '-')}"
    await site.namespace(namespace)
    made = Gateways(site, namespace)
    await made.gateway_class()
    yield made
    for each_namespace in (namespace, f"{namespace}-b"):
        for resource in (*ALL, SERVICES, SECRETS, ROLE_BINDINGS, ROLES):
            for each in (await site.admin.list(resource, each_namespace)).items:
                await site.admin.delete(resource, each["metadata"]["name"], each_namespace)


async def test_it_is_noticed_when_it_is_defined_and_requests_go_by_all_they_say(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    for name in ("plain", "exact", "long", "post", "header", "query", "wild"):
        await gateways.service(name, await application(name))
    await gateways.gateway("edge", listener(hostname="*.in.example"))
    found = await gateways.says(GATEWAY_CLASSES, "causeway", {"Accepted": "Accepted"})
    assert {"name": "HTTPRouteMethodMatching"} in found["supportedFeatures"]
    worker = await site.router.worker()
    await gateways.http(
        "shop",
        http_rule(backend("plain"), path="/"),
        http_rule(backend("long"), path="/a/b"),
        http_rule(backend("exact"), matches=[{"path": {"type": "Exact", "value": "/a"}}]),
        http_rule(backend("post"), matches=[{"method": "POST"}]),
        http_rule(backend("header"), matches=[{"headers": [{"name": "X-Beta", "value": "yes ~|&=%"}]}]),
        http_rule(backend("query"), matches=[{"queryParams": [{"name": "a", "value": "b c"}]}]),
        hostnames=["shop.in.example"],
    )
    await gateways.http("wild", http_rule(backend("wild")))
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)
    await gateways.says(HTTP_ROUTES, "wild", HTTP_OK)
    await gateways.says(GATEWAYS, "edge", {"Programmed": "Programmed"})
    await gateways.attached("edge", "http", 2)
    beta = {"X-Beta": "yes ~|&=%"}
    for path, method, headers, name in (
        ("/", "GET", {}, "plain"),
        ("/a", "GET", beta, "exact"),
        ("/a/", "GET", {}, "plain"),
        ("/a/b", "POST", {}, "long"),
        ("/a/b/c", "GET", beta, "long"),
        ("/a/bc", "GET", {}, "plain"),
        ("/x", "POST", beta, "post"),
        ("/x", "GET", beta, "header"),
        ("/x", "GET", {"X-Beta": "no"}, "plain"),
        ("/x?a=b+c", "GET", {}, "query"),
        ("/x?z=1&a=b%20c", "GET", beta, "header"),
        ("/x?a=b", "GET", {}, "plain"),
    ):
        answer = await site.router.get("shop.in.example", path, method=method, headers=headers)
        assert (answer.status, answer.application) == (200, name), (path, method, headers)
    for host in ("other.in.example", "a.b.in.example"):
        assert (await site.router.get(host)).application == "wild"
    assert (await site.router.get("in.example")).status == 503
    assert await site.router.worker() == worker
    interrupted = [each for each in site.router.log.read_text().splitlines() if "watch interrupted" in each]
    # Who looks just when a kind is defined may be told to come again: its storage is being initialized.
    assert not [each for each in interrupted if "initializ" not in each]
    await site.admin.delete(GATEWAY_CLASSES, "causeway")
    found = await gateways.says(GATEWAYS, "edge", {"Accepted": "Pending", "Programmed": "Pending"})
    assert not found["listeners"]

    async def gone() -> bool:
        return (await site.router.get("shop.in.example")).status == 503

    await until(gone, "nothing is served for a class that is gone")


async def test_shares_follow_weights_and_what_cannot_be_had_fails_for_its_share(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    for name in ("one", "two"):
        await gateways.service(name, await application(name))
    host = "weights.example"
    await gateways.gateway("edge", listener())
    worker = await site.router.worker()

    async def shares(number: int = 60) -> Counter[str]:
        answers = [await site.router.get(host) for _ in range(number)]
        return Counter(each.application or str(each.status) for each in answers)

    await gateways.http("shop", http_rule(backend("one", weight=2), backend("two")), hostnames=[host])
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)
    found = await shares()
    assert found.keys() == {"one", "two"}
    assert 35 <= found["one"] <= 45
    await gateways.http("shop", http_rule(backend("one", weight=0), backend("two")), hostnames=[host])

    async def only_two() -> bool:
        return (await shares(10)).keys() == {"two"}

    await until(only_two, "only one of them has requests")
    await gateways.http("shop", http_rule(backend("two"), backend("nobody", weight=3)), hostnames=[host])
    await gateways.says(HTTP_ROUTES, "shop", {"Accepted": "Accepted", "ResolvedRefs": "BackendNotFound"})

    async def failing() -> bool:
        found = await shares(60)
        return found.keys() == {"two", "500"} and 30 <= found["500"] <= 56

    await until(failing, "three of four requests fail")
    await gateways.service("nobody", await application("nobody"))
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)

    async def mended() -> bool:
        return "500" not in await shares(20)

    await until(mended, "none fails any more")
    await gateways.http("shop", http_rule(backend("one", kind="Unheard")), hostnames=[host])
    await gateways.says(HTTP_ROUTES, "shop", {"Accepted": "Accepted", "ResolvedRefs": "InvalidKind"})

    async def all_fail() -> bool:
        return (await shares(10)).keys() == {"500"}

    await until(all_fail, "all fail")
    assert await site.router.worker() == worker


async def test_filters(site: Site, gateways: Gateways, application: StartApplication) -> None:
    await gateways.service("shop", await application("shop"))
    await gateways.gateway("edge", listener(hostname="filters.example"))
    worker = await site.router.worker()
    headers = {
        "set": [{"name": "X-Set", "value": "a, %[src] 'b'"}],
        "add": [{"name": "X-Many", "value": "two"}],
        "remove": ["X-Gone"],
    }

    def prefixed(text: str) -> dict[str, Any]:
        return {"type": "ReplacePrefixMatch", "replacePrefixMatch": text}

    await gateways.http(
        "shop",
        http_rule(
            backend("shop"),
            path="/headers",
            filters=[
                {"type": "RequestHeaderModifier", "requestHeaderModifier": headers},
                {
                    "type": "ResponseHeaderModifier",
                    "responseHeaderModifier": {
                        "set": [{"name": "X-Answer", "value": "b; c"}],
                        "remove": ["Server"],
                    },
                },
            ],
        ),
        http_rule(
            backend("shop"),
            path="/old",
            filters=[
                {"type": "URLRewrite", "urlRewrite": {"hostname": "in.example", "path": prefixed("/new")}}
            ],
        ),
        http_rule(
            path="/moved",
            filters=[
                {
                    "type": "RequestRedirect",
                    "requestRedirect": {
                        "scheme": "https",
                        "hostname": "to.example",
                        "path": prefixed("/"),
                        "statusCode": 301,
                    },
                }
            ],
        ),
        http_rule(path="/port", filters=[{"type": "RequestRedirect", "requestRedirect": {"port": 8080}}]),
        http_rule(backend("shop"), path="/slow", timeouts={"request": "200ms"}),
    )
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)
    host, given = "filters.example", {"X-Many": "one", "X-Gone": "x", "X-Set": "y"}
    answer = await site.router.get(host, "/headers", headers=given)
    seen = answer.body["headers"]
    assert seen["x-set"] == "a, %[src] 'b'"
    assert "x-gone" not in seen
    assert answer.headers["x-answer"] == "b; c"
    assert "server" not in answer.headers
    answer = await site.router.get(host, "/old/a/b?c=d")
    assert (answer.body["path"], answer.body["headers"]["host"]) == ("/new/a/b?c=d", "in.example")
    assert (await site.router.get(host, "/old")).body["path"] == "/new"
    for path, status, location in (
        ("/moved/a?b=c", 301, "https://to.example/a?b=c"),
        ("/moved", 301, "https://to.example/"),
        ("/port/x", 302, f"http://{host}:8080/port/x"),
    ):
        answer = await site.router.get(host, path)
        assert (answer.status, answer.headers["location"]) == (status, location)
    assert (await site.router.get(host, "/slow?hold")).status == 504
    assert (await site.router.get(host, "/elsewhere")).status == 404
    await gateways.http(
        "shop",
        http_rule(
            backend("shop"),
            filters=[
                {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shop", "port": 80}}}
            ],
        ),
    )
    await gateways.says(HTTP_ROUTES, "shop", {"Accepted": "UnsupportedValue"})
    assert await site.router.worker() == worker


async def test_tls_ends_with_the_listeners_certificate_which_can_be_replaced(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    await gateways.service("shop", await application("shop"))
    host, other = "tls.example", f"{gateways.namespace}-b"
    tls = {"mode": "Terminate", "certificateRefs": [{"name": "shown"}]}
    away = {"mode": "Terminate", "certificateRefs": [{"name": "shown", "namespace": other}]}
    worker = await site.router.worker()
    await gateways.gateway(
        "edge",
        listener("HTTPS", hostname=host, tls=tls),
        listener("HTTPS", name="away", hostname="away.example", tls=away),
        listener(hostname="plain.example"),
    )
    await gateways.http("shop", http_rule(backend("shop")))
    await gateways.listener_says("edge", "https", {"ResolvedRefs": "InvalidCertificateRef"})
    await gateways.listener_says("edge", "away", {"ResolvedRefs": "RefNotPermitted"})
    await site.router.answers("plain.example", "shop")  # what may not be read keeps nobody else waiting
    await gateways.may_read("shown")
    for number in (1, 2):
        site.authority.issue(f"tls{number}", host)
        wanted = await gateways.certificate("shown", f"tls{number}")

        async def shown(wanted: bytes = wanted) -> bool:
            return await site.router.certificate(host) == wanted

        await until(shown, f"certificate {number} is shown")
    await gateways.listener_says("edge", "https", {"Programmed": "Programmed", "Accepted": "Accepted"})
    await site.router.answers(host, "shop", tls=True)
    assert (await site.router.get(host)).status == 503  # nobody listens without TLS
    assert await site.router.worker() == worker


async def test_tls_is_passed_through_to_whom_the_name_leads(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    site.authority.issue("bank", "bank")
    await gateways.service("bank", await application("bank", serving(site.authority, "bank")))
    worker = await site.router.worker()
    passing = {"mode": "Passthrough"}
    await gateways.gateway("edge", listener("TLS", hostname="*.through.example", tls=passing))
    spec = {
        "parentRefs": [{"name": "edge"}],
        "hostnames": ["*.a.through.example", "bank.through.example"],
        "rules": [{"backendRefs": [backend("bank")]}],
    }
    await gateways.write(TLS_ROUTES, "bank", spec)
    await gateways.says(TLS_ROUTES, "bank", HTTP_OK)
    own = x509.load_pem_x509_certificate(site.pem("bank.crt").encode()).public_bytes(Encoding.DER)
    for host in ("bank.through.example", "one.a.through.example", "one.two.a.through.example"):

        async def through(host: str = host) -> bool:
            return await site.router.certificate(host) == own

        await until(through, f"the application's certificate is shown for {host}")
        assert (await site.router.get(host, tls=True)).application == "bank"
    assert await site.router.certificate("other.through.example") != own
    assert await site.router.worker() == worker


async def _greeted(port: int) -> str:
    """Return what is said first on a new connection to a port, "" if it is ended instead."""
    with contextlib.suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = (await reader.readline()).decode().strip()
        writer.close()
        return said
    return ""


async def test_connections_to_a_further_port_go_where_its_route_says(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    queue, web = site.router.further
    for name in ("one", "two"):
        await gateways.service(name, await application(name, kind=Greeter))
    await gateways.service("shop", await application("shop"))
    worker = await site.router.worker()
    assert await _greeted(queue) == ""  # it is nobody's
    await gateways.gateway(
        "edge",
        listener("TCP", name="queue", port=queue),
        listener(name="web", port=web),
        listener("TCP", name="closed", port=1),
    )
    await gateways.listener_says("edge", "closed", {"Accepted": "PortUnavailable"})

    async def route(*backends: dict[str, Any], name: str = "queue") -> None:
        parent = [{"name": "edge", "sectionName": "queue"}]
        await gateways.write(
            TCP_ROUTES, name, {"parentRefs": parent, "rules": [{"backendRefs": list(backends)}]}
        )

    await route(backend("one"))
    await gateways.says(TCP_ROUTES, "queue", HTTP_OK)

    async def leads(*names: str) -> bool:
        return {await _greeted(queue) for _ in range(8)} == set(names)

    await until(partial(leads, "one"), "connections go to one")
    reader, writer = await asyncio.open_connection("127.0.0.1", queue)
    assert await reader.readline() == b"one\n"
    await route(backend("one"), backend("two"))
    await until(partial(leads, "one", "two"), "connections go to both")
    await route(backend("one"), backend("two"), name="younger")
    await gateways.says(TCP_ROUTES, "younger", HTTP_OK)
    await gateways.attached("edge", "queue", 2)
    await route(backend("two"))
    await until(partial(leads, "two"), "connections go to two")
    writer.write(b"still there\n")
    assert await reader.readline() == b"still there\n"  # whoever was connected is not disturbed
    writer.close()
    # The same port is for one protocol: of two gateways for the older one's.
    await gateways.gateway("late", listener(port=queue))
    await gateways.listener_says("late", "http", {"Accepted": "PortUnavailable"})
    # A port for HTTP has hosts of its own.
    host = "further.example"
    await gateways.http("shop", http_rule(backend("shop")), hostnames=[host])
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)
    assert (await site.router.get(host, port=web)).application == "shop"
    assert (await site.router.get(host)).status == 503  # no listener is on the usual port
    for name in ("queue", "younger"):
        await site.admin.delete(TCP_ROUTES, name, gateways.namespace)
    await until(partial(leads, ""), "nobody has the port")
    assert await site.router.worker() == worker


async def test_references_into_other_namespaces_need_a_grant(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    other, host = f"{gateways.namespace}-b", "grants.example"
    await site.namespace(other)
    there = Gateways(site, other)
    await there.service("shop", await application("shop"))
    await gateways.gateway("edge", listener())
    worker = await site.router.worker()
    await gateways.http("shop", http_rule(backend("shop", namespace=other)), hostnames=[host])
    await gateways.says(HTTP_ROUTES, "shop", {"ResolvedRefs": "RefNotPermitted"})
    assert (await site.router.get(host)).status == 500
    await gateways.grant(other, HTTP_ROUTES.kind, {"group": "", "kind": "Service", "name": "shop"})
    await site.router.answers(host, "shop")
    await gateways.says(HTTP_ROUTES, "shop", HTTP_OK)
    await site.admin.delete(GRANTS, "grant", other)

    async def fails() -> bool:
        return (await site.router.get(host)).status == 500

    await until(fails, "what is no longer granted is no longer served")
    assert await site.router.worker() == worker


async def test_who_attaches_and_who_has_a_host(
    site: Site, gateways: Gateways, application: StartApplication
) -> None:
    other = f"{gateways.namespace}-b"
    await site.namespace(other)
    there = Gateways(site, other)
    for each in (gateways, there):
        await each.service("shop", await application(each.namespace))
    same = {"namespaces": {"from": "Same"}}
    await gateways.gateway(
        "edge",
        listener(hostname="own.example", allowedRoutes=same),
        listener(name="all", hostname="*.all.example"),
        listener(name="narrow", hostname="narrow.all.example"),
        listener("UDP", name="udp", port=53),
        listener(name="far", port=8080),
    )
    await gateways.listener_says("edge", "udp", {"Accepted": "UnsupportedProtocol"})
    await gateways.listener_says("edge", "far", {"Accepted": "PortUnavailable"})
    await gateways.says(GATEWAYS, "edge", {"Accepted": "ListenersNotValid", "Programmed": "Programmed"})

    def parent(section: str) -> list[dict[str, str]]:
        return [{"name": "edge", "namespace": gateways.namespace, "sectionName": section}]

    rule = http_rule(backend("shop"))
    await there.http("shop", rule, parentRefs=parent("http"))
    await there.says(HTTP_ROUTES, "shop", {"Accepted": "NotAllowedByListeners"})
    await there.http("shop", rule, parentRefs=parent("nothing"))
    await there.says(HTTP_ROUTES, "shop", {"Accepted": "NoMatchingParent"})
    await there.http("shop", rule, parentRefs=parent("all"), hostnames=["shop.else.example"])
    await there.says(HTTP_ROUTES, "shop", {"Accepted": "NoMatchingListenerHostname"})
    await there.http("shop", rule, parentRefs=parent("all"))
    await there.says(HTTP_ROUTES, "shop", HTTP_OK)
    await site.router.answers("a.all.example", other)
    assert (await site.router.get("narrow.all.example")).status == 404  # another listener's, without routes
    # A Route has the host it had first, until it goes.
    route = f"route.{SUFFIX}"
    await site.route(gateways.namespace, "shop", host=route)
    await site.router.answers(route, gateways.namespace)
    await there.gateway("edge", listener(hostname=route))
    await there.http("late", rule, gateway="edge", parentRefs=[{"name": "edge"}])
    await there.says(HTTP_ROUTES, "late", {"Accepted": "HostAlreadyClaimed"})
    assert (await site.router.get(route)).application == gateways.namespace
    await site.admin.request(
        "DELETE", f"/apis/route.openshift.io/v1/namespaces/{gateways.namespace}/routes/shop"
    )
    await site.router.answers(route, other)
    await there.says(HTTP_ROUTES, "late", HTTP_OK)
    # A gateway that goes takes all with it, and what routes say of it.
    await site.admin.delete(GATEWAYS, "edge", other)

    async def gone() -> bool:
        return (await site.router.get(route)).status == 503

    await until(gone, "nothing is served for a gateway that is gone")

    async def silent() -> bool:
        return not (await there.status(HTTP_ROUTES, "late"))["parents"]

    await until(silent, "the route says nothing of a gateway that is gone")
