"""How what clients send is taken: hosts, ports and addresses, at a real HAProxy, without Kubernetes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.routes.bare import HAPROXY, Bare
from tests.integration.routes.conftest import StartApplication
from tests.unit.rooms.routes.ingress_examples import derived, ingress, path, rule

EDGE = {"termination": "edge"}


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Bare]:
    each = Bare(tmp_path / "run")
    yield each
    await each.haproxy.stop(0)


async def asked(bare: Bare, host: str, target: str, before: str = "") -> dict[str, str]:
    """Return the headers of an answer, and its status as "", to who asks exactly so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bare.http)
    writer.write(f"{before}GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    lines = (await reader.read()).decode().partition("\r\n\r\n")[0].split("\r\n")
    writer.close()
    named = (line.partition(": ") for line in lines[1:])
    return {name.lower(): value for name, _, value in named} | {"": lines[0].split()[1]}


async def test_a_dot_at_the_end_makes_no_other_host(bare: Bare, application: StartApplication) -> None:
    host = bare.put(
        "shop", [await application("shop")], {}, tls=EDGE | {"insecureEdgeTerminationPolicy": "Allow"}
    )
    bare.applications["every"] = [await application("every")]
    everywhere = derived(ingress("every", "other", rules=[rule("", path("/", service="every"))]))
    for part in everywhere.parts:
        bare.router.put(part)
    await bare.router.round()
    for name in (host, f"{host}.", f"{host.upper()}.:8080", f"{host}:80"):
        assert (await bare.get(name)).application == "shop", name
    assert (await bare.get(f"{host}.", tls=True)).application == "shop"
    for name in ("nobody.example", "nobody.example."):
        assert (await bare.get(name)).application == "every", name


async def test_who_is_sent_to_https_keeps_path_and_query_and_no_port(
    bare: Bare, application: StartApplication
) -> None:
    tls = EDGE | {"insecureEdgeTerminationPolicy": "Redirect"}
    host = bare.put("shop", [await application("shop")], {}, tls=tls)
    await bare.settle()
    for target in ("/", "/a?b=c", "/a%20b//c/../d;e?f=%2F&g=h?i", "/?", "/%25{+Q}[src]?%[src]"):
        for name in (host, f"{host}:80", f"{host}:8080", f"{host}."):
            answer = await asked(bare, name, target)
            assert (answer[""], answer["location"]) == ("302", f"https://{host}{target}"), name
    answer = await asked(bare, f"{host}:8080", f"http://{host}:8080/a?b=c")
    assert answer["location"] == f"https://{host}/a?b=c"


async def test_an_ipv4_address_in_ipv6_is_an_ipv4_address(
    tmp_path: Path, application: StartApplication
) -> None:
    bare = Bare(tmp_path / "run", proxy_protocol=True)
    try:
        ranges = {f"{HAPROXY}ip_allowlist": "192.0.2.0/25 32.2.0.0/16 2001:db8::/33"}
        host = bare.put("listed", [await application("shop")], ranges)
        await bare.settle()
        for source, status in {
            "192.0.2.1": "200",
            "192.0.2.129": "403",
            "::ffff:192.0.2.1": "200",
            "::ffff:192.0.2.129": "403",
            "2001:db8::1": "200",
            "2001:db8:8000::1": "403",
            "2002:c000:201::1": "403",  # whose digits are not those of 32.2.0.0
        }.items():
            family, to = ("TCP6", "::1") if ":" in source else ("TCP4", "127.0.0.1")
            answer = await asked(bare, host, "/", f"PROXY {family} {source} {to} 1000 80\r\n")
            assert answer[""] == status, source
    finally:
        await bare.haproxy.stop(0)
