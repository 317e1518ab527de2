"""The log of connections that are passed on as they come, or fail before, by a real HAProxy."""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kube_api import Authority
from tests.integration.routes.bare import HAPROXY, NAMESPACE, Bare
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import trusting, until
from tests.integration.routes.stage import Application, Greeter, serving
from tests.ports import free_port

from causeway.kube.objects import Meta
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.parts import Opening, Rule, Target


class Log(asyncio.DatagramProtocol):
    """What HAProxy sends to a server of logs."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.wrong: list[bytes] = []

    def datagram_received(self, data: bytes, _address: object) -> None:
        try:
            self.lines.append(json.loads(data))
        except ValueError:  # besides, HAProxy tells of itself
            if not re.match(rb"(Proxy|Stopping) \S+ .*\n?\Z", data):
                self.wrong.append(data)

    async def until(self, **wanted: object) -> None:
        """Wait for a line."""

        async def there() -> bool:
            assert not self.wrong
            return any(wanted.items() <= each.items() for each in self.lines)

        await until(there, f"{wanted} is in the log")


@pytest.fixture
async def log() -> AsyncIterator[tuple[str, Log]]:
    """An address for logs, and those that came."""
    place = ("127.0.0.1", free_port())
    transport, each = await asyncio.get_running_loop().create_datagram_endpoint(Log, local_addr=place)
    yield f"127.0.0.1:{place[1]}", each
    transport.close()


@pytest.fixture
async def bank(application: StartApplication, authority: Authority) -> Application:
    """An application that ends TLS itself."""
    authority.issue("bank", "bank")
    return await application("bank", serving(authority, "bank"), Greeter)


async def test_a_connection_is_in_the_log_once_by_who_ends_it(
    application: StartApplication,
    authority: Authority,
    bank: Application,
    log: tuple[str, Log],
    tmp_path: Path,
) -> None:
    address, told = log
    bare = Bare(tmp_path / "run", log=address)
    try:
        shop, desk = await application("shop"), await application("desk", kind=Greeter)
        passthrough = {"termination": "passthrough"}
        through = bare.put("through", [bank], {}, tls=passthrough)
        closed = bare.put("closed", [bank], {f"{HAPROXY}ip_allowlist": "192.0.2.1"}, tls=passthrough)
        limit = f"{HAPROXY}rate-limit-connections"
        few = bare.put("few", [bank], {limit: "true", f"{limit}.rate-tcp": "1"}, tls=passthrough)
        edge = bare.put("edge", [shop], {}, tls={"termination": "edge"})
        bare.applications["desk"] = [desk]
        spec = RouteSpec(to=RouteTarget(""))
        rule = Rule(
            metadata=Meta(name="desk", namespace=NAMESPACE, uid="desk"),
            spec=spec,
            targets=(Target(f"{NAMESPACE}/desk", "web"),),
            passthrough=True,
        )
        opening = Opening(
            metadata=Meta(name=f"port:{bare.further}", namespace=NAMESPACE, uid="port"),
            spec=spec,
            port=bare.further,
            leads=f"@{NAMESPACE}/desk",
        )
        for part in (rule, opening):
            bare.router.put(part)
        await bare.settle()

        assert await greeted(bare.https, through) == b"bank\n"
        assert await greeted(bare.https, closed) == b""
        both = await asyncio.gather(greeted(bare.https, few), greeted(bare.https, few))
        assert sorted(both) == [b"", b"bank\n"]  # the limit is of three seconds
        assert await greeted(bare.further) == b"desk\n"
        assert (await bare.get(edge, tls=True)).status == 200
        assert (await bare.get("nobody.apps.example", tls=True)).status == 503

        async def all_there() -> bool:
            return len(told.lines) >= 7

        await until(all_there, "each connection is in the log")
        assert (await bare.get("last.apps.example")).status == 503
        await told.until(host="last.apps.example")  # what came twice has come by now
        *told.lines, _ = told.lines
        lines = {each.get("name") or each.get("host") or each["scheme"]: each for each in told.lines}
        assert lines.keys() == {through, closed, few, edge, "nobody.apps.example", "tcp"}
        assert len(told.lines) == 7
        limited = {each["end"]: each["bytes"] for each in told.lines if each.get("name") == few}
        assert len(limited) == 2
        assert limited["PR"] == 0
        assert (
            lines[through].items()
            >= {
                "client": "127.0.0.1",
                "scheme": "tls",
                "route": f"{NAMESPACE}/through",
                "name": through,
                "port": bare.https,
            }.items()
        )
        assert lines[through]["server"].startswith("s")
        assert lines[through]["bytes"] > len(b"bank\n")
        assert lines[closed].items() >= {"route": f"{NAMESPACE}/closed", "bytes": 0, "end": "PR"}.items()
        assert (
            lines["tcp"].items()
            >= {
                "route": f"{NAMESPACE}/desk",
                "port": bare.further,
                "bytes": len(b"desk\n"),
            }.items()
        )
        assert (lines[edge]["scheme"], lines[edge]["status"]) == ("https", 200)
    finally:
        await bare.haproxy.stop(0)


async def test_whatever_name_is_asked_for_the_line_is_json(
    bank: Application, log: tuple[str, Log], tmp_path: Path
) -> None:
    address, told = log
    bare = Bare(tmp_path / "run", log=address)
    try:
        bare.put("bank", [bank], {}, tls={"termination": "passthrough"}, wildcardPolicy="Subdomain")
        await bare.settle()
        names = {
            b'a","b\'': 'a","b\'',
            b"back\\slash\\": "back\\slash\\",
            b"new\nline\r\t\0\x1b\x7f": "new\nline\r\t\0\x1b\x7f",
            "fünf".encode(): "fünf",
            b"\xff\xc3(\xe2\x82": None,  # no UTF-8: what is left of it is nobody's business
        }
        for name in names:
            reader, writer = await asyncio.open_connection("127.0.0.1", bare.https)
            writer.write(hello(name + b".apps.example"))
            await reader.read(1)  # of the application, whatever it says
            writer.close()

        async def all_there() -> bool:
            assert not told.wrong
            return len(told.lines) == len(names)

        await until(all_there, "each connection is in the log")
        assert {each["route"] for each in told.lines} == {f"{NAMESPACE}/bank"}
        found = {each["name"] for each in told.lines}
        assert found >= {f"{each}.apps.example" for each in names.values() if each is not None}
    finally:
        await bare.haproxy.stop(0)


def hello(name: bytes) -> bytes:
    """Return the first message of TLS to a server of a name that may be any bytes."""
    stead = "x" * (len(name) - 8) + ".example"
    sent = ssl.MemoryBIO()
    client = trusting().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=stead)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read().replace(stead.encode(), name)


async def test_a_connection_that_fails_before_anything_is_asked_is_json(
    log: tuple[str, Log], tmp_path: Path
) -> None:
    address, told = log
    bare = Bare(tmp_path / "run", log=address, proxy_protocol=True)
    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 7000 443\r\n"

    async def ended(port: int, said: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):  # HAProxy may be faster
            writer.write(said)
            writer.write_eof()
            await reader.read()
        writer.close()

    try:
        await bare.settle()
        for port in (bare.http, bare.https, bare.further):
            await ended(port, b"")  # as load balancers look whether it is there
            await ended(port, b"no header\r\n")
        await ended(bare.https, header + b"no handshake\r\n")
        await ended(bare.http, header + b"GET / HTTP/1.1\r\nHost: last.apps.example\r\n\r\n")
        await told.until(host="last.apps.example")
        for port in (bare.http, bare.https, bare.further):
            await told.until(client="127.0.0.1", port=port)
        await told.until(client="192.0.2.7", error="SSL handshake failure")
    finally:
        await bare.haproxy.stop(0)


async def greeted(port: int, name: str = "") -> bytes:
    """Return the first line that comes from a port, by TLS to ``name``; b"" if the connection ends."""
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting() if name else None, server_hostname=name or None
        )
    except ConnectionError:
        return b""
    line = await reader.readline()
    writer.close()
    return line
