"""Where TLS ends, whose certificate is shown, and who is trusted."""

import asyncio

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import until
from tests.integration.routes.ingresses import Ingresses
from tests.integration.routes.stage import Site, serving


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)


async def test_edge_redirects_and_shows_its_certificate_which_can_be_replaced(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-edge")
    await site.endpoints("t-edge", "shop", [await application("shop")])
    worker, host = await site.router.worker(), "edge.apps.example"
    for number in (1, 2):
        site.authority.issue(f"edge{number}", host)
        tls = {
            "termination": "edge",
            "insecureEdgeTerminationPolicy": "Redirect",
            "certificate": site.pem(f"edge{number}.crt"),
            "key": site.pem(f"edge{number}.key"),
            "caCertificate": site.pem("ca.crt"),
        }
        hsts = {"haproxy.router.openshift.io/hsts_header": "max-age=60;includeSubDomains"}
        await site.route("t-edge", "shop", host=host, tls=tls, annotations=hsts)
        answer = await site.router.answers(host, "shop", tls=True)
        assert answer.headers["strict-transport-security"] == "max-age=60;includeSubDomains"
        assert answer.body["headers"]["x-forwarded-proto"] == "https"
        assert answer.body["headers"]["x-forwarded-for"] == "127.0.0.1"
        wanted = _der(tls["certificate"])

        async def shown(wanted: bytes = wanted) -> bool:
            return await site.router.certificate(host) == wanted

        await until(shown, f"certificate {number} is shown")
    redirected = await site.router.get(host, "/a?b=c")
    assert redirected.status == 302
    assert redirected.headers["location"] == f"https://{host}/a?b=c"
    default = x509.load_pem_x509_certificate((site.router.haproxy.directory / "default.pem").read_bytes())
    other = x509.load_der_x509_certificate(await site.router.certificate("other.apps.example"))
    assert other == default
    assert await site.router.worker() == worker


async def test_insecure_requests_are_allowed_or_have_no_answer(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-insecure")
    await site.endpoints("t-insecure", "shop", [await application("shop")])
    for policy, plain in (("Allow", 200), ("None", 503)):
        host = f"{policy.lower()}.apps.example"
        tls = {"termination": "edge", "insecureEdgeTerminationPolicy": policy}
        await site.route(
            "t-insecure", policy.lower(), host=host, tls=tls, to={"kind": "Service", "name": "shop"}
        )
        await site.told("t-insecure", policy.lower(), "True")  # all its ways are there
        await site.router.answers(host, "shop", tls=True)
        assert (await site.router.get(host)).status == plain


async def test_a_bad_certificate_is_refused_and_concerns_nobody_else(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-bad")
    await site.endpoints("t-bad", "good", [await application("good")])
    worker = await site.router.worker()
    site.authority.issue("good", "good.apps.example")
    key = site.pem("good.key")
    bad = {"termination": "edge", "certificate": site.pem("good.crt").replace("M", "N"), "key": key}
    await site.route("t-bad", "bad", host="bad.apps.example", tls=bad)
    entry = await site.told("t-bad", "bad", "False", "ExtendedValidationFailed")
    assert "certificate" in entry["conditions"][0]["message"]
    good = {"termination": "edge", "certificate": site.pem("good.crt"), "key": key}
    await site.route("t-bad", "good", host="good.apps.example", tls=good)
    await site.router.answers("good.apps.example", "good", tls=True)
    await site.told("t-bad", "good", "True")
    assert await site.router.worker() == worker
    assert "causeway_routes_refused 1.0" in await site.router.figures()


async def test_passthrough_shows_the_applications_own_certificate(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-through")
    site.authority.issue("own", "own")
    await site.endpoints("t-through", "bank", [await application("bank", serving(site.authority, "own"))])
    worker, host = await site.router.worker(), "through.apps.example"
    tls = {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}
    await site.route("t-through", "bank", host=host, tls=tls)

    async def through() -> bool:
        return await site.router.certificate(host) == _der(site.pem("own.crt"))

    await site.told("t-through", "bank", "True")  # all its ways are there
    await until(through, "the application's certificate is shown")
    assert (await site.router.answers(host, "bank", tls=True)).body["headers"].get("x-forwarded-for") is None
    assert (await site.router.get(host)).status == 302
    assert await site.router.worker() == worker


async def test_reencrypt_trusts_only_whom_the_route_names(site: Site, application: StartApplication) -> None:
    await site.namespace("t-reencrypt")
    site.authority.issue("inner", "inner")
    await site.endpoints("t-reencrypt", "bank", [await application("bank", serving(site.authority, "inner"))])
    worker, host = await site.router.worker(), "reencrypt.apps.example"
    stranger = (site.router.haproxy.directory / "default.pem").read_text()
    stranger = stranger[stranger.index("-----BEGIN CERTIFICATE") :]
    tls = {"termination": "reencrypt", "destinationCACertificate": stranger}
    await site.route("t-reencrypt", "bank", host=host, tls=tls)
    await site.told("t-reencrypt", "bank", "True")
    assert (await site.router.get(host, tls=True)).status == 503
    tls["destinationCACertificate"] = site.pem("ca.crt")
    await site.route("t-reencrypt", "bank", host=host, tls=tls)
    await site.router.answers(host, "bank", tls=True)
    assert await site.router.worker() == worker


async def test_a_certificate_of_a_secret_is_shown_that_the_router_may_read(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-external")
    await site.endpoints("t-external", "shop", [await application("shop")])
    written, host = Ingresses(site, "t-external"), "external.apps.example"
    for number in (1, 2):
        site.authority.issue(f"external{number}", host)
    first = await written.certificate("cert", "external1")
    worker = await site.router.worker()
    tls = {"termination": "edge", "externalCertificate": {"name": "cert"}}
    await site.route("t-external", "shop", host=host, tls=tls)

    async def refused(why: str) -> None:
        entry = await site.told("t-external", "shop", "False", "ExternalCertificateValidationFailed")
        assert why in entry["conditions"][0]["message"]
        assert (await site.router.get(host, tls=True)).status == 503

    async def shown(wanted: bytes) -> None:
        async def is_shown() -> bool:
            return await site.router.certificate(host) == wanted

        await until(is_shown, "the certificate is shown")
        assert (await site.router.get(host, tls=True)).application == "shop"

    await refused("may not be read")
    await written.may_read("cert")
    await shown(first)
    await site.told("t-external", "shop", "True")
    second = await written.certificate("cert", "external2")
    await shown(second)
    await site.router.kill()
    start = asyncio.create_task(site.router.start())
    while not start.done():
        assert await site.router.certificate(host) == second
    await start
    await site.admin.request("DELETE", "/api/v1/namespaces/t-external/secrets/cert")
    await refused("does not exist")
    await shown(await written.certificate("cert", "external1"))
    assert await site.router.worker() == worker
