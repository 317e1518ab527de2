from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cli.orphans import as_data, lines_of, sift
from causeway.cloud.ownership import VOLUME, Owner
from causeway.rooms.platforms.orphans.judge import STACKS_OWN, judge, twice
from causeway.rooms.platforms.orphans.model import Inhabitants, Landscape, Orphan, Thing, Verdict

ALIVE, GONE, ELSEWHERE = "alive", "gone", "elsewhere"
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
ASKED = Inhabitants(
    ALIVE, frozenset({"pod", "service"}), frozenset({"u1"}), frozenset({"p1"}), frozenset({"r1"})
)


def thing(kind: str, uid: str = "", *, type: str = "port", id: str = "x", cluster: str = ALIVE) -> Thing:
    return Thing(type, id, "name", Owner(cluster, kind, uid), NOW - timedelta(hours=1))


def proofs(*things: Thing, asked: Inhabitants | None = ASKED, only: str | None = None) -> list[str]:
    stacks = {ALIVE: "demo", ELSEWHERE: "other"}
    return [each.proof for each in judge(Landscape(things, stacks), asked, only).orphans]


def test_whose_owner_lives_is_no_orphan() -> None:
    assert proofs(thing("pod", "u1"), thing("service", "u1", type="load balancer")) == []


def test_whose_owner_is_gone_is_one() -> None:
    assert proofs(thing("pod", "u9")) == ["no pod has the UID u9 any more"]


def test_one_of_several_groups_of_a_living_policy_is_no_orphan() -> None:
    policies = Inhabitants(ALIVE, frozenset({"policy"}), frozenset({"u1"}), frozenset())
    assert proofs(thing("policy", "u1.8080", type="security group"), asked=policies) == []
    assert len(proofs(thing("policy", "u9.8080", type="security group"), asked=policies)) == 1


def test_a_port_of_a_pool_belongs_to_its_node() -> None:
    assert proofs(thing("pod", id="p1"), thing("pod", "u9", id="p1")) == []
    assert proofs(thing("pod", id="p2")) == ["no node has been given it: no PortPool names it"]


def test_what_belongs_to_the_cluster_as_such_stays() -> None:
    assert proofs(thing("policy", type="security group"), thing("namespace", "u9", type="network")) == []


def test_the_stack_says_what_is_its() -> None:
    left = thing("node", type="server", id="r2")
    assert proofs(thing("node", type="server", id="r1"), left) == ["the platform's stack does not have it"]
    at_work = Inhabitants(ALIVE, ASKED.kinds, ASKED.uids, ASKED.ports, None)
    assert proofs(left, asked=at_work) == []


def test_the_credential_of_a_living_platform_stays() -> None:
    credential = "application credential"
    assert proofs(thing("platform", type=credential)) == []
    assert len(proofs(thing("platform", type=credential, cluster=GONE))) == 1


def test_a_cluster_that_was_not_asked_is_not_judged() -> None:
    verdict = judge(Landscape((thing("pod", "u9", cluster=ELSEWHERE),), {ELSEWHERE: "other"}), ASKED)
    assert verdict.orphans == ()
    assert list(verdict.unjudged) == [ELSEWHERE]


def test_all_of_a_cluster_without_a_stack_is_orphaned() -> None:
    (proof,) = proofs(thing("network", type="network", cluster=GONE), asked=None)
    assert proof == f"cluster {GONE} is gone: no stack of this project is its"


