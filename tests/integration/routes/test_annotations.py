"""What a Route's annotations do to requests, each at a real HAProxy, without Kubernetes in front of it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import pytest
from tests.integration.kube_api import Authority
from tests.integration.routes.bare import HAPROXY, ROUTER, Bare
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import trusting, until
from tests.integration.routes.stage import Greeter, serving

NO_COOKIES = {f"{HAPROXY}disable_cookies": "true"}
EDGE = {"termination": "edge"}
PASSTHROUGH = {"termination": "passthrough"}
LIMIT = f"{HAPROXY}rate-limit-connections"


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Bare]:
    each = Bare(tmp_path / "run")
    yield each
    await each.haproxy.stop(0)


async def test_each_algorithm_chooses_servers_as_it_says(bare: Bare, application: StartApplication) -> None:
    shops = [await application(name) for name in "abc"]
    hosts = {
        algorithm: bare.put(algorithm, shops, NO_COOKIES | {f"{HAPROXY}balance": algorithm})
        for algorithm in ("roundrobin", "leastconn", "source", "random")
    }
    await bare.settle()

    async def chosen(algorithm: str, source: str = "127.0.0.1") -> str:
        return (await bare.get(hosts[algorithm], source=source)).application

    turns = [await chosen("roundrobin") for _ in range(9)]
    assert len(set(turns[:3])) == 3
    assert turns == turns[:3] * 3

    addresses = [f"127.0.0.{number}" for number in range(2, 26)]
    first = [await chosen("source", address) for address in addresses]
    assert set(first) == {"a", "b", "c"}
    assert [await chosen("source", address) for address in addresses] == first

    async def all_chosen() -> bool:
        return {await chosen("random") for _ in range(12)} == {"a", "b", "c"}

    await until(all_chosen, "by chance, each is chosen")

    held = [asyncio.create_task(bare.get(hosts["leastconn"], "/?hold")) for _ in range(2)]

    async def busy() -> bool:
        return sum(shop.held for shop in shops) == 2

    await until(busy, "two servers have a request")
    (idle,) = [shop.name for shop in shops if not shop.held]
    assert {await chosen("leastconn") for _ in range(6)} == {idle}
    for shop in shops:
        shop.released.set()
    await asyncio.gather(*held)


async def test_a_tunnel_that_is_silent_too_long_ends(
    bare: Bare, application: StartApplication, authority: Authority
) -> None:
    chat = await application("chat")
    short = {f"{HAPROXY}timeout-tunnel": "400ms"}
    host, patient = bare.put("short", [chat], short), bare.put("patient", [chat], {})
    authority.issue("bank", "bank")
    bank = await application("bank", serving(authority, "bank"), Greeter)
    through = bare.put("through", [bank], short, tls=PASSTHROUGH)
    await bare.settle()
    url = f"http://127.0.0.1:{bare.http}/socket"

    async def outlasts() -> bool:
        """Whether who talks outlasts who is silent and came later; not if this process paused too long."""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers={"Host": host}) as talking,
            session.ws_connect(url, headers={"Host": host}) as silent,
        ):
            ended = asyncio.create_task(silent.receive())
            while not ended.done():
                with contextlib.suppress(ConnectionError):  # what comes says it
                    await talking.send_str("still")
                if (await talking.receive()).data != "chat heard still":
                    ended.cancel()
                    return False
            assert (await ended).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            return True

    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers={"Host": patient}) as still,
    ):
        await until(outlasts, "who talks outlasts who is silent")
        await still.send_str("there")
        assert await still.receive_str() == "chat heard there"
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", bare.https, ssl=trusting(), server_hostname=through
    )
    async with asyncio.timeout(20):  # without the annotation it would be an hour
        assert await reader.read() == b"bank\n"
    writer.close()


@pytest.mark.parametrize("name", ["ip_allowlist", "ip_whitelist"])
async def test_only_who_is_listed_gets_in(
    bare: Bare, application: StartApplication, authority: Authority, name: str
) -> None:
    shop = await application("shop")
    listed = {f"{HAPROXY}{name}": "127.0.0.2 127.0.1.0/24"}
    hosts = [bare.put("listed", [shop], listed), bare.put("open", [shop], {})]
    if name == "ip_allowlist":  # it is looked at first
        hosts.append(bare.put("both", [shop], listed | {f"{HAPROXY}ip_whitelist": "127.0.0.3"}))
    authority.issue("bank", "bank")
    bank = await application("bank", serving(authority, "bank"))
    through = bare.put("through", [bank], listed, tls=PASSTHROUGH)
    await bare.settle()
    wanted = {"127.0.0.1": 403, "127.0.0.2": 200, "127.0.0.3": 403, "127.0.1.77": 200, "127.0.2.1": 403}
    for source, status in wanted.items():
        found = [(await bare.get(host, source=source)).status for host in hosts]
        assert found == [status, 200, status][: len(hosts)], source
        try:
            assert (await bare.get(through, tls=True, source=source)).application == "bank"
            assert status == 200, source
        except aiohttp.ClientConnectionError:
            assert status == 403, source


async def test_a_server_has_no_more_connections_than_it_is_given(
    bare: Bare, application: StartApplication
) -> None:
    shop = await application("shop")
    host = bare.put("few", [shop], {f"{HAPROXY}pod-concurrent-connections": "2"})
    await bare.settle()
    asked = [asyncio.create_task(bare.get(host, "/?hold")) for _ in range(5)]

    async def waiting() -> bool:
        stat = (await bare.haproxy.ask([f"show stat {bare.backend('few')} 2 -1"]))[0].splitlines()
        queued = stat[1].split(",")[2]  # of the backend: how many requests wait
        return queued == "3" and shop.held >= 2  # the application tells later than HAProxy

    await until(waiting, "what the server is not given yet waits")
    assert shop.held == 2
    shop.released.set()
    assert [(await each).status for each in asked] == [200] * 5


async def test_the_cookie_is_called_and_kept_as_the_route_says(
    bare: Bare, application: StartApplication
) -> None:
    shops = [await application(name) for name in "abcd"]
    plain = bare.put("named", shops, {f"{ROUTER}cookie_name": "basket"})
    sites = {
        site: bare.put(site.lower(), shops, {f"{ROUTER}cookie-same-site": site}, tls=EDGE)
        for site in ("Lax", "Strict", "None")
    }
    await bare.settle()
    answer = await bare.get(plain)
    cookie = SimpleCookie(answer.headers["set-cookie"])["basket"]
    assert (cookie["samesite"], cookie["secure"], cookie["httponly"]) == ("", "", True)
    for _ in range(8):
        again = await bare.get(plain, headers={"Cookie": f"basket={cookie.value}; causeway=x"})
        assert again.application == answer.application
        assert again.body["headers"]["cookie"] == "causeway=x"
    for site, host in sites.items():
        answer = await bare.get(host, tls=True)
        cookie = SimpleCookie(answer.headers["set-cookie"])["causeway"]
        assert (cookie["samesite"], cookie["secure"]) == (site, True)


async def test_a_server_is_checked_as_often_as_the_route_says(
    bare: Bare, application: StartApplication
) -> None:
    shop = await application("shop")
    # HAProxy spreads the first checks over the least interval above a second: here ten seconds at most.
    for name, interval in (("often", "40ms"), ("seldom", "20s")):
        bare.put(name, [shop], {f"{ROUTER}haproxy.health.check.interval": interval})
    never = bare.put("never", [shop], {})
    await bare.settle()

    async def state(name: str) -> str:
        told = await bare.haproxy.ask([f"show stat {bare.backend(name)} 4 -1"])
        return told[0].splitlines()[1].split(",")[17].partition(" ")[0]  # without how many passed

    async def passed() -> bool:
        return await state("often") == "UP"

    await until(passed, "the server has been looked at")
    await shop.stop()

    async def down() -> bool:
        return await state("often") == "DOWN"

    await until(down, "a server that takes no connection has no requests")
    assert await state("seldom") == "UP"
    assert await state("never") == "no"  # check
    assert (await bare.get(never)).status == 503
    await shop.start()
    await until(passed, "the server is back")


async def statuses(bare: Bare, host: str, count: int) -> Sequence[int]:
    """Return what ``count`` requests at once are answered; 0 for one whose connection just ends."""

    async def status() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", bare.http)
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        text = b""
        with contextlib.suppress(ConnectionResetError):
            text = await reader.read()
        writer.close()
        return int(text.split()[1]) if text else 0

    return await asyncio.gather(*(status() for _ in range(count)))


async def test_a_client_has_as_many_connections_at_once_as_the_route_says(
    bare: Bare, application: StartApplication
) -> None:
    shop = await application("shop")
    host = bare.put("few", [shop], {LIMIT: "true", f"{LIMIT}.concurrent-tcp": "3"})
    other = bare.put("other", [shop], {LIMIT: "true", f"{LIMIT}.concurrent-tcp": "3"})
    await bare.settle()
    held = [asyncio.create_task(bare.get(host, "/?hold")) for _ in range(3)]

    async def holds() -> bool:
        return shop.held == 3

    await until(holds, "as many as are allowed are served")
    assert await statuses(bare, host, 2) == [0, 0]
    assert await statuses(bare, other, 1) == [200]
    assert (await bare.get(host, source="127.0.0.2")).status == 200
    shop.released.set()
    assert [(await each).status for each in held] == [200] * 3

    async def ended() -> bool:
        return await bare.counted("few", "conn_cur") == 0

    await until(ended, "HAProxy has no connection of the client")
    assert await statuses(bare, host, 3) == [200] * 3


async def test_a_client_asks_as_often_as_the_route_says(bare: Bare, application: StartApplication) -> None:
    shop = await application("shop")
    figures = {"rate-tcp": "conn_rate", "rate-http": "http_req_rate"}
    hosts = {what: bare.put(what, [shop], {LIMIT: "true", f"{LIMIT}.{what}": "20"}) for what in figures}
    other = bare.put("other", [shop], {})
    await bare.settle()

    async def below(what: str, most: int) -> bool:
        """Whether fewer count in the window; HAProxy is asked, because who is refused counts, too."""
        return await bare.counted(what, figures[what]) < most

    async def at_once(what: str) -> Sequence[int]:
        """Return what is answered to 25 requests that surely fall within the shorter window, of 3 s."""
        while True:
            begun = time.monotonic()
            found = await statuses(bare, hosts[what], 25)
            if time.monotonic() - begun < 2:
                return sorted(found)
            await until(partial(below, what, 1), f"the window of {what} is past, to try again")

    for what, host in hosts.items():
        assert await at_once(what) == [0] * 5 + [200] * 20
        assert await statuses(bare, other, 1) == [200]
        assert (await bare.get(host, source="127.0.0.2")).status == 200
    for what, host in hosts.items():
        await until(partial(below, what, 20), f"the window of {what} is past")
        assert await statuses(bare, host, 1) == [200]
