"""The fault proxy before a server that says exactly the bytes it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults import refusals
from tests.faults.proxy import FaultProxy, Server
from tests.faults.weather import STORMY, Fault, Kind, Request, Weather

GET = b"GET /v2.0/ports?tags=a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v2.0/ports HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Odd:  two  \r\n\r\n0123456789"
PIECES = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;x=y\r\nabcd\r\n2\r\nef\r\n0\r\nTrailer: t\r\n\r\n"
)
TO_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
ANY = b"HTTP/1.1 "


class Said:
    """A server that reads so many bytes and says what it was told; ``heard`` is what it read."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answers: list[tuple[int, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.answers:
            size, answer = self.answers.pop(0)
            self.heard.append(await reader.readexactly(size))
            writer.write(answer)
            await writer.drain()
            if b"Connection: close" in answer:
                break
        else:
            await reader.read()
        writer.close()


@asynccontextmanager
async def before(weather: Weather, *exchanges: tuple[bytes, bytes]) -> AsyncIterator[tuple[FaultProxy, Said]]:
    said = Said()
    said.answers = [(len(request), answer) for request, answer in exchanges]
    server = await asyncio.start_server(said.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with FaultProxy("network", Server("127.0.0.1", port), weather) as proxy:
        yield proxy, said
    server.close()


async def ask(proxy: FaultProxy, *requests: bytes, size: int = -1) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    for request in requests:
        writer.write(request)
    if size < 0:
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await (reader.read() if size < 0 else reader.readexactly(size))
    finally:
        writer.close()


@pytest.mark.parametrize("request_", [GET, POST, CHUNKED])
@pytest.mark.parametrize("answer", [LENGTH, PIECES, TO_THE_END, NOTHING])
async def test_without_faults_requests_and_answers_pass_byte_for_byte(request_: bytes, answer: bytes) -> None:
    async with before(Weather(), (request_, answer)) as (proxy, said):
        assert await ask(proxy, request_) == answer
        assert said.heard == [request_]


async def test_one_connection_carries_many_requests() -> None:
    exchanges = [(GET, LENGTH), (POST, PIECES), (GET, NOTHING), (CHUNKED, LENGTH)]
    async with before(Weather(), *exchanges) as (proxy, said):
        answers = await ask(proxy, *(request for request, _ in exchanges))
        assert answers == b"".join(answer for _, answer in exchanges)
        assert said.heard == [request for request, _ in exchanges]


async def test_an_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    head, answer = b"HEAD / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    async with before(Weather(), (head, answer), (GET, LENGTH)) as (proxy, _):
        assert await ask(proxy, head, GET) == answer + LENGTH


async def met(fault: Fault, answer: bytes = LENGTH) -> tuple[bytes | None, list[bytes], Weather]:
    """Return what the client got (None: a reset), what the server heard, and the count."""
    weather = Weather()
    weather.once(lambda _: True, fault)
    async with before(weather, (POST, answer)) as (proxy, said):
        try:
            got: bytes | None = await ask(proxy, POST)
        except ConnectionResetError:
            got = None
        return got, said.heard, weather


async def test_a_lost_answer_is_lost_after_the_server_has_acted() -> None:
    got, heard, weather = await met(Fault(Kind.CUT_AFTER))
    assert (got, heard) == (None, [POST])
    assert weather.met == {("network", "cut after"): 1}


async def test_a_cut_before_is_never_heard_by_the_server() -> None:
    got, heard, _ = await met(Fault(Kind.CUT_BEFORE))
    assert (got, heard) == (None, [])


async def test_half_an_answer_ends_in_order() -> None:
    got, heard, _ = await met(Fault(Kind.HALF), TO_THE_END)
    assert (got, heard) == (TO_THE_END[:-5], [POST])


async def test_a_delayed_request_is_answered_all_the_same() -> None:
    got, heard, _ = await met(Fault(Kind.DELAY, seconds=0.01))
    assert (got, heard) == (LENGTH, [POST])


async def test_a_refusal_speaks_as_the_service_does_and_is_not_passed_on() -> None:
    got, heard, weather = await met(Fault(Kind.REFUSE, status=429, retry_after=3))
    assert heard == []
    assert got is not None
    assert got.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"\r\nRetry-After: 3\r\n" in got
    assert b"NeutronError" in got
    assert weather.met == {("network", "429"): 1}


async def test_a_stream_is_cut_in_the_middle() -> None:
    weather = Weather()
    weather.once(lambda request: request.is_watch, Fault(Kind.CUT_STREAM, seconds=0.02))
    watch = b"GET /api/v1/pods?watch=true HTTP/1.1\r\n\r\n"
    begun = PIECES[: PIECES.index(b"2\r\nef")]
    async with before(weather, (watch, begun)) as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(watch)
        assert await reader.readexactly(len(begun)) == begun
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_while_it_is_down_connections_are_refused_and_old_ones_reset() -> None:
    async with before(Weather(), (GET, LENGTH), (GET, LENGTH)) as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(GET)
        await reader.readexactly(len(LENGTH))
        await proxy.down()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.close()
        port = proxy.port
        await proxy.up()
        assert proxy.port == port


async def test_frozen_it_holds_up_what_it_passes_on_when_thawed() -> None:
    async with before(Weather(), (GET, LENGTH)) as (proxy, said):
        proxy.freeze()
        asking = asyncio.create_task(ask(proxy, GET))
        done, _ = await asyncio.wait({asking}, timeout=0.02)
        assert not done
        assert not said.heard
        proxy.thaw()
        assert await asking == LENGTH


async def test_a_server_that_is_gone_shows_as_a_reset() -> None:
    async with FaultProxy("network", Server("127.0.0.1", 1), Weather()) as proxy:
        with pytest.raises(ConnectionResetError):
            await ask(proxy, GET)


def drawn(seed: int, verbs: list[str]) -> dict[str, list[Fault | None]]:
    weather, found = Weather(seed, STORMY), dict[str, list[Fault | None]]()
    for verb in verbs:
        found.setdefault(verb, []).append(weather.choose(Request("network", verb, "/v2.0/ports")))
    return found


@given(st.integers(0, 99), st.permutations(["GET"] * 9 + ["PUT"] * 9))
def test_a_seed_says_the_same_however_requests_interleave(seed: int, order: list[str]) -> None:
    assert drawn(seed, order) == drawn(seed, sorted(order))


def test_seeds_differ_and_about_one_request_in_five_meets_a_fault() -> None:
    first, second = (drawn(seed, ["GET"] * 1000)["GET"] for seed in (1, 2))
    assert first != second
    assert 170 < sum(fault is not None for fault in first) < 270
    assert not any(Weather(1).choose(Request("network", "GET", "/")) for _ in range(100))


def test_watches_meet_the_faults_of_watches() -> None:
    weather = Weather(3, STORMY)
    request = Request("kubernetes", "GET", "/api/v1/pods?watch=true&resourceVersion=5")
    found = [weather.choose(request) for _ in range(500)]
    assert {fault.kind for fault in found if fault} == {Kind.REFUSE, Kind.CUT_STREAM}
    assert {410, 429, 500} == {fault.status for fault in found if fault and fault.status}


def test_identifiers_do_not_make_requests_of_different_kinds() -> None:
    one, two = (
        Request("network", "PUT", f"/v2.0/trunks/{name}/add_subports").verb
        for name in ("5c9bfe80-6d7b-4b5c-9aee-1f1c2b7a8a01", "0123456789abcdef0123456789abcdef")
    )
    assert one == two == "PUT /v2.0/trunks/{}/add_subports"


@pytest.mark.parametrize("status", [409, 429, 500, 503])
@pytest.mark.parametrize("door", ["network", "load-balancer", "identity"])
def test_refusals_are_whole_answers(door: str, status: int) -> None:
    answer = refusals.openstack(Request(door, "GET", "/"), Fault(Kind.REFUSE, status=status))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(ANY + str(status).encode())
    assert f"Content-Length: {len(body)}".encode() in head
