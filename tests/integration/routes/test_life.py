"""Under load, through crashes, to a peaceful end."""

import asyncio
import csv
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import aiohttp
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import Answer, until
from tests.integration.routes.stage import Router, Site

from causeway.kube.routes import ROUTES
from causeway.rooms.routes.statuses import CONTESTED

CLIENTS = 4  # of each kind: one connection for each request, and one for all


@asynccontextmanager
async def load(router: Router, host: str) -> AsyncIterator[list[str]]:
    """Have clients ask without a pause meanwhile; yields all that went wrong so far.

    By POST, which nobody repeats on a connection that was closed.
    """
    wrong: list[str] = []
    served = 0
    ended = False

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal served
        while not ended:
            try:
                async with session.post(f"http://127.0.0.1:{router.http}/", headers={"Host": host}) as answer:
                    if answer.status != 200:
                        wrong.append(f"status {answer.status}")
                    await answer.read()
                    served += 1
            except aiohttp.ClientError as error:
                wrong.append(repr(error))

    opening, keeping = aiohttp.TCPConnector(force_close=True), aiohttp.TCPConnector()
    async with (
        aiohttp.ClientSession(connector=opening) as each_its_own,
        aiohttp.ClientSession(connector=keeping) as kept,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CLIENTS):
            group.create_task(client(each_its_own))
            group.create_task(client(kept))
        try:
            yield wrong
        finally:
            ended = True
    assert served > CLIENTS


