import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.nodes.examples import CLUSTER, REGION, node, seen, server

from causeway.cloud.errors import ServerError
from causeway.cloud.nova import Server
from causeway.kube.objects import Node
from causeway.kube.store import Change
from causeway.rooms.nodes.actual import Servers, believable
from causeway.rooms.nodes.controller import keys_of
from causeway.rooms.nodes.model import Identity

W1, W2 = Identity("s1"), Identity("s2")


class Listings:
    """Answers with one listing after another, the last again and again; None is a failure."""

    def __init__(self, *answers: tuple[Server, ...] | None) -> None:
        self.answers = list(answers)
        self.count = 0

    async def list_servers(self) -> list[Server]:
        self.count += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise ServerError("compute", "broken")
        return list(answer)

    async def region(self) -> str:
        return REGION


NODES = [node("w1", ready=False), node("w2", provider_id="openstack:///s2")]


async def looks(lister: Listings, times: int, nodes: list[Node] | None = None) -> list[bool | None]:
    """Return what is proven of w1 at each of several looks, ten seconds apart; None where listing failed."""
    servers, proven = Servers(lister, CLUSTER), list[bool | None]()
    for _ in range(times):
        try:
            proven.append(servers.proven_gone(W1, await servers.recent(), nodes or NODES))
        except ServerError:
            proven.append(None)
        await asyncio.sleep(10)
    return proven


In = Callable[[Any], Any]


def test_one_listing_serves_all_who_ask_within_a_moment(in_virtual_time: In) -> None:
    async def ask() -> int:
        lister = Listings((server(),))
        servers = Servers(lister, CLUSTER)
        await asyncio.gather(*(servers.recent() for _ in range(50)))
        await servers.recent()
        once = lister.count
        await asyncio.sleep(3)
        await servers.recent()
        return once * 10 + lister.count

    assert in_virtual_time(ask()) == 12


def test_a_failure_stands_for_a_moment_too(in_virtual_time: In) -> None:
    async def ask() -> int:
        lister = Listings(None)
        servers = Servers(lister, CLUSTER)
        for _ in range(9):
            with pytest.raises(ServerError):
                await servers.recent()
        return lister.count

    assert in_virtual_time(ask()) == 1


def test_a_server_is_gone_when_two_listings_say_so(in_virtual_time: In) -> None:
    other = server("s2", name="w2")
    assert in_virtual_time(looks(Listings((other,)), 2)) == [False, True]


def test_a_server_that_was_seen_in_between_is_not_gone(in_virtual_time: In) -> None:
    other = server("s2", name="w2")
    lister = Listings((other,), (server(), other), (other,), (other,))
    assert in_virtual_time(looks(lister, 4)) == [False, False, False, True]


def test_the_same_listing_asked_twice_counts_once(in_virtual_time: In) -> None:
    async def ask() -> list[bool]:
        servers = Servers(Listings((server("s2"),)), CLUSTER)
        return [servers.proven_gone(W1, await servers.recent(), NODES) for _ in range(3)]

    assert in_virtual_time(ask()) == [False, False, False]


def test_a_listing_of_another_project_proves_nothing(in_virtual_time: In) -> None:
    assert in_virtual_time(looks(Listings((server("other"),)), 3)) == [False, False, False]
    assert in_virtual_time(looks(Listings(()), 3)) == [False, False, False]


ANSWERS = st.sampled_from([None, (), (server("s2"),), (server("s1"), server("s2")), (server("s9"),)])


@given(answers=st.lists(ANSWERS, min_size=1, max_size=8))
def test_whatever_the_listings_say_nothing_is_gone_without_two_that_lack_it(
    answers: list[tuple[Server, ...] | None],
) -> None:
    proven = asyncio.run(_at_once(answers))
    lacking = 0
    for answer, gone in zip(answers, proven, strict=True):
        if answer is not None and any(each.id == "s1" for each in answer):
            lacking = 0
        elif answer and any(each.id == "s2" for each in answer):
            lacking += 1
        assert not gone or (answer and lacking >= 2)


async def _at_once(answers: list[tuple[Server, ...] | None]) -> list[bool]:
    """Return what is proven at each listing, the clock being set on by hand."""
    loop = asyncio.get_running_loop()
    began, hours = loop.time(), 0
    loop.time = lambda: began + hours * 3600  # type: ignore[method-assign]  # the loop's clock, for Servers
    servers, proven = Servers(Listings(*answers), CLUSTER), []
    for _ in answers:
        hours += 1
        try:
            proven.append(servers.proven_gone(W1, await servers.recent(), NODES))
        except ServerError:
            proven.append(False)
    return proven


def test_believable_is_a_listing_that_shows_a_node_of_ours() -> None:
    foreign = node("x", provider_id="aws:///zone/s2")
    assert not believable(seen(server("s2")), [foreign])
    assert believable(seen(server("s2")), [foreign, *NODES])


def test_a_report_that_changes_nothing_we_read_is_no_work() -> None:
    old, same = node(), node()
    assert list(keys_of(Change("w1", old, same))) == []
    assert list(keys_of(Change("w1", old, node(ready=False)))) == ["w1"]
    assert list(keys_of(Change("w1", None, old))) == ["w1"]
    assert list(keys_of(Change("w1", old, None))) == []
