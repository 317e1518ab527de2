"""Where figures are shown."""

import asyncio
import datetime
from typing import cast

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.ports import free_port

from causeway.kit.errors import Exit, Problem
from causeway.kube.client import Client
from causeway.serve import certificate
from causeway.serve.scraping import Scraping, address_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.5:9878", ("192.0.2.5", 9878)),
        ("[fd00::5]:9878", ("fd00::5", 9878)),
        ("fd00::5:9878", ("fd00::5", 9878)),  # as Kubernetes fills in $(HOST_IP):9878
    ],
)
def test_an_address_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["9878", ":9878", "192.0.2.5:", "192.0.2.5:http"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        address_of(text)
    assert caught.value.exit_code == Exit.USAGE


def test_the_certificate_is_valid_now_and_its_key_is_with_it() -> None:
    now = datetime.datetime.now(datetime.UTC)
    pem = certificate.make(now)
    made, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(pem, None)
    assert made.not_valid_before_utc < now < made.not_valid_after_utc
    assert made.public_key() == key.public_key()


async def test_who_finds_the_port_taken_has_it_when_it_is_free() -> None:
    address = f"127.0.0.1:{free_port()}"
    nobody = cast("Client", None)  # who shows no token is not asked about

    async def status() -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://{address}/metrics", ssl=False) as answer,
        ):
            return answer.status

    first, second = Scraping(address, nobody), Scraping(address, nobody)
    await first.__aenter__()
    async with second:
        assert await status() == 401
        await first.__aexit__(None, None, None)
        async with asyncio.timeout(120):
            while True:
                try:
                    assert await status() == 401
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)
                else:
                    break
    with pytest.raises(aiohttp.ClientConnectionError):
        await status()


async def test_who_ends_while_the_port_is_taken_waits_for_nothing() -> None:
    address = f"127.0.0.1:{free_port()}"
    nobody = cast("Client", None)
    async with asyncio.timeout(60), Scraping(address, nobody), Scraping(address, nobody):
        pass
