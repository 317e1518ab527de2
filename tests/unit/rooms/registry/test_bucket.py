"""Signatures as Amazon's documentation gives them ("Signature Calculations ... Examples", of Amazon S3)."""

from datetime import UTC, datetime

import pytest

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