def test_a_cluster_nothing_carries_the_tags_of_is_told_with_those_that_were_seen() -> None:
    left = Landscape((thing("network", type="network", cluster=GONE),), {ELSEWHERE: "other"})
    verdict = judge(left, None, ALIVE)
    assert verdict.clusters == (ELSEWHERE, GONE)
    assert lines_of(verdict, (), [], [], deleting=False, only=ALIVE) == [
        f"nothing in this project carries the tags of cluster {ALIVE}; "
        f"seen were those of {ELSEWHERE}, {GONE}",
        "0 orphans, 0 objects belong to somebody",
    ]
    assert as_data(verdict, (), [], [])["clusters"] == [ELSEWHERE, GONE]
    (line,) = lines_of(judge(left, None, GONE), (), [], [], deleting=True, only=GONE)
    assert line == "0 orphans, 0 objects belong to somebody"
    first, _ = lines_of(judge(Landscape((), {}), None, GONE), (), [], [], deleting=False, only=GONE)
    assert first == f"nothing in this project carries the tags of cluster {GONE}, nor those of any other"


def test_what_a_gone_cluster_left_is_deleted_only_when_the_cluster_is_named() -> None:
    left = Landscape((thing("network", type="network", cluster=GONE),), {})
    assert "--cluster" in judge(left, None).orphans[0].held
    assert judge(left, None, GONE).orphans[0].held == ""


def test_servers_without_a_stack_have_to_be_named() -> None:
    things = thing("node", type="server", cluster=GONE), thing("pod", "u9", cluster=GONE)
    assert proofs(*things, asked=None) == []
    assert len(proofs(*things, asked=None, only=GONE)) == 2


UID = "5bc85107-1c0d-4f2e-9b6a-0d4f3f1f2a11"
STORING = Inhabitants(
    ALIVE,
    ASKED.kinds,
    ASKED.uids,
    ASKED.ports,
    ASKED.resources,
    frozenset({"v1", UID}),
    frozenset({"s1", UID}),
)


def storing(type: str, id: str, name: str = "", cluster: str = ALIVE, **more: Any) -> Thing:
    return Thing(type, id, name, Owner(cluster, VOLUME), NOW - timedelta(hours=1), **more)


@pytest.mark.parametrize(
    ("type", "id"),
    [("volume", "v1"), ("snapshot", "s1"), ("backup", "s1"), ("share", "v1"), ("share snapshot", "s1")],
)
def test_what_kubernetes_names_or_waits_for_is_no_orphan(type: str, id: str) -> None:
    assert proofs(storing(type, id), storing(type, "x", f"any-{UID}"), asked=STORING) == []
    assert len(proofs(storing(type, "x", f"{UID}-any"), storing(type, "y"), asked=STORING)) == 2


def test_a_share_that_is_named_by_its_name_is_no_orphan() -> None:
    assert proofs(storing("share", "x", "v1"), asked=STORING) == []


def test_without_snapshots_in_kubernetes_they_are_told_and_never_deleted() -> None:
    (orphan,) = judge(Landscape((storing("snapshot", "x"),), {ALIVE: "demo"}), ASKED).orphans
    assert orphan.proof == "the platform knows no snapshots"
    assert "is not installed" in orphan.held


def test_a_volume_some_server_has_is_held() -> None:
    used = storing("volume", "x", users=("w1",))
    left = storing("volume", "y", cluster=GONE, users=("w2",))
    (orphan,) = judge(Landscape((used,), {ALIVE: "demo"}), STORING).orphans
    assert orphan.held == "it is attached to w1"
    assert judge(Landscape((left,), {}), None, GONE).orphans[0].held == "it is attached to w2"


def test_another_drivers_volumes_are_judged_only_by_the_cluster_they_name() -> None:
    strangers = storing("volume", "x"), storing("volume", "y", cluster="kubernetes"), storing("volume", "v1")
    seen = Landscape((), {ALIVE: "demo"}, strangers)
    verdict = judge(seen, STORING)
    assert ([each.thing.id for each in verdict.orphans], verdict.belonging) == (["x"], 1)
    nothing = Verdict((), 0, {}, clusters=(ALIVE,))
    assert judge(seen, None) == judge(seen, None, "kubernetes") == nothing


