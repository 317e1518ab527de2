"""The log of connections that are passed on as they come, by a real HAProxy."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.kube_api import Authority
from tests.integration.routes.bare import HAPROXY, NAMESPACE, Bare
from tests.integration.routes.conftest import StartApplication
from tests.integration.routes.front_door import trusting, until
from tests.integration.routes.stage import Greeter, serving
from tests.ports import free_port

from causeway.kube.objects import Meta
from causeway.kube.routes import RouteSpec, RouteTarget
from causeway.rooms.routes.parts import Opening, Rule, Target


class Log(asyncio.DatagramProtocol):
    """What HAProxy sends to a server of logs."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def datagram_received(self, data: bytes, _address: object) -> None:
        if data.startswith(b"{"):  # besides, HAProxy tells of itself
            self.lines.append(json.loads(data))


@pytest.fixture
async def log() -> AsyncIterator[tuple[str, Log]]:
    """An address for logs, and those that came."""
    place = ("127.0.0.1", free_port())
    transport, each = await asyncio.get_running_loop().create_datagram_endpoint(Log, local_addr=place)
    yield f"127.0.0.1:{place[1]}", each
    transport.close()


async def test_a_connection_is_in_the_log_once_by_who_ends_it(
    application: StartApplication, authority: Authority, log: tuple[str, Log], tmp_path: Path
) -> None:
    address, told = log
    bare = Bare(tmp_path / "run", log=address)
    try:
        authority.issue("bank", "bank")
        bank = await application("bank", serving(authority, "bank"), Greeter)
        shop, desk = await application("shop"), await application("desk", kind=Greeter)
        passthrough = {"termination": "passthrough"}
        through = bare.put("through", [bank], {}, tls=passthrough)
        closed = bare.put("closed", [bank], {f"{HAPROXY}ip_allowlist": "192.0.2.1"}, tls=passthrough)
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
        assert await greeted(bare.further) == b"desk\n"
        assert (await bare.get(edge, tls=True)).status == 200
        assert (await bare.get("nobody.apps.example", tls=True)).status == 503

        async def all_there() -> bool:
            return len(told.lines) >= 5

        await until(all_there, "each connection is in the log")
        lines = {each.get("name") or each.get("host") or each["scheme"]: each for each in told.lines}
        assert lines.keys() == {through, closed, edge, "nobody.apps.example", "tcp"}
        assert len(told.lines) == 5
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
