"""Signatures as Amazon's documentation gives them ("Signature Calculations ... Examples", of Amazon S3)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from causeway.kit.errors import Problem
from causeway.rooms.registry.bucket import Bucket, Place, signature

PLACE = Place(
    endpoint="https://examplebucket.s3.amazonaws.com",
    bucket="examplebucket",
    region="us-east-1",
    access="AKIAIOSFODNN7EXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
NOW = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"lifecycle": ""}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            {"max-keys": "2", "prefix": "J"},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_requests_are_signed_as_the_documentation_does(query: dict[str, str], expected: str) -> None:
    found = signature(PLACE, "GET", "/", query=query, now=NOW)
    assert found["Authorization"].endswith(f"Signature={expected}")


def test_no_secret_is_shown() -> None:
    assert PLACE.secret not in repr(PLACE)


async def test_a_bucket_that_was_not_opened_says_so() -> None:
    with pytest.raises(RuntimeError):
        await Bucket(PLACE).read("a")


async def test_when_a_file_was_written_is_as_it_is_listed() -> None:
    async def listed(request: web.Request) -> web.Response:
        told = "<Key>a/b</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>"
        return web.Response(text=f"<ListBucketResult><Contents>{told}</Contents></ListBucketResult>")

    application = web.Application()
    application.router.add_get("/{path:.*}", listed)
    async with TestServer(application) as server:
        place = replace(PLACE, endpoint=str(server.make_url("")).rstrip("/"))
        async with Bucket(place) as store:
            assert await store.written("a") == {"a/b": datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC)}


async def test_what_cannot_be_written_is_no_success() -> None:
    """A bucket that is not there is answered as a key that is not."""

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(status=404, text="<Error><Code>NoSuchBucket</Code></Error>")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", nothing)
    async with TestServer(application) as server:
        place = replace(PLACE, endpoint=str(server.make_url("")).rstrip("/"))
        async with Bucket(place) as store:
            assert await store.read("a") is None
            assert await store.size("a") is None
            with pytest.raises(Problem, match=r"PUT a: it answers 404: NoSuchBucket"):
                await store.write("a", b"x")
            with pytest.raises(Problem, match="there is no such bucket"):
                await store.keys("a")
