import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.unit.rooms.routes.examples import certificate, route

from causeway.kube.client import Listing, WatchEvent
from causeway.kube.ingresses import Secret
from causeway.kube.objects import Meta
from causeway.rooms.routes.compiling import Offer, compile_route
from causeway.rooms.routes.external import ExternalCertificates, filled, secret_of
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import Barred
from causeway.rooms.routes.secrets import PATIENCE

DEADLINE = 60.0
EXTERNAL = {"termination": "edge", "externalCertificate": {"name": "cert"}}
CHAIN, KEY = certificate("www.apps.example")
PAIR = {"tls.crt": CHAIN.encode(), "tls.key": KEY.encode()}
OTHER = certificate("other.example")[1].encode()


def secret(data: dict[str, bytes] = PAIR, kind: str = "kubernetes.io/tls") -> Secret:
    return Secret(Meta(name="cert", namespace="one"), kind, data)


def test_a_route_has_the_certificate_of_its_secret_and_authorities_of_its_own() -> None:
    asking = route(tls=EXTERNAL | {"caCertificate": "authorities"})
    assert secret_of(asking) == "one/cert"
    whole = filled(asking, secret())
    assert whole.spec.tls is not None
    assert not isinstance(whole, Barred)
    assert (whole.spec.tls.certificate, whole.spec.tls.key) == (CHAIN, KEY)
    assert whole.spec.tls.ca_certificate == "authorities"
    assert whole.spec.tls.external_certificate is None
    assert secret_of(route(tls={"termination": "edge"})) == secret_of(route()) == ""


@pytest.mark.parametrize(
    ("tls", "found", "why"),
    [
        ({}, "does not exist", "Secret one/cert does not exist"),
        ({}, secret(kind="Opaque"), "is of type Opaque, not kubernetes.io/tls"),
        ({}, secret({"tls.crt": b"certificate"}), "has no tls.crt, or no tls.key"),
        ({}, secret(PAIR | {"tls.crt": b"\xff\0"}), "Secret one/cert: certificate: cannot be read"),
        ({}, secret(PAIR | {"tls.key": b"garbage"}), "Secret one/cert: key: no private key"),
        ({}, secret(PAIR | {"tls.key": OTHER}), "Secret one/cert: key: is not that of the certificate"),
        ({"certificate": "own"}, secret(), "the route's own"),
        ({"termination": "passthrough"}, secret(), "passthrough"),
    ],
)
def test_a_route_is_refused_whose_certificate_cannot_be_had(
    tls: dict[str, str], found: Secret | str, why: str, tmp_path: Path
) -> None:
    refusal = compile_route(filled(route(tls=EXTERNAL | tls), found), lambda *_: (), Offer(tmp_path))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "ExternalCertificateValidationFailed"
    assert refusal.message.startswith("spec.tls.externalCertificate: ")
    assert why in refusal.message


def test_a_name_that_is_too_long_is_not_repeated_whole() -> None:
    asking = route(tls={"termination": "edge", "externalCertificate": {"name": "a" * 100_000}})
    barred = filled(asking, "cannot exist")
    assert isinstance(barred, Barred)
    assert len(barred.wrong) < 400


class Late:
    """Where a Secret comes from, once it is there."""

    def __init__(self) -> None:
        self.there = asyncio.Event()

    async def list(self) -> Listing[Secret]:
        await self.there.wait()
        return Listing([secret()], "1")

    async def watch(self, resource_version: str) -> AsyncIterator[WatchEvent[Secret]]:
        await asyncio.get_running_loop().create_future()
        yield WatchEvent("BOOKMARK", None, resource_version)


async def test_a_route_waits_until_it_is_known_what_its_secret_is() -> None:
    place, news = Late(), asyncio.Event()
    external = ExternalCertificates(lambda _: place, lambda _: news.set())
    asking = route(tls=EXTERNAL)
    assert external.fill(asking) is None
    assert external.fill(route("other")) == route("other")
    running = asyncio.create_task(external.run())
    settled = asyncio.create_task(external.settled())
    place.there.set()
    async with asyncio.timeout(DEADLINE):
        await news.wait()
        assert not settled.done()
        assert external.fill(asking) == filled(asking, secret())
        await settled
    running.cancel()


def test_a_secret_of_which_nothing_is_ever_heard_keeps_the_others_waiting_for_a_minute(
    in_virtual_time: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def waiting() -> None:
        place, news = Late(), asyncio.Event()
        external = ExternalCertificates(lambda _: place, lambda _: news.set())
        asking, now = route(tls=EXTERNAL), asyncio.get_running_loop().time
        assert external.fill(asking) is None
        running = asyncio.create_task(external.run())
        await external.settled()
        assert now() == PATIENCE == 60
        assert news.is_set()
        barred = external.fill(asking)
        assert isinstance(barred, Barred)  # so that nobody else has its host meanwhile
        assert barred.wrong.endswith("one/cert is not told by the API server yet")
        news.clear()
        place.there.set()
        await news.wait()
        assert external.fill(asking) == filled(asking, secret())
        running.cancel()

    in_virtual_time(waiting())


async def test_nobody_waits_for_a_route_that_has_gone() -> None:
    external = ExternalCertificates(lambda _: Late(), lambda _: None)
    asking = route(tls=EXTERNAL)
    assert external.fill(asking) is None
    settled = asyncio.create_task(external.settled())
    await asyncio.sleep(0)
    assert not settled.done()
    external.forget("one/shop")
    async with asyncio.timeout(DEADLINE):
        await settled


class Known:
    """Knows every Secret."""

    def want(self, key: str, secrets: frozenset[str]) -> None: ...

    def known(self, key: str) -> bool:
        return True

    def get(self, key: str) -> Secret:
        return secret()


def test_a_defect_that_one_secret_hits_bars_its_route_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("causeway.rooms.routes.certificates.chain_with_key", failing)
    external = ExternalCertificates(NotImplemented, lambda _key: None)
    monkeypatch.setattr(external, "_secrets", Known())
    found = external.fill(route(tls=EXTERNAL))
    assert isinstance(found, Barred)
    assert "ZeroDivisionError" in found.wrong
