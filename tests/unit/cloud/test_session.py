"""The session against a small server that answers as Keystone and one other service do."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from tests.figures import figure

from causeway.cloud import credentials, errors
from causeway.cloud.credentials import without_version
from causeway.cloud.neutron import Neutron
from causeway.cloud.session import Cloud
from causeway.kit import trace
from causeway.kit.errors import Problem


class SmallCloud:
    """Issues numbered tokens, accepts the ones not revoked and serves two pages of ports."""

    def __init__(self) -> None:
        self.url = ""
        self.issued = 0
        self.revoked: set[str] = set()
        self.lifetime = timedelta(hours=1)
        self.ahead = timedelta()  # of its clock before ours
        self.passwords: list[str] = []
        self.request_ids: list[str] = []
        self.full = False
        self.answer_after = asyncio.Event()
        self.answer_after.set()
        self.changes = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v3", self._version)
        app.router.add_post("/v3/auth/tokens", self._token)
        app.router.add_get("/network/v2.0/ports", self._ports)
        app.router.add_put("/network/v2.0/ports", self._change)
        app.router.add_get("/network/v2.0/half", self._half)
        return app

    async def _version(self, request: web.Request) -> web.Response:
        link = {"rel": "self", "href": f"{self.url}/v3"}
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": [link]}})

    async def _token(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self.answer_after.wait()
        self.passwords.append(body["auth"]["identity"]["password"]["user"]["password"])
        if self.passwords[-1] == "wrong":
            return web.json_response({"error": {"code": 401, "message": "no", "title": "x"}}, status=401)
        self.issued += 1
        endpoint = {"id": "1", "interface": "public", "region": "R", "region_id": "R"}
        token = {
            "methods": ["password"],
            "project": {"id": "p1", "name": "demo", "domain": {"id": "d", "name": "D"}},
            "user": {"id": "u", "name": "n", "domain": {"id": "d", "name": "D"}},
            "expires_at": (self.now() + self.lifetime).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "issued_at": self.now().strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
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

    async def _change(self, request: web.Request) -> web.Response:
        if request.headers["X-Auth-Token"] in self.revoked:
            return web.json_response({"error": {"code": 401, "message": "revoked"}}, status=401)
        self.changes += 1
        return web.json_response({})

    async def _half(self, request: web.Request) -> web.Response:
        return web.Response(body=b'{"ports": [{"id": "a", "na')

    async def _ports(self, request: web.Request) -> web.Response:
        await self.answer_after.wait()
        self.request_ids.append(request.headers["X-Openstack-Request-Id"])
        if self.full:
            error = {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded", "detail": ""}}
            return web.json_response(error, status=409, headers={"X-Openstack-Request-Id": "req-of-theirs"})
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
    series = 'causeway_cloud_calls_total{call="GET /v2.0/ports",code="200",service="network"}'
    before = figure(series)
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        ports = await Neutron(cloud).list_ports(["t1", "t2"])
        assert [port.id for port in ports] == ["a", "b"]
        assert ports[0].tags == ("t1", "t2")
        assert small.issued == 1
        assert cloud.calls["network", "GET /v2.0/ports"] == 2
        assert figure(series) - before == 2
        assert await cloud.project_id() == "p1"


async def test_the_calls_of_one_work_carry_its_id_and_a_refusal_is_logged_with_the_clouds(
    small: SmallCloud, tmp_path: Path
) -> None:
    small.full = True
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        with (
            structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs,
            trace.work("reconcile", {"room": "pods", "kind": "Pod", "key": "a/b"}, of="Pod a/b"),
        ):
            for _ in range(2):
                with pytest.raises(errors.Quota) as caught:
                    await Neutron(cloud).list_ports()
            assert small.request_ids == [trace.request_id()] * 2
    assert caught.value.request_id == "req-of-theirs"
    refused = [entry for entry in logs if entry["event"] == "call refused"]
    assert len(refused) == 2
    assert refused[0]["request_id"] == "req-of-theirs"
    assert refused[0]["global_request_id"] == small.request_ids[0]
    assert (refused[0]["kind"], refused[0]["key"]) == ("Pod", "a/b")


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


@pytest.mark.parametrize("hours", [-48, 48])
async def test_clocks_that_disagree_neither_renew_all_the_time_nor_never(
    small: SmallCloud, tmp_path: Path, hours: int
) -> None:
    small.ahead = timedelta(hours=hours)
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        await Neutron(cloud).list_ports()
        issued = small.issued
        await Neutron(cloud).list_ports()
        assert small.issued == issued
        small.lifetime = timedelta(seconds=60)
        small.revoked.add(f"token-{issued}")
        small.revoked.add("token-1")
        await cloud.call("network", "GET", "/v2.0/ports")
        small.lifetime = timedelta(hours=1)
        await Neutron(cloud).list_ports()  # the token had a minute left
        assert small.issued == issued + 2


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


async def test_what_changes_something_is_not_sent_by_who_may_not_act(
    small: SmallCloud, tmp_path: Path
) -> None:
    may_act = True
    path = write(tmp_path / "clouds.yaml", small.url)
    async with await Cloud.open("c", path, may_act=lambda: may_act) as cloud:
        await cloud.call("network", "PUT", "/v2.0/ports")
        may_act = False
        with pytest.raises(errors.Fenced, match="no longer the leader"):
            await cloud.call("network", "PUT", "/v2.0/ports")
        assert small.changes == 1
        assert await Neutron(cloud).list_ports()  # reading does no harm
        may_act = True
        await cloud.call("network", "PUT", "/v2.0/ports")
        assert small.changes == 2


async def test_half_an_answer_is_an_error_of_the_service(small: SmallCloud, tmp_path: Path) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        with pytest.raises(errors.ServerError, match="is not understood"):
            await cloud.call("network", "GET", "/v2.0/half")


async def test_a_keystone_that_never_answers_is_given_up(
    small: SmallCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Cloud.open("c", write(tmp_path / "clouds.yaml", small.url)) as cloud:
        session: Any = cloud._credentials._session  # typed as if it took one number
        assert session.timeout == credentials._TIMEOUT
        small.revoked.add("token-1")
        small.answer_after.clear()
        with monkeypatch.context() as patience:
            patience.setattr(session, "timeout", (1.0, 0.05))
            with pytest.raises(errors.Unreachable):
                await cloud.call("network", "PUT", "/v2.0/ports")
        small.answer_after.set()
        await cloud.call("network", "PUT", "/v2.0/ports")  # nobody waits for ever behind the first
