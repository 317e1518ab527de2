"""Ingresses through a real HAProxy, from a real Kubernetes API, with the rights that are shipped."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import until
from tests.integration.routes.ingresses import Ingresses, path, rule
from tests.integration.routes.stage import Site

from causeway.kube.ingresses import INGRESSES
from causeway.kube.resource import INGRESS_CLASSES, ROLE_BINDINGS, ROLES, SECRETS, SERVICES
from causeway.kube.routes import ROUTES

CANONICAL = "router.apps.example"


@pytest.fixture
async def ingresses(site: Site, request: pytest.FixtureRequest) -> AsyncIterator[Ingresses]:
    """Ingresses in a namespace of the test's own; nothing of them is left."""
    namespace = f"t-{request.node.name[:50].strip('_').replace('_', '-')}"
    await site.namespace(namespace)
    yield Ingresses(site, namespace)
    for resource in (INGRESSES, SERVICES, SECRETS, ROLE_BINDINGS, ROLES):
        for each in (await site.admin.list(resource, namespace)).items:
            await site.admin.delete(resource, each["metadata"]["name"], namespace)


async def test_paths_and_hosts(site: Site, ingresses: Ingresses, application: StartApplication) -> None:
    for name in ("exact", "prefix", "long", "rest", "wild", "every"):
        await ingresses.service(name, await application(name))
    worker = await site.router.worker()
    backend = path("/", "rest")["backend"]
    await ingresses.put(
        "shop",
        rule(
            "in.example",
            path("/a", "exact", "Exact"),
            path("/a", "prefix"),
            path("/a/b/", "long", port="web"),
        ),
        rule("*.in.example", path("/", "wild")),
        defaultBackend=backend,
    )
    await ingresses.put("every", rule("", path("/every", "every")))
    for host, text, name in (
        ("in.example", "/a", "exact"),
        ("in.example", "/a/", "prefix"),
        ("in.example", "/a/bc", "prefix"),
        ("in.example", "/a/b", "long"),
        ("in.example", "/a/b/c?d=e", "long"),
        ("in.example", "/ab", "rest"),
        ("in.example", "/", "rest"),
        ("one.in.example", "/a", "wild"),
        ("unknown.example", "/every/one", "every"),
    ):
        await site.router.answers(host, name, text)
    for host, text in (("one.two.in.example", "/"), ("unknown.example", "/everyone")):
        assert (await site.router.get(host, text)).status == 503
    assert await site.router.worker() == worker
    await site.admin.delete(INGRESSES, "shop", ingresses.namespace)

    async def gone() -> bool:
        return (await site.router.get("in.example", "/a")).status == 503

    await until(gone, "the Ingress is gone")