def test_data_is_deleted_only_when_that_is_said() -> None:
    orphans = (Orphan(storing("volume", "x"), ""), Orphan(thing("pod", "u9", id="a"), ""))
    ready, kept = sift(orphans, NOW, 600)
    assert ([each.thing.id for each in ready], [each.orphan.thing.id for each in kept]) == (["a"], ["x"])
    assert sift(orphans, NOW, 600, volumes=True) == (list(orphans), [])


def test_two_looks_have_to_agree() -> None:
    first = Verdict((Orphan(thing("pod", "u8", id="a"), ""), Orphan(thing("pod", "u9", id="b"), "")), 0)
    second = Verdict((Orphan(thing("pod", "u9", id="b"), ""), Orphan(thing("pod", "u7", id="c"), "")), 0)
    assert [each.thing.id for each in twice(first, second)] == ["b"]


def test_the_young_the_ageless_and_the_unmarked_are_kept() -> None:
    owner = Owner(GONE, "pod")
    old = Thing("port", "old", "", owner, NOW - timedelta(minutes=11))
    young = Thing("port", "young", "", owner, NOW - timedelta(minutes=9))
    unknown = Thing("port", "unknown", "", owner)
    credential = Thing("application credential", "credential", "", owner)
    stray = Thing("port", "stray", "", owner, old.made)
    found = [
        *(Orphan(each, "") for each in (old, young, unknown, credential)),
        Orphan(stray, "", "it is unmarked"),
    ]
    ready, kept = sift(tuple(found), NOW, 600)
    assert [each.thing.id for each in ready] == ["old", "credential"]
    assert [each.orphan.thing.id for each in kept] == ["young", "unknown", "stray"]


THINGS = st.builds(
    thing,
    st.sampled_from(["pod", "service", "namespace", "policy", *sorted(STACKS_OWN)]),
    st.sampled_from(["", "u1", "u9"]),
    type=st.sampled_from(["port", "load balancer", "network", "server"]),
    id=st.sampled_from(["p1", "r1", "x", "y"]),
    cluster=st.sampled_from([ALIVE, GONE, ELSEWHERE]),
)


@given(st.lists(THINGS, max_size=8), st.sampled_from([ASKED, None]), st.sampled_from([None, GONE]))
def test_every_thing_is_judged_once_and_the_living_are_never_orphans(
    things: list[Thing], asked: Inhabitants | None, only: str | None
) -> None:
    verdict = judge(Landscape(tuple(things), {ALIVE: "demo", ELSEWHERE: "other"}), asked, only)
    considered = [each for each in things if only in (None, each.owner.cluster)]
    unjudged = [each for each in considered if each.owner.cluster in verdict.unjudged]
    assert len(verdict.orphans) + verdict.belonging + len(unjudged) == len(considered)
    for orphan in verdict.orphans:
        owner = orphan.thing.owner
        assert owner.cluster != ELSEWHERE
        assert (
            not (owner.cluster == ALIVE and (owner.uid == "u1" or orphan.thing.id in ("p1", "r1")))
            or (owner.kind in STACKS_OWN and orphan.thing.id not in ("p1", "r1"))
            or (orphan.thing.id == "r1" and owner.kind not in STACKS_OWN and owner.uid != "u1")
        )


def test_images_of_a_living_platform_stay_and_those_of_one_that_is_gone_go_with_a_word_of_their_own() -> None:
    images = thing("registry", type="container")
    assert proofs(images) == []
    lost = thing("registry", type="container", cluster=GONE)
    (unnamed,) = judge(Landscape((lost,), {}), None).orphans
    assert "--cluster" in unnamed.held
    (orphan,) = judge(Landscape((lost,), {}), None, GONE).orphans
    ready, (kept,) = sift((orphan,), NOW, 600)
    assert (ready, kept.cause) == ([], "it holds data, which only --delete-volumes deletes")
    assert sift((orphan,), NOW, 600, volumes=True) == ([orphan], [])
    keys = Orphan(thing("registry", type="EC2 credential", cluster=GONE), "")
    assert sift((keys,), NOW, 600) == ([keys], [])
