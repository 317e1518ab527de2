"""What a router's settings make of all routes: clients' certificates, PROXY protocol, HTTP/2, shards."""

import asyncio
import ssl
import subprocess

import pytest
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import trusting, until
from tests.integration.routes.stage import Site

from causeway.kube.resource import NAMESPACES
from causeway.kube.routes import ROUTES

EDGE = {"termination": "edge"}


async def restarted(site: Site, **settings: str) -> None:
    """Start the router anew with further settings; its HAProxy runs on until they are loaded."""
    await site.router.kill()
    site.router.settings |= {f"CAUSEWAY_ROUTER_{name}": value for name, value in settings.items()}
    await site.router.start()


async def test_clients_show_certificates_which_applications_are_told(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-clients")
    await site.endpoints("t-clients", "shop", [await application("shop")])
    host = "clients.apps.example"
    await site.route("t-clients", "shop", host=host, tls=EDGE)
    await site.router.answers(host, "shop", tls=True)
    site.authority.issue("alice", "alice", "buyers")
    await restarted(site, CLIENT_VERIFY="required", CLIENT_CA=site.authority.path("ca.crt"))

    async def refused() -> bool:
        """Whether who has no certificate is not served, which in TLS 1.3 he learns of only by reading."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.router.https, ssl=trusting(), server_hostname=host
        )
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            return not await reader.read()
        except ssl.SSLError:
            return True
        finally:
            writer.transport.abort()

    await until(refused, "nobody is served without a certificate")
    # The authorities of clients are HAProxy's too, and not taken for those of a route that has gone.
    await site.route("t-clients", "more", host="more.apps.example", tls=EDGE)
    await site.told("t-clients", "more", "True")
    await until(site.router.ready, "the router is ready")
    known = trusting()
    known.load_cert_chain(site.authority.path("alice.crt"), site.authority.path("alice.key"))
    answer = await site.router.get(host, tls=True, context=known, headers={"X-SSL-Client-CN": "root"})
    told = answer.body["headers"]
    assert told["x-ssl-client-cn"].strip('"') == "alice"
    assert told["x-ssl-client-dn"].strip('"') == "/CN=alice/O=buyers"
    assert told["x-ssl-client-verify"] == "0"
    assert "x-ssl-client-der" in told


async def test_addresses_come_by_the_proxy_protocol(site: Site, application: StartApplication) -> None:
    await site.namespace("t-proxied")
    await site.endpoints("t-proxied", "shop", [await application("shop")])
    host = "proxied.apps.example"
    allowed = {"haproxy.router.openshift.io/ip_allowlist": "192.0.2.0/24"}
    await site.route("t-proxied", "shop", host=host, annotations=allowed)
    await site.told("t-proxied", "shop", "True")
    await restarted(site, PROXY_PROTOCOL="true")

    async def served() -> bool:
        return "192.0.2.55" in await _asked(site, host, "PROXY TCP4 192.0.2.55 127.0.0.1 4711 80\r\n")

    await until(served, "the application is told the client's address")
    assert " 403 " in await _asked(site, host, "PROXY TCP4 198.51.100.1 127.0.0.1 4711 80\r\n")
    assert " 200 " not in await _asked(site, host)


async def test_http_2_is_offered_with_a_routes_own_certificate_only(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-two")
    await site.endpoints("t-two", "shop", [await application("shop")])
    own, shared = "own.apps.example", "shared.apps.example"
    site.authority.issue("own", own)
    certificate = {"certificate": site.pem("own.crt"), "key": site.pem("own.key")}
    await site.route("t-two", "shop", host=own, tls=EDGE | certificate)
    await site.router.answers(own, "shop", tls=True)
    await site.endpoints("t-two", "other", [await application("other")])
    await site.route("t-two", "other", host=shared, tls=EDGE)
    await site.router.answers(shared, "other", tls=True)
    for host, version in ((own, "2"), (shared, "1.1")):
        assert await asyncio.to_thread(_version, host, site.router.https) == version


def _version(host: str, port: int) -> str:
    """Return the version of HTTP a client gets that would like 2."""
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--http2", "--insecure", "--output", "/dev/null"),
            *("--noproxy", "*", "--resolve", f"{host}:{port}:127.0.0.1", "--write-out", "%{http_version}"),
            f"https://{host}:{port}/",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


async def _asked(site: Site, host: str, first: str = "") -> str:
    """Return the whole answer, "" if the connection ends without one; ``first`` goes before the request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.router.http)
    writer.write(f"{first}GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    try:
        return (await reader.read()).decode()
    except ConnectionResetError:
        return ""
    finally:
        writer.close()


@pytest.mark.parametrize("kind", ["ROUTE_LABELS", "NAMESPACE_LABELS"])
async def test_a_shard_has_the_routes_its_labels_select(
    site: Site, application: StartApplication, kind: str
) -> None:
    both = ("t-inside", "t-outside")
    for namespace in both:
        await site.namespace(namespace)
        await site.endpoints(namespace, "shop", [await application(namespace)])
        await site.route(namespace, "shop", host=f"{namespace}.apps.example")
        await site.router.answers(f"{namespace}.apps.example", namespace)

    async def label(namespace: str, value: str | None) -> None:
        change = {"metadata": {"labels": {"shard": value}}}
        if kind == "ROUTE_LABELS":
            await site.admin.patch(ROUTES, "shop", change, namespace)
        else:
            await site.admin.patch(NAMESPACES, namespace, change)

    async def gone(host: str) -> None:
        async def unanswered() -> bool:
            return (await site.router.get(host)).status == 503

        await until(unanswered, f"{host} is not served")

    await label("t-inside", "a")
    await restarted(site, **{kind: "shard=a"})
    await gone("t-outside.apps.example")
    await site.router.answers("t-inside.apps.example", "t-inside")
    await label("t-outside", "a")
    await site.router.answers("t-outside.apps.example", "t-outside")
    await label("t-inside", None)
    await gone("t-inside.apps.example")
    for namespace in both:
        await label(namespace, None)