async def test_certificates_come_from_secrets_that_may_be_read(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    await ingresses.service("shop", await application("shop"))
    worker, host = await site.router.worker(), "cert.example"
    for number in (1, 2):
        site.authority.issue(f"in{number}", host)
    first = await ingresses.certificate("cert", "in1")
    tls = [{"hosts": [host], "secretName": "cert"}]
    await ingresses.put("shop", rule(host, path("/", "shop")), tls=tls)
    note = await ingresses.told("shop", "CertificateUnusable")
    assert "may not be read" in note
    await site.router.answers(host, "shop", tls=True)  # with the router's own certificate
    redirected = await site.router.get(host, "/a?b=c")
    assert (redirected.status, redirected.headers["location"]) == (302, f"https://{host}/a?b=c")
    assert await site.router.certificate(host) != first

    async def shown(wanted: bytes) -> None:
        async def is_shown() -> bool:
            return await site.router.certificate(host) == wanted

        await until(is_shown, "the certificate is shown")

    await ingresses.may_read("cert")
    await shown(first)
    await shown(await ingresses.certificate("cert", "in2"))
    off = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
    await ingresses.put("shop", rule(host, path("/", "shop")), tls=tls, annotations=off)
    await site.router.answers(host, "shop")
    assert await site.router.worker() == worker


async def test_a_router_that_comes_back_shows_the_certificate_at_once(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    await ingresses.service("shop", await application("shop"))
    await ingresses.may_read("cert")
    host = "back.example"
    site.authority.issue("back", host)
    wanted = await ingresses.certificate("cert", "back")
    await ingresses.put("shop", rule(host, path("/", "shop")), tls=[{"hosts": [host], "secretName": "cert"}])

    async def shown() -> bool:
        return await site.router.certificate(host) == wanted

    await until(shown, "the certificate is shown")
    worker = await site.router.worker()
    await site.router.kill()
    assert await shown()
    start = asyncio.create_task(site.router.start())
    while not start.done():
        assert await shown()
        await asyncio.sleep(0)
    await start
    assert await shown()
    assert (await site.router.get(host, tls=True)).application == "shop"
    assert await site.router.worker() == worker


async def test_classes_say_whose_it_is(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    await ingresses.service("shop", await application("shop"))
    await ingresses.put("others", rule("others.example", path("/", "shop")), ingressClassName="nginx")
    await ingresses.put("none", rule("none.example", path("/", "shop")), ingressClassName=None)
    await ingresses.put("ours", rule("ours.example", path("/", "shop")))
    await site.router.answers("ours.example", "shop")
    for host in ("others.example", "none.example"):
        assert (await site.router.get(host)).status == 503
    default = {"metadata": {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}}
    await site.admin.patch(INGRESS_CLASSES, "causeway", default)
    await site.router.answers("none.example", "shop")
    assert (await site.router.get("others.example")).status == 503
    default["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"] = "false"
    await site.admin.patch(INGRESS_CLASSES, "causeway", default)

    async def gone() -> bool:
        return (await site.router.get("none.example")).status == 503

    await until(gone, "an Ingress without a class is nobody's")
    assert await ingresses.addresses("others") == []


async def test_a_route_that_is_older_has_the_host(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    for name in ("route", "shop"):
        await ingresses.service(name, await application(name))
    host = "held.example"
    older = await site.route(ingresses.namespace, "route", host=host)
    await site.router.answers(host, "route")

    async def younger() -> bool:
        """Creation is told to the second."""
        made = await ingresses.put("clock", rule("clock.example", path("/", "shop")))
        await site.admin.delete(INGRESSES, "clock", ingresses.namespace)
        return bool(made["metadata"]["creationTimestamp"] > older["metadata"]["creationTimestamp"])

    await until(younger, "a second has passed")
    await ingresses.put("shop", rule(host, path("/", "shop")))
    assert "route route already exposes" in await ingresses.told("shop", "HostAlreadyClaimed")
    assert (await site.router.get(host)).application == "route"
    await site.admin.delete(ROUTES, "route", ingresses.namespace)
    await site.router.answers(host, "shop")


async def test_annotations_of_ingress_nginx(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    await ingresses.service("shop", await application("shop"))
    nginx, host = "nginx.ingress.kubernetes.io/", "annotated.example"
    worker = await site.router.worker()
    named = {
        f"{nginx}rewrite-target": "/app/$2",
        f"{nginx}whitelist-source-range": "127.0.0.0/8",
        f"{nginx}enable-cors": "true",
    }
    await ingresses.put(
        "shop", rule(host, path("/shop(/|$)(.*)", "shop", "ImplementationSpecific")), annotations=named
    )
    answer = await site.router.answers(host, "shop", "/shop/a/b?c=d")
    assert answer.body["path"] == "/app/a/b?c=d"
    assert (await site.router.get(host, "/shop")).body["path"] == "/app/"
    assert "enable-cors" in await ingresses.told("shop", "AnnotationIgnored")
    whole = {f"{nginx}rewrite-target": "/app"}
    await ingresses.put("shop", rule(host, path("/shop", "shop")), annotations=whole)

    async def rewritten() -> bool:
        return (await site.router.get(host, "/shop/a?b=c")).body.get("path") == "/app?b=c"

    await until(rewritten, "the whole path is replaced")
    denied = {f"{nginx}whitelist-source-range": "10.0.0.0/8"}
    await ingresses.put("shop", rule(host, path("/shop", "shop")), annotations=denied)

    async def refused() -> bool:
        return (await site.router.get(host, "/shop")).status == 403

    await until(refused, "who is not on the list is denied")
    assert await site.router.worker() == worker
    await ingresses.put(
        "shop", rule(host, path("/shop", "shop")), annotations={f"{nginx}auth-url": "http://auth.example"}
    )
    assert "auth-url" in await ingresses.told("shop", "ExtendedValidationFailed")


async def test_the_status_has_the_routers_name(
    site: Site, ingresses: Ingresses, application: StartApplication
) -> None:
    await ingresses.service("shop", await application("shop"))
    await site.router.kill()
    site.router.settings["CAUSEWAY_ROUTER_CANONICAL_HOSTNAME"] = CANONICAL
    await ingresses.put("shop", rule("named.example", path("/", "shop")))
    whole = await site.admin.get(INGRESSES, "shop", ingresses.namespace)
    whole["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    await site.admin.replace(INGRESSES, whole, subresource="status")
    await site.router.start()

    async def named() -> bool:
        return {"hostname": CANONICAL} in await ingresses.addresses("shop")

    await until(named, "the status has the router's name")
    assert {"ip": "192.0.2.1"} in await ingresses.addresses("shop")  # somebody else's
    bad = {"nginx.ingress.kubernetes.io/auth-url": "http://auth.example"}
    await ingresses.put("shop", rule("named.example", path("/", "shop")), annotations=bad)

    async def unnamed() -> bool:
        return await ingresses.addresses("shop") == [{"ip": "192.0.2.1"}]

    await until(unnamed, "the status has the router's name no more")
