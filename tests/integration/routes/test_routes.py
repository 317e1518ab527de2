"""What users do with routes, through a real HAProxy, without a reload of it."""

import asyncio

import aiohttp
from cryptography import x509
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.stage import SUFFIX, Site, until


async def test_a_new_route_answers_and_a_removed_one_does_not(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-new")
    await site.endpoints("t-new", "shop", [await application("shop")])
    worker = await site.router.worker()
    await site.route("t-new", "shop")
    answer = await site.router.answers(f"shop-t-new.{SUFFIX}", "shop", "/a?b=c")
    assert answer.body["path"] == "/a?b=c"
    assert answer.body["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert answer.body["headers"]["x-forwarded-proto"] == "http"
    entry = await site.told("t-new", "shop", "True")
    assert entry["host"] == f"shop-t-new.{SUFFIX}"
    from causeway.kube.routes import ROUTES

    route = await site.admin.get(ROUTES, "shop", "t-new")
    assert route["metadata"]["annotations"]["openshift.io/host.generated"] == "true"
    await site.admin.delete(ROUTES, "shop", "t-new")

    async def gone() -> bool:
        return (await site.router.get(f"shop-t-new.{SUFFIX}")).status == 503

    await until(gone, "the route is gone")
    assert await site.router.worker() == worker
