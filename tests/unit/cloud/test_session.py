"""The session against a small server that answers as Keystone and one other service do."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from causeway.cloud import errors
from causeway.cloud.credentials import without_version
from causeway.cloud.neutron import Neutron
from causeway.cloud.session import Cloud
from causeway.kit.errors import Problem


class SmallCloud:
    """Issues numbered tokens, accepts the ones not revoked and serves two pages of ports."""

    def __init__(self) -> None:
        self.url = ""
        self.issued = 0
        self.revoked: set[str] = set()
        self.lifetime = timedelta(hours=1)
        self.passwords: list[str] = []
        self.answer_after = asyncio.Event()
        self.answer_after.set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v3", self._version)
        app.router.add_post("/v3/auth/tokens", self._token)
        app.router.add_get("/network/v2.0/ports", self._ports)
        return app

    async def _version(self, request: web.Request) -> web.Response:
        link = {"rel": "self", "href": f"{self.url}/v3"}
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": [link]}})

    async def _token(self, request: web.Request) -> web.Response:
        self.passwords.append((await request.json())["auth"]["identity"]["password"]["user"]["password"])
        if self.passwords[-1] == "wrong":
            return web.json_response({"error": {"code": 401, "message": "no", "title": "x"}}, status=401)
        self.issued += 1
        endpoint = {"id": "1", "interface": "public", "region": "R", "region_id": "R"}
        token = {
            "methods": ["password"],
            "project": {"id": "p1", "name": "demo", "domain": {"id": "d", "name": "D"}},
            "user": {"id": "u", "name": "n", "domain": {"id": "d", "name": "D"}},
            "expires_at": (datetime.now(UTC) + self.lifetime).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "issued_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "catalog": [
                {
                    "type": "network",
                    "name": "neutron",
                    "endpoints": [{**endpoint, "url": f"{self.url}/network"}],
                }
            ],
        }
        headers = {"X-Subject-Token": f"token-{self.issued}"}
        return web.json_response({"token": token}, status=201, headers=headers)

    async def _ports(self, request: web.Request) -> web.Response:
        await self.answer_after.wait()
        if request.headers["X-Auth-Token"] in self.revoked:
            return web.json_response({"error": {"code": 401, "message": "revoked"}}, status=401)
        second = request.query.get("marker") == "a"
        port = {"id": "b" if second else "a", "name": "n", "status": "ACTIVE", "network_id": "x",
                "mac_address": "m", "tags": request.query.getall("tags", [])}  # fmt: skip
        links = [] if second else [{"rel": "next", "href": "ignored"}]
        return web.json_response({"ports": [port], "ports_links": links})


@pytest.fixture
async def small() -> AsyncIterator[SmallCloud]:
    cloud = SmallCloud()
    runner = web.AppRunner(cloud.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cloud.url = "http://{}:{}".format(*runner.addresses[0])
    yield cloud
    await runner.cleanup()


def write(path: Path, url: str, password: str = "right") -> Path:
    auth = {"auth_url": f"{url}/v3", "username": "n", "password": password, "project_name": "demo",
            "user_domain_name": "D", "project_domain_name": "D"}  # fmt: skip
    path.write_text(json.dumps({"clouds": {"c": {"auth": auth, "region_name": "R"}}}))
    return path


async def test_one_token_serves_many_calls_and_calls_are_counted(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        ports = await Neutron(cloud).list_ports(["t1", "t2"])
        assert [port.id for port in ports] == ["a", "b"]
        assert ports[0].tags == ["t1", "t2"]
        assert small.issued == 1
        assert cloud.calls["network", "GET /v2.0/ports"] == 2
        assert await cloud.project_id() == "p1"


async def test_a_revoked_token_is_renewed_once_for_all(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        small.revoked.add("token-1")
        await asyncio.gather(*(Neutron(cloud).list_ports() for _ in range(5)))
        assert small.issued == 2


async def test_a_token_refused_again_is_an_error(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        small.revoked |= {f"token-{number}" for number in range(9)}
        with pytest.raises(errors.Unauthorized):
            await Neutron(cloud).list_ports()
        assert small.issued == 2


async def test_a_token_about_to_end_is_renewed_before(small: SmallCloud, tmp_path: Path) -> None:
    small.lifetime = timedelta(seconds=60)
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        small.lifetime = timedelta(hours=1)
        await Neutron(cloud).list_ports()
        assert small.issued == 2


async def test_changed_credentials_are_used_without_a_restart(
    small: SmallCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("causeway.cloud.session._WATCH_FILE_EVERY", 0.0)
    path = write(tmp_path / "clouds.yaml", small.url)
    async with await Cloud.open("c", path) as cloud:
        write(tmp_path / "new", small.url, "rotated").replace(path)
        await Neutron(cloud).list_ports()
        assert small.passwords == ["right", "rotated"]


async def test_the_file_that_is_named_goes_before_the_environment(
    small: SmallCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(write(tmp_path / "other", small.url, "wrong")))
    monkeypatch.setenv("OS_CLOUD", "c")
    async with await Cloud.open(None, write(tmp_path / "clouds.yaml", small.url)):
        assert small.passwords == ["right"]


async def test_a_silent_service_is_a_timeout(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        small.answer_after.clear()
        with pytest.raises(errors.Timeout) as caught:
            await cloud.call("network", "GET", "/v2.0/ports", within=0.05)
        assert caught.value.request_id
        small.answer_after.set()


async def test_wrong_credentials_are_told(small: SmallCloud, tmp_path: Path) -> None:
    with pytest.raises(errors.Unauthorized):
        await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url, "wrong"))


async def test_a_service_that_is_not_in_the_catalogue_is_told(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        with pytest.raises(errors.MissingService):
            await cloud.call("load-balancer", "GET", "/v2/lbaas/loadbalancers")


async def test_nobody_listening_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.Unreachable):
        await Cloud.open("c", write(tmp_path / "clouds.yaml", "http://127.0.0.1:1"))


async def test_an_unknown_cloud_is_a_problem_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        await Cloud.open("other", write(tmp_path / "clouds.yaml", "http://127.0.0.1:1"))
    assert caught.value.findings[0].place == "cloud other"


async def test_unverified_tls_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"c": {"auth": {"auth_url": "https://x/v3"}, "verify": False}}}))
    with pytest.raises(Problem, match="verify"):
        await Cloud.open("c", path)


@pytest.mark.parametrize(
    "url", ["http://x:9696", "http://x:9696/", "http://x:9696/v2.0", "http://x:9696/v2/"]
)
def test_a_version_at_the_end_of_an_endpoint_is_dropped(url: str) -> None:
    assert without_version(url) == "http://x:9696"
