"""In which order volumes and snapshots are deleted, on back ends that refuse for reasons of their own."""

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud.ownership import ACCESS, ALL_NODES, Owner
from causeway.rooms.platforms.stored import Stored, everything
from causeway.rooms.platforms.stored_removal import (
    delete,
    held_elsewhere,
    in_motion,
    to_ask,
    told,
    why_left,
)


def volume(id: str, status: str = "available", *servers: str) -> Stored:
    return Stored("volume", id, "", 1, status, servers=servers)


def snapshot(id: str, of: str, status: str = "available") -> Stored:
    return Stored("snapshot", id, "", 1, status, of=of)


def test_a_snapshot_goes_before_its_volume() -> None:
    seen = [volume("a"), volume("b"), snapshot("s", "a")]
    assert [each.id for each in to_ask(seen, {})] == ["b", "s"]
    assert [each.id for each in to_ask([volume("a")], {"s": 3})] == ["a"]


def test_what_fell_back_is_asked_for_again_only_when_others_have_gone() -> None:
    seen = [volume("a"), volume("b", "deleting")]
    assert to_ask(seen, {"a": 2}) == []
    assert [each.id for each in to_ask(seen[:1], {"a": 2})] == ["a"]


def test_deleting_may_take_long_and_other_things_may_not() -> None:
    assert in_motion([volume("a", "deleting")], 599)
    assert not in_motion([volume("a", "deleting")], 600)
    assert in_motion([volume("a", "in-use", "s")], 59)
    assert not in_motion([volume("a", "in-use", "s")], 60)
    assert not in_motion([volume("a", "error_deleting"), volume("b")], 0)


def test_the_cause_is_the_nearest_one() -> None:
    used, kept = volume("a", "in-use", "w1"), snapshot("s", "b", "error_deleting")
    assert why_left(used, "refused", [used]) == "is attached to w1"
    assert why_left(volume("b"), "", [volume("b"), kept]) == "has snapshots that could not be deleted: s"
    backup = Stored("backup", "k", "", 1, "available", of="b")
    assert why_left(volume("b"), "No.", [volume("b"), backup]) == "is not deleted: No."
    assert backup in to_ask([volume("b"), backup], {})
    assert volume("b") in to_ask([volume("b"), backup], {})
    assert why_left(kept, "", [kept]) == "could not be deleted: its status is error_deleting"
    assert why_left(volume("c"), "Invalid volume", []) == "is not deleted: Invalid volume"
    assert told([used, kept, volume("c")]) == "1 snapshot, 2 volumes"


@dataclass
class Backend:
    """Cinder with a back end that keeps a snapshot for what was made of it, and may fail for good.

    ``made_of`` are the snapshots volumes were made of, ``stuck`` what cannot be deleted.
    """

    things: dict[str, Stored]
    made_of: dict[str, str] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    asked: int = 0

    def look(self) -> list[Stored]:
        return list(self.things.values())

    def ask(self, id: str) -> None:
        self.asked += 1
        assert id not in {each.of for each in self.things.values()}, "Cinder refuses this"
        assert not self.things[id].servers, "and this"
        self.things[id] = replace(self.things[id], status="deleting")

    def turn(self) -> None:
        """Let a moment pass: what is being deleted is gone or falls back, servers that go let go."""
        for each in self.look():
            if each.status == "in-use" and "gone" in each.servers:
                self.things[each.id] = replace(each, status="available", servers=())
            if each.status != "deleting":
                continue
            if each.id in self.stuck:
                self.things[each.id] = replace(each, status="error_deleting")
            elif any(self.made_of.get(it) == each.id for it in self.things):
                self.things[each.id] = replace(each, status="available")
            else:
                del self.things[each.id]


@st.composite
def backends(draw: st.DrawFn) -> Backend:
    """A forest: each volume is empty or of an earlier snapshot, each snapshot of an earlier volume."""
    backend = Backend({})
    for number in range(draw(st.integers(0, 8))):
        volumes = sorted(each for each in backend.things if each.startswith("v"))
        snapshots = sorted(each for each in backend.things if each.startswith("s"))
        chance = draw(st.integers(0, 3))
        if volumes and chance % 2:
            id = f"s{number}"
            backend.things[id] = snapshot(id, draw(st.sampled_from(volumes)))
        else:
            id = f"v{number}"
            server = draw(st.sampled_from(["", "", "gone", "stays"]))
            backend.things[id] = volume(id, "in-use", server) if server else volume(id)
            if snapshots and chance > 1:
                backend.made_of[id] = draw(st.sampled_from(snapshots))
        if draw(st.integers(0, 5)) == 0:
            backend.stuck.add(id)
    return backend


def deletable(backend: Backend) -> set[str]:
    """What can go at all: neither stuck nor in use, and nothing that cannot go hangs on it."""
    left = {each.id for each in backend.look() if each.id in backend.stuck or "stays" in each.servers}
    while True:
        holds = {backend.things[each].of for each in left} | {backend.made_of.get(each, "") for each in left}
        more = {each for each in holds if each in backend.things} - left
        if not more:
            return set(backend.things) - left
        left |= more


@given(backends())
def test_all_that_can_go_goes_and_the_rest_is_asked_for_a_few_times(backend: Backend) -> None:
    total, staying = len(backend.things), set(backend.things) - deletable(backend)
    asked: dict[str, int] = {}
    waited = 0
    while seen := backend.look():
        ask = to_ask(seen, asked)
        if not ask and not in_motion(seen, waited):
            break
        for each in ask:
            asked[each.id] = len(seen)
            backend.ask(each.id)
        backend.turn()
        waited = waited + 1 if len(backend.things) == len(seen) else 0
        assert waited < 100
    assert set(backend.things) == staying
    assert backend.asked <= total * (total + 1)


