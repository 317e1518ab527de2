"""Who has keys, and what is told where nobody may look; the rest is tried with a real object store."""

from typing import Any, cast

import pytest
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.rooms.platforms import image_store
from causeway.rooms.platforms.stored import CONTAINER


def test_the_container_says_who_has_keys_in_a_header_for_each() -> None:
    users = [f"{number:032x}" for number in range(20)]
    headers = {image_store.mark_of(f"{number:032x}").title(): user for number, user in enumerate(users)}
    more = {image_store.mark_of("gone"): "", "X-Container-Meta-Causeway-Cluster": "c"}
    assert image_store.users_in(headers | more) == users
    assert max(map(len, headers)) - len("X-Container-Meta-") <= 128  # as Swift limits them by default
    assert max(map(len, headers.values())) <= 256


class Cloud:
    """One whose object store answers everything the same."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.object_store = self

    def endpoint_for(self, service: str) -> str:
        return f"https://{service}.example"

    def get(self, path: str, params: object) -> Any:
        return type("Answer", (), {"status_code": self._status})

    def head(self, path: str) -> Any:
        return type("Answer", (), {"status_code": self._status, "headers": {"X-Container-Bytes-Used": "1"}})


@pytest.mark.parametrize(
    ("status", "expected", "about"),
    [
        (200, True, ["1 GiB"]),
        (403, True, ["of unknown size, as one may not look into it"]),
        (403, False, []),
        (404, True, []),
    ],
)
def test_a_container_nobody_may_look_into_is_named_where_there_should_be_one(
    status: int, expected: bool, about: list[str]
) -> None:
    found = image_store.stored(cast(Connection, Cloud(status)), "c", expected=expected)
    assert [each.about() for each in found] == about
    assert all(each.type == CONTAINER for each in found)


@pytest.mark.parametrize(("status", "expected"), [(403, None), (404, [])])
def test_a_project_that_never_had_anything_in_the_object_store_has_no_containers(
    status: int, expected: list[Any] | None
) -> None:
    assert image_store.everywhere(cast(Connection, Cloud(status))) == expected


class Broken:
    """A cloud in which not even the catalogue can be had."""

    def endpoint_for(self, service: str) -> str:
        raise sdk.HttpException(f"no {service}")


def test_a_platform_without_images_in_swift_needs_nothing_of_it_and_says_what_is_left() -> None:
    (left,) = image_store.withdraw(cast(Connection, Broken()), "c")
    assert "no object-store" in left.cause
