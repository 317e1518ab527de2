"""Who sees the figures: against a real API server, with the rights that are shipped."""

import ssl

import aiohttp
from tests.figures import figure
from tests.integration.serve.conftest import Platform
from tests.ports import free_port

from causeway.serve.scraping import AUDIENCE, Scraping


async def test_figures_are_shown_over_tls_to_who_may_get_them(platform: Platform) -> None:
    port = free_port()
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # as a scraper has to be told
    series = 'causeway_kube_calls_total{code="201",resource="tokenreviews",verb="POST"}'
    before = figure(series)
    async with (
        await platform.as_account("causeway-node") as daemon,
        Scraping(f"127.0.0.1:{port}", daemon),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http,
    ):

        async def scrape(bearer: str | None) -> tuple[int, str]:
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            async with http.get(f"https://127.0.0.1:{port}/metrics", headers=headers) as answer:
                return answer.status, await answer.text()

        assert (await scrape(None))[0] == 401
        assert (await scrape("nonsense"))[0] == 401
        assert (await scrape(await platform.token("prometheus", "another-audience")))[0] == 401
        status, said = await scrape(await platform.token("somebody"))
        assert (status, said) == (403, "RBAC does not let you get /metrics\n")
        for bearer in (await platform.token("prometheus"), await platform.token("prometheus", AUDIENCE)):
            for _ in range(2):
                status, said = await scrape(bearer)
                assert status == 200
                assert "causeway_kube_calls_total{" in said
        # Two reviews for a token of another audience than the API's, none for what was just reviewed.
        assert figure(series, said) - before == 2 + 2 + 1 + 1 + 2
