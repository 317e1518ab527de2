"""Whose images are, by what is recorded beside them."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.rooms.registry import owners
from causeway.rooms.registry.owners import Claim, Owner
from causeway.rooms.registry.store import Directory

OURS = Owner("platform", "shop")


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


@pytest.mark.parametrize(
    ("recorded", "claim"),
    [
        (None, Claim.UNCLAIMED),
        (OURS, Claim.OURS),
        (Owner("platform", "former"), Claim.FORMER),
        (Owner("former platform", "shop"), Claim.UNCLAIMED),
    ],
)
def test_images_are_of_the_namespace_they_were_pushed_in(recorded: Owner | None, claim: Claim) -> None:
    assert owners.claim(recorded, OURS) is claim


async def image(store: Directory, namespace: str) -> None:
    await store.write(f"docker/registry/v2/repositories/{namespace}/a/_layers/link", b"x")


async def test_what_is_gone_is_what_is_recorded_of_this_platform_and_of_no_living_namespace(
    store: Directory,
) -> None:
    for name, owner in (
        ("living", Owner("platform", "1")),
        ("gone", Owner("platform", "2")),
        ("again", Owner("platform", "3")),
        ("foreign", Owner("another", "4")),
        ("unknown", None),
    ):
        await image(store, name)
        if owner is not None:
            await owners.record(store, name, owner)
    living = {"living": "1", "again": "33", "kube-system": "platform"}
    records = await owners.all_recorded(store)
    assert records.keys() == {"living", "gone", "again", "foreign"}
    assert owners.gone(records, "platform", living) == ["again", "gone"]
    await owners.remove(store, "gone")
    assert await owners.recorded(store, "gone") is None
    assert "gone" not in await owners.all_recorded(store)


class Dying(Directory):
    """A store whose user is killed after so many deletions."""

    def __init__(self, root: Path, lives: int) -> None:
        super().__init__(root)
        self._lives = lives

    async def remove(self, folder: str) -> None:
        if not self._lives:
            raise asyncio.CancelledError
        self._lives -= 1
        await super().remove(folder)


@pytest.mark.parametrize("lives", [0, 1, 2])
async def test_who_is_killed_while_deleting_is_followed_by_another(tmp_path: Path, lives: int) -> None:
    """As long as something of them is there, the record says whose they were: nobody takes them over."""
    store = Directory(tmp_path)
    await image(store, "gone")
    await owners.record(store, "gone", OURS)
    with contextlib.suppress(asyncio.CancelledError):
        await owners.remove(Dying(tmp_path, lives), "gone")
    left = await store.keys("docker/registry/v2/repositories/gone")
    assert await owners.recorded(store, "gone") == OURS or not left
    await owners.remove(store, "gone")
    assert await owners.recorded(store, "gone") is None
    assert await store.keys("docker/registry/v2/repositories/gone") == []


class Shared(Directory):
    """A store that another platform may have as well."""

    shared = True


async def test_a_bucket_is_of_one_platform_until_its_key_is_deleted(tmp_path: Path) -> None:
    store = Shared(tmp_path)
    for _ in range(2):
        await owners.hold(store, "first")
    with pytest.raises(Problem, match=r"another platform.*UID first.*delete the key causeway/platform"):
        await owners.hold(store, "second")
    await owners.hold(Directory(tmp_path), "second")  # a volume is nobody else's
    await store.remove("causeway/platform")
    await owners.hold(store, "second")
    with pytest.raises(Problem, match="UID second"):
        await owners.hold(store, "first")