async def test_hundreds_of_changes_under_load_lose_no_request(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-load")
    applications = [await application(f"a{number}") for number in range(3)]
    host = "load.apps.example"
    await site.endpoints("t-load", "shop", applications)
    await site.route("t-load", "shop", host=host)
    await site.router.answers(host, applications[0].name)
    for number in range(2):
        site.authority.issue(f"load{number}", host)
    worker = await site.router.worker()
    changes = 0
    async with load(site.router, host) as wrong:
        for number in range(60):
            kept = [each for place, each in enumerate(applications) if place != number % 4]
            certificate = {
                "termination": "edge",
                "insecureEdgeTerminationPolicy": "Allow",
                "certificate": site.pem(f"load{number % 2}.crt"),
                "key": site.pem(f"load{number % 2}.key"),
            }
            to = {"kind": "Service", "name": "shop", "weight": 1 + number}
            await site.endpoints("t-load", "shop", kept)
            await site.route("t-load", "shop", host=host, tls=certificate, to=to)
            host_of, to_of = f"r{number}.apps.example", {"kind": "Service", "name": "shop"}
            await site.route("t-load", f"r{number % 5}", host=host_of, path=f"/{number}", to=to_of)
            changes += 3
        for number in range(55, 60):  # the last host of each
            await site.router.answers(f"r{number}.apps.example", applications[0].name, f"/{number}")
    assert wrong == []
    assert changes == 180
    assert await site.router.worker() == worker


async def test_when_spares_run_out_one_load_loses_no_request_either(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-spares")
    await site.endpoints("t-spares", "shop", [await application("shop")])
    host = "spares.apps.example"
    await site.route("t-spares", "shop", host=host)
    await site.router.answers(host, "shop")
    worker = await site.router.worker()
    async with load(site.router, host) as wrong:
        for number in range(40):  # there are 16 spare backends
            to = {"kind": "Service", "name": "shop"}
            await site.route("t-spares", f"r{number}", host=f"r{number}.spares.example", to=to)
        for number in range(40):
            await site.router.answers(f"r{number}.spares.example", "shop")
    assert wrong == []
    assert await site.router.worker() != worker


async def test_servers_go_that_refused_while_requests_wait_to_ask_again(
    site: Site, application: StartApplication
) -> None:
    """HAProxy lets such a server be deleted, and 2.6.12 crashes then."""
    await site.namespace("t-refuse")
    host, good = "refuse.apps.example", await application("good")
    await site.endpoints("t-refuse", "shop", [good])
    await site.route("t-refuse", "shop", host=host)
    await site.router.answers(host, "good")
    worker = await site.router.worker()
    for _ in range(4):
        stopped = await application("stopped")
        await stopped.stop()
        before = await refused(site.router)
        await site.endpoints("t-refuse", "shop", [stopped])
        waiting: set[asyncio.Task[Answer]] = set()

        async def some_wait(waiting: set[asyncio.Task[Answer]] = waiting, before: int = before) -> bool:
            waiting.add(asyncio.create_task(site.router.get(host)))
            return await refused(site.router) >= before + 8

        await until(some_wait, "requests are refused")
        await site.endpoints("t-refuse", "shop", [good])
        assert {answer.status for answer in await asyncio.gather(*waiting)} <= {200, 503}

    async def only_good() -> bool:
        servers = (await site.router.haproxy.ask(["show servers state"]))[0]
        return f" {stopped.port} " not in servers and f" {good.port} " in servers

    await until(only_good, "the servers that refused are gone")
    await site.router.answers(host, "good")
    assert await site.router.worker() == worker


async def refused(router: Router) -> int:
    """Return how often HAProxy has tried again, at the same server or at another."""
    told = (await router.haproxy.ask(["show stat -1 2 -1"]))[0].lstrip("# ").splitlines()
    return sum(int(row["wretr"] or 0) + int(row["wredis"] or 0) for row in csv.DictReader(told))


async def test_who_comes_after_a_kill_takes_haproxy_over_as_it_runs(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-kill")
    one, two = await application("one"), await application("two")
    host = "kill.apps.example"
    await site.endpoints("t-kill", "shop", [one])
    for name in ("shop", "gone"):
        given = {"host": host} if name == "shop" else {"host": "gone.apps.example"}
        await site.route("t-kill", name, to={"kind": "Service", "name": "shop"}, **given)
    await site.router.answers(host, "one")
    await site.router.answers("gone.apps.example", "one")
    worker = await site.router.worker()
    await site.router.kill()
    assert (await site.router.get(host)).application == "one"
    await site.endpoints("t-kill", "shop", [two])
    await site.admin.delete(ROUTES, "gone", "t-kill")
    await site.route("t-kill", "new", host="new.apps.example", to={"kind": "Service", "name": "shop"})
    async with load(site.router, host) as wrong:
        await site.router.start()
        await site.router.answers(host, "two")
        await site.router.answers("new.apps.example", "two")
    assert wrong == []

    async def gone() -> bool:
        return (await site.router.get("gone.apps.example")).status == 503

    await until(gone, "what went meanwhile is gone")
    assert await site.router.worker() == worker


async def test_a_haproxy_that_was_killed_comes_back_with_everything(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-back")
    await site.endpoints("t-back", "shop", [await application("shop")])
    await site.route("t-back", "shop", host="back.apps.example")
    await site.router.answers("back.apps.example", "shop")
    await site.router.haproxy.stop(0)

    async def back() -> bool:
        try:
            return (await site.router.get("back.apps.example")).application == "shop"
        except aiohttp.ClientError:
            return False

    await until(back, "HAProxy is back")


async def test_it_leaves_in_peace(site: Site, application: StartApplication) -> None:
    await site.namespace("t-leave")
    shop = await application("shop")
    await site.endpoints("t-leave", "shop", [shop])
    host, patient = "leave.apps.example", {"haproxy.router.openshift.io/timeout": "300s"}
    await site.route("t-leave", "shop", host=host, annotations=patient)
    await site.router.answers(host, "shop")
    slow = asyncio.create_task(site.router.get(host, "/?hold"))
    await until(shop.holds, "the slow request is on its way")

    async def closed() -> bool:
        try:
            await site.router.get(host)
        except aiohttp.ClientError:
            return True
        return False

    leaving = asyncio.create_task(site.router.kill(signal.SIGTERM))
    await until(closed, "no new connection is taken")
    assert not slow.done()
    shop.released.set()
    assert (await slow).application == "shop"
    await leaving
    assert await site.router.haproxy.master() is None


async def test_the_statuses_of_others_are_left_alone(site: Site, application: StartApplication) -> None:
    await site.namespace("t-others")
    await site.endpoints("t-others", "shop", [await application("shop")])
    await site.route("t-others", "shop", host="others.apps.example")
    await site.told("t-others", "shop", "True")
    foreign = {
        "host": "others.apps.example",
        "routerName": "other",
        "conditions": [{"type": "Admitted", "status": "False", "reason": "TheirOwn"}],
    }
    route = await site.admin.get(ROUTES, "shop", "t-others")
    mine = route["status"]["ingress"]
    route["status"]["ingress"] = [foreign]  # as one does that thinks itself alone
    await site.admin.replace(ROUTES, route, subresource="status")
    entry = await site.told("t-others", "shop", "True")
    assert entry["host"] == mine[0]["host"]
    route = await site.admin.get(ROUTES, "shop", "t-others")
    assert foreign in route["status"]["ingress"]
    assert len(route["status"]["ingress"]) == 2


async def test_two_routers_of_one_name_that_differ_do_not_write_as_fast_as_they_can(
    site: Site, application: StartApplication, tmp_path: Path
) -> None:
    await site.namespace("t-differ")
    await site.endpoints("t-differ", "shop", [await application("shop")])
    await site.route("t-differ", "shop", host="differ.apps.example", wildcardPolicy="Subdomain")
    await site.told("t-differ", "shop", "True")
    (tmp_path / "next").mkdir()
    following = Router(
        tmp_path / "next", site.router.kubeconfig, settings={"CAUSEWAY_ROUTER_WILDCARDS": "false"}
    )
    told: dict[str, set[datetime]] = {"True": set(), "False": set()}

    async def each_wrote_thrice() -> bool:
        condition = (await site.ingress("t-differ", "shop"))["conditions"][0]
        told[condition["status"]].add(datetime.fromisoformat(condition["lastTransitionTime"]))
        return all(len(each) >= 3 for each in told.values())

    try:
        await following.start()
        await until(each_wrote_thrice, "both say what they make of the route")
    finally:
        await following.end()
    for times in map(sorted, told.values()):  # the seconds of one router's writes
        rests = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
        assert all(each >= CONTESTED for each in rests), rests


async def test_what_a_route_did_is_told_in_figures_and_in_the_log(
    site: Site, application: StartApplication
) -> None:
    await site.namespace("t-figures")
    await site.endpoints("t-figures", "shop", [await application("shop")])
    await site.route("t-figures", "shop", host="figures.apps.example")
    await site.router.answers("figures.apps.example", "shop", '/a"b')

    async def counted() -> bool:
        wanted = 'causeway_route_traffic{figure="2xx",namespace="t-figures",route="shop"} 1.0'
        return wanted in await site.router.figures()

    def lines() -> list[str]:
        return [line for line in site.router.log.read_text().splitlines() if '"t-figures/shop"' in line]

    async def logged() -> bool:
        return bool(lines())

    await until(counted, "the request is counted")
    await until(logged, "the request is in the log")
    line = lines()[0]
    assert '"path":"\\/a\\"b"' in line or '"path":"/a\\"b"' in line or "%22" in line