class Service:
    """Cinder or Manila; what is in it takes one look to go. ``listed`` are the looks at each collection."""

    def __init__(self, **left: list[str]) -> None:
        self.left = left
        self.leaving: set[str] = set()
        self.listed: Counter[str] = Counter()

    def get(self, path: str, **_: object) -> SimpleNamespace:
        name = path.split("/")[1]
        self.listed[name] += 1
        there = self.left.get(name, [])
        shown = [
            {"id": each, "status": "deleting" if each in self.leaving else "available"} for each in there
        ]
        self.left[name] = [each for each in there if each not in self.leaving]
        return SimpleNamespace(status_code=200, json=lambda: {name: shown})

    def delete(self, path: str, **_: object) -> SimpleNamespace:
        self.leaving.add(path.split("/")[2])
        return SimpleNamespace(status_code=202)


@pytest.mark.parametrize(
    ("left", "looks"),
    [
        ({"volumes": ["a", "b"]}, {"volumes": 4, "snapshots": 1, "backups": 1}),
        ({"volumes": ["a"], "backups": ["k"]}, {"volumes": 4, "snapshots": 1, "backups": 4}),
    ],
)
def test_only_kinds_that_are_there_are_looked_for_until_the_last_look(
    left: dict[str, list[str]], looks: dict[str, int]
) -> None:
    cinder, manila = Service(**left), Service()
    cloud: Any = SimpleNamespace(
        block_storage=cinder, shared_file_system=manila, endpoint_for=lambda _: "https://x"
    )
    kinds = {each.removesuffix("s") for each in left}
    assert not delete(cloud, kinds, partial(everything, cloud), lambda _: None, pause=0)
    assert cinder.listed == looks
    assert manila.listed == {"shares": 1, "snapshots": 1}


def answer(status: int, words: str = "") -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers["Content-Type"] = "application/json"
    made._content = msgspec.json.encode({"badRequest": {"code": status, "message": words}})
    return made


class Late:
    """Cinder with a volume that has got a snapshot meanwhile; the volume is let go last.

    ``ages`` are the snapshot's statuses, one a look, and ``pace`` the seconds one takes.
    """

    def __init__(self, held: Stored, *ages: str, pace: float = 0.0) -> None:
        self.held = held
        self.ages = list(ages)
        self.pace = pace
        self.now = 0.0
        self.left = {"v", "s"}

    def look(self, kinds: frozenset[str]) -> list[Stored]:
        self.now += self.pace
        found = [self.held] if "v" in self.left else []
        if "snapshot" in kinds and "s" in self.left:
            status = self.ages.pop(0) if len(self.ages) > 1 else self.ages[0]
            found.append(snapshot("s", "v", status))
        return found

    def delete(self, path: str) -> requests.Response:
        id = path.split("/")[2]
        if id == "v" and "s" in self.left:
            return answer(400, "Invalid volume: it must not have snapshots.")
        self.left.remove(id)
        return answer(202)

    def deleted(self) -> list[tuple[Stored, str]]:
        cloud: Any = SimpleNamespace(block_storage=self)
        return delete(cloud, {"volume"}, self.look, lambda _: None, pause=0)


def test_what_was_refused_for_something_not_looked_for_is_asked_for_again() -> None:
    assert Late(volume("v"), "available").deleted() == []


def test_what_came_meanwhile_has_as_long_to_settle_as_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Late(volume("v", "in-use", "w1"), "creating", "available", pace=40.0)
    monkeypatch.setattr(time, "monotonic", lambda: late.now)
    assert [why for _, why in late.deleted()] == ["is attached to w1"]
    assert late.left == {"v"}


@pytest.mark.parametrize(
    ("status", "words", "stays"),
    [
        (403, "Policy does not allow it.", True),
        (404, "The resource could not be found.", True),
        (400, "API version must be higher.", True),
        (503, "Try later.", True),
        (400, "Share s not found.", False),
    ],
)
def test_a_share_whose_rules_are_not_told_stays_and_the_rest_goes(
    status: int, words: str, stays: bool
) -> None:
    left = {each: Stored("share", each, "", 1, "available", cluster="ours") for each in ("s", "t")}

    def rules(_: str, *, params: dict[str, str], **more: str) -> requests.Response:
        free = SimpleNamespace(status_code=200, json=lambda: {"access_list": []})
        return answer(status, words) if params["share_id"] == "s" else cast(requests.Response, free)

    def ask(path: str, **_: object) -> requests.Response:
        del left[path.split("/")[2]]
        return answer(202)

    cloud: Any = SimpleNamespace(shared_file_system=SimpleNamespace(get=rules, delete=ask))
    told = delete(cloud, {"share"}, lambda _: list(left.values()), lambda _: None, pause=0)
    assert [(each.id, why) for each, why in told] == ([("s", f"is not deleted: {words}")] if stays else [])


def test_a_share_that_another_platform_has_is_not_deleted_under_it() -> None:
    share = Stored("share", "s", "", 1, "available", cluster="ours")

    def rule(cluster: str, node: str, state: str = "active") -> dict[str, Any]:
        return {"id": "r", "state": state, "metadata": Owner(cluster, ACCESS, node).metadata()}

    by_hand = {"id": "h", "state": "active", "metadata": None}
    free = [rule("ours", "n"), rule("other", ALL_NODES), rule("other", "n", "denying"), by_hand]
    assert held_elsewhere(free, share) == ""
    told = held_elsewhere([*free, rule("other", "n")], share)
    assert "node n of platform other has it" in told
    assert "openstack share access delete s r" in told
