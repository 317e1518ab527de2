"""Through the fault proxy, without faults, the real APIs say what they say without it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.faults.doors import Doors, doors, token_of
from tests.faults.weather import Fault, Kind, Weather
from tests.integration.deployment import deploy
from tests.integration.kube_api import KubeApi
from tests.integration.services.conftest import Project

from causeway.cloud import errors
from causeway.cloud.credentials import Credentials
from causeway.cloud.neutron import Neutron
from causeway.cloud.session import Cloud
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import Gone
from causeway.kube.objects import Service
from causeway.kube.resource import PODS, SERVICES

_NEW_EACH_TIME = {"date", "x-openstack-request-id", "audit-id", "vary"}
PATHS = {
    "identity": ("/v3", "/v3/auth/catalog", "/v3/nowhere"),
    "network": ("/v2.0/networks?limit=1", "/v2.0/subnets", "/v2.0/ports/nobody", "/v2.0/nothing"),
    "load-balancer": ("/v2/lbaas/providers", "/v2/lbaas/loadbalancers/nobody", "/"),
}
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
async def way(
    project: Project, kube_api: KubeApi, tmp_path: Path
) -> AsyncIterator[tuple[Doors, Weather, Client]]:
    weather = Weather()
    async with Client(from_kubeconfig(kube_api.kubeconfig)) as admin:
        await deploy(admin)
        token = await token_of(admin, "causeway-controller")
        async with doors(tmp_path, clouds=project.clouds, api=kube_api, token=token, weather=weather) as made:
            yield made, weather, admin


async def answer(session: aiohttp.ClientSession, url: str, host: str, token: str) -> Answer:
    """Ask at ``url`` as if it were ``host``: a service may tell the address it was asked at."""
    async with session.get(url, headers={"X-Auth-Token": token, "Host": host}) as said:
        headers = {name: value for name, value in said.headers.items() if name.lower() not in _NEW_EACH_TIME}
        return said.status, headers, await said.read()


async def test_without_faults_the_cloud_answers_the_same(
    way: tuple[Doors, Weather, Client], project: Project
) -> None:
    through, weather, _ = way
    credentials = await asyncio.to_thread(Credentials, "test", project.clouds)
    token = (await asyncio.to_thread(credentials.authenticate)).value
    async with aiohttp.ClientSession() as session:
        for door, paths in PATHS.items():
            direct = await asyncio.to_thread(credentials.endpoint, door)
            for path in paths:
                asked = [direct, through.proxies[door].url]
                one, other = [
                    await answer(session, url + path, urlsplit(direct).netloc, token) for url in asked
                ]
                assert one == other, path
    assert not weather.met


async def test_the_products_own_clients_find_their_way(way: tuple[Doors, Weather, Client]) -> None:
    through, weather, admin = way
    async with (
        await Cloud.open("test", through.clouds) as cloud,
        Client(from_kubeconfig(through.kubeconfig)) as client,
    ):
        neutron = Neutron(cloud)
        networks = await neutron.list_trunks()
        assert networks == []
        asked = Counter(request.door for request in weather.history)
        assert asked["identity"] >= 1
        assert asked["network"] == 1
        listed = await client.list(SERVICES, of=Service)
        # Not of one version: that goes up with whatever is written, wherever.
        assert listed.items == (await admin.list(SERVICES, of=Service)).items
        watch = client.watch(SERVICES, of=Service, resource_version=listed.resource_version)
        ports = [{"port": 80}]
        await admin.create(SERVICES, {"metadata": {"name": "seen"}, "spec": {"ports": ports}}, "default")
        event = await anext(watch)
        assert event.object is not None
        assert (event.type, event.object.metadata.name) == ("ADDED", "seen")
        await watch.aclose()  # type: ignore[attr-defined]  # it is a generator
        await admin.delete(SERVICES, "seen", "default")

        for _ in range(2):  # the HTTP library itself repeats once what is idempotent
            weather.once(lambda request: request.door == "network", Fault(Kind.CUT_AFTER))
        with pytest.raises(errors.Unreachable):
            await neutron.list_trunks()
        weather.once(lambda request: request.is_watch, Fault(Kind.REFUSE, status=410))
        with pytest.raises(Gone):
            async with contextlib.aclosing(
                client.watch(PODS, of=Service, resource_version=listed.resource_version)  # type: ignore[type-var]  # a generator
            ) as events:
                await anext(events)
