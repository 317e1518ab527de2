"""The model of HAProxy's runtime API answers as HAProxy does, and what is sent to it does what we think."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.models.haproxy import HaproxyModel
from tests.ports import free_port
from tests.unit.rooms.routes.examples import certificate

from causeway.host.haproxy import Haproxy
from causeway.rooms.routes.bounds import LONGEST_LINE, LONGEST_TEXT
from causeway.rooms.routes.commands import Files, commands, questions, state_of
from causeway.rooms.routes.config import Front, contents
from causeway.rooms.routes.model import (
    PRESENT,
    RETIRING,
    AuthorityKey,
    CertificateKey,
    Item,
    Kind,
    MapKey,
    ServerKey,
    Value,
    Wish,
)
from causeway.rooms.routes.plan import Step, apply_to

CERTIFICATE, KEY = certificate()
SERVER, LOADED = ServerKey("http-random-0", "s1"), ServerKey("http-random-1", "loaded")
CERTIFICATE_KEY, AUTHORITY = CertificateKey("c1", "www.example"), AuthorityKey("a1")
ENCRYPTED = ServerKey("http-source-0", "s2")
LONG = MapKey("filter", "one/" + "y" * (LONGEST_LINE - LONGEST_TEXT - 5))  # as much as a line may be
OURS = frozenset(["http-random-0", "http-random-1", "http-source-0", "tcp-source-0"])


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Haproxy, HaproxyModel, Files]]:
    """The real one and the model, started with the same configuration."""
    files = Files(tmp_path)
    default = tmp_path / "default.pem"
    default.write_text(KEY + CERTIFICATE)
    clients = tmp_path / "clients.pem"
    clients.write_text(CERTIFICATE)
    front = Front(
        plain=(f"127.0.0.1:{free_port()}",),
        secure=(f"127.0.0.1:{free_port()}",),
        certificate=default,
        connections=100,
        client_authorities=str(clients),
        client_verify="optional",
    )
    layout = {
        Kind("http", "random", "causeway"): 2,
        Kind("http", "random", "causeway", options=True): 1,
        Kind("http", "source", "causeway"): 1,
        Kind("tcp", "source"): 1,
    }
    wanted: dict[Item, Wish] = {
        LOADED: Wish(7, "127.0.0.1:9"),
        MapKey("hsts", "http-random-1"): Wish("max-age=1; preload"),
        LONG: Wish("x" * LONGEST_TEXT),
        CertificateKey("c0", "first.example"): Wish(PRESENT, KEY + CERTIFICATE),
    }
    for path, text in contents(front, files, layout, wanted, "mark").items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "authorities").mkdir()
    real, model = Haproxy(tmp_path), HaproxyModel(tmp_path)
    try:
        await asyncio.gather(real.run("mark"), model.run("mark"))
        yield real, model, files
    finally:
        await real.stop(0)


STEPS = [
    Step("add", SERVER, 3, "127.0.0.1:9 maxconn 5 check inter 2000ms"),
    Step("set", SERVER, 256),
    Step("add", AUTHORITY, PRESENT, CERTIFICATE),
    Step("add", ENCRYPTED, 1, "[::1]:9 ssl alpn h2,http/1.1 verify required ca-file {a1} verifyhost x"),
    Step("add", MapKey("owner", "http-random-0"), "one/shop"),
    Step("add", MapKey("hsts", "http-random-0"), 'max-age="1" ; includeSubDomains'),
    Step("set", MapKey("hsts", "http-random-0"), "max-age=2; includeSubDomains; preload"),
    Step("add", MapKey("rewrite", "http-random-0"), "1:s:/a!$&'()*+,;=:@~"),
    Step("add", CERTIFICATE_KEY, PRESENT, KEY + CERTIFICATE),
    Step("add", MapKey("prefix", "pwww.example/a!$&'()*+,=:@[]{|}~%20/"), "http-random-0"),
    Step("set", MapKey("prefix", "pwww.example/a!$&'()*+,=:@[]{|}~%20/"), "http-random-1:redirect"),
    Step("remove", MapKey("prefix", "pwww.example/a!$&'()*+,=:@[]{|}~%20/")),
    Step("add", MapKey("exact", "pwww.example/a<<"), "http-random-0"),  # << at its end begins a payload
    Step("remove", MapKey("exact", "pwww.example/a<<")),
    Step("remove", LONG),
    Step("add", LONG, "x" * LONGEST_TEXT),
    Step("remove", MapKey("hsts", "http-random-1")),
    Step("remove", CERTIFICATE_KEY),
    Step("remove", CertificateKey("c0", "first.example")),
    Step("retire", SERVER),
    Step("revive", SERVER, 4),
    Step("retire", SERVER),
    Step("drop", SERVER),
    Step("retire", LOADED),
    Step("drop", LOADED),
    Step("retire", ENCRYPTED),
    Step("drop", ENCRYPTED),
    Step("remove", AUTHORITY),
]


async def _state(one: Haproxy | HaproxyModel, files: Files) -> dict[Item, Value]:
    return state_of(await one.ask(questions(files)), OURS, files)


async def test_every_step_does_to_both_what_the_plan_reckons_with(
    both: tuple[Haproxy, HaproxyModel, Files],
) -> None:
    real, model, files = both
    expected = await _state(real, files)
    assert expected == {
        LOADED: 7,
        MapKey("hsts", "http-random-1"): "max-age=1; preload",
        LONG: "x" * LONGEST_TEXT,
        CertificateKey("c0", "first.example"): PRESENT,
    }
    assert await _state(model, files) == expected
    for step in STEPS:
        given = step._replace(detail=step.detail.replace("{a1}", str(files.authority(AUTHORITY))))
        asked = commands(given, files)
        for one in (real, model):
            answers = await one.ask([each.text for each in asked])
            assert [each.succeeded(answer) for each, answer in zip(asked, answers, strict=True)] == [
                True
            ] * len(asked), (one, step, answers)
        apply_to(expected, step)
        assert await _state(real, files) == expected
        assert await _state(model, files) == expected


@pytest.mark.parametrize(
    "before",
    [
        [],
        [Step("add", SERVER, 1, "127.0.0.1:9")],
    ],
)
async def test_both_refuse_the_same(
    both: tuple[Haproxy, HaproxyModel, Files], before: Sequence[Step]
) -> None:
    real, model, files = both
    missing = [
        Step("set", MapKey("owner", "nobody"), "x"),
        Step("remove", MapKey("owner", "nobody")),
        Step("set", ServerKey("http-random-0", "nobody"), 3),
        Step("drop", ServerKey("http-random-0", "nobody")),
        Step("add", LOADED, 1, "127.0.0.1:9"),
        Step("drop", LOADED),  # takes requests
        Step("remove", CertificateKey("nobody", "x")),
        Step("remove", AuthorityKey("nobody")),
        Step("add", ENCRYPTED, 1, "127.0.0.1:9 ssl verify required ca-file /nonexistent"),
    ]
    for step in before:
        for one in (real, model):
            await one.ask([each.text for each in commands(step, files)])
    for step in missing:
        for one in (real, model):
            first = commands(step, files)[0]
            (answer,) = await one.ask([first.text])
            assert not first.succeeded(answer), (one, step, answer)


async def test_a_server_with_a_connection_is_not_dropped(
    both: tuple[Haproxy, HaproxyModel, Files],
) -> None:
    real, model, files = both
    arrived = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await reader.read()
        writer.close()

    application = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = application.sockets[0].getsockname()[1]
    steps = [
        Step("add", SERVER, 1, f"127.0.0.1:{port}"),
        Step("add", MapKey("owner", "http-random-0"), "one/shop"),
        Step("add", MapKey("prefix", "pwww.example/"), "http-random-0"),
        Step("retire", SERVER),
    ]
    plain = (files.configuration.read_text()).partition("bind 127.0.0.1:")[2].split()[0]
    for step in steps[:3]:
        for one in (real, model):
            await one.ask([each.text for each in commands(step, files)])
    _, writer = await asyncio.open_connection("127.0.0.1", int(plain))
    writer.write(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n")
    async with asyncio.timeout(120):
        await arrived.wait()
    model.busy.add(SERVER.server)
    for one in (real, model):
        await one.ask([each.text for each in commands(steps[3], files)])
        (answer,) = await one.ask([commands(Step("drop", SERVER), files)[0].text])
        assert "still has connections" in answer
        assert (await _state(one, files))[SERVER] == RETIRING
    writer.close()
    application.close()
