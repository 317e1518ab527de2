"""The simulated cloud as a whole: its services on ports of this machine, and Keystone's catalogue of them."""

import contextlib
import datetime
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from bench.simulator.answers import Object, answer, think
from bench.simulator.balancing import Balancing
from bench.simulator.network import PROJECT, Network

_WINDOW = 10.0  # seconds
_REGION = "RegionOne"


class SimulatedCloud:
    """Network, load balancing, an empty compute service, and whoever asks for a token gets one.

    ``calls`` is how many calls came so far, ``writes`` those that change something (the last at
    ``last_write``, monotonic), ``most_in_ten`` the most within any ten seconds: over one second the time each
    call takes to arrive would tell more than its sender.
    """

    def __init__(self) -> None:
        self.network = Network()
        self.balancing = Balancing()
        self.calls = self.writes = self.most_in_ten = 0
        self.last_write = 0.0
        self.auth_url = ""
        self._recent: deque[float] = deque()
        self._endpoints: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer on 127.0.0.1 for as long as the block takes."""
        applications = {
            "network": self.network.application(),
            "load-balancer": self.balancing.application(),
            "compute": _compute(),
            "identity": self._identity(),
        }
        async with contextlib.AsyncExitStack() as stack:
            for service, application in applications.items():
                if service != "identity":
                    application.middlewares.append(self._count)
                runner = web.AppRunner(application, access_log=None, handle_signals=False)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
                self._endpoints[service] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.auth_url = self._endpoints["identity"] + "/v3"
            yield

    def clouds(self, file: Path, entry: str = "openstack") -> Path:
        """Write a clouds.yaml that leads here."""
        auth = {"auth_url": self.auth_url, "username": "u", "password": "p", "project_name": "p"}
        auth |= {"user_domain_id": "default", "project_domain_id": "default"}
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump({"clouds": {entry: {"auth": auth, "region_name": _REGION}}}))
        return file

    def forget(self) -> None:
        """Count from zero again."""
        self.calls = self.writes = self.most_in_ten = 0
        self.last_write = 0.0
        self._recent.clear()

    def _identity(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/v3", self._version)
        application.router.add_get("/v3/", self._version)
        application.router.add_post("/v3/auth/tokens", self._token)
        return application

    async def _version(self, request: web.Request) -> web.Response:
        links = [{"rel": "self", "href": str(request.url)}]
        return answer({"version": {"id": "v3.14", "status": "stable", "links": links}})

    async def _token(self, _request: web.Request) -> web.Response:
        await think(writes=True)
        now = datetime.datetime.now(datetime.UTC)
        catalogue = [
            {
                "type": service,
                "name": service,
                "id": service,
                "endpoints": [
                    {
                        "id": service,
                        "interface": interface,
                        "region": _REGION,
                        "region_id": _REGION,
                        "url": url,
                    }
                    for interface in ("public", "internal", "admin")
                ],
            }
            for service, url in self._endpoints.items()
        ]
        token: Object = {
            "methods": ["password"],
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT, "name": "p", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "member", "name": "member"}],
            "issued_at": _stamp(now),
            "expires_at": _stamp(now + datetime.timedelta(hours=12)),
            "catalog": catalogue,
        }
        response = answer({"token": token}, 201)
        response.headers["X-Subject-Token"] = "simulated"
        return response

    @property
    def _count(self) -> Any:
        @web.middleware
        async def count(request: web.Request, handler: Any) -> web.StreamResponse:
            now = time.monotonic()
            self.calls += 1
            self._recent.append(now)
            while now - self._recent[0] >= _WINDOW:
                self._recent.popleft()
            self.most_in_ten = max(self.most_in_ten, len(self._recent))
            response: web.StreamResponse = await handler(request)
            if request.method != "GET":
                self.writes += 1
                self.last_write = time.monotonic()
            return response

        return count


def _compute() -> web.Application:
    async def servers(_request: web.Request) -> web.Response:
        await think(writes=False)
        return answer({"servers": []})

    application = web.Application()
    application.router.add_get("/v2.1/servers/detail", servers)
    return application


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
