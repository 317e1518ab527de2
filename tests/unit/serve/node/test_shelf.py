"""Ports are handed out to one pod at a time, those that rested longest first."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from causeway.kube.objects import Claim, FixedIP, Meta, PoolPort, PortPool, PortPoolSpec
from causeway.serve.node.shelf import Shelf, Wanted


def entry(name: str, **more: Any) -> PoolPort:
    return PoolPort(name, "fa:16:3e:00:00:01", (FixedIP("10.0.0.1", 16),), 1442, 7, **more)


def pool(*entries: PoolPort, generation: int = 1) -> PortPool:
    return PortPool(Meta("w1", uid="p", generation=generation), PortPoolSpec(entries))


def web(number: int = 0, **more: Any) -> Wanted:
    return Wanted(f"u{number}", "shop", f"web-{number}", **{"plain": True, **more})


def taken(shelf: Shelf, wanted: Wanted, sandbox: str) -> str | None:
    port = shelf.take(wanted, (sandbox, "eth0"))
    return port.port_id if port else None


def test_what_rested_longest_is_next_and_what_is_used_is_not() -> None:
    shelf = Shelf()
    shelf.fill(pool(entry("a"), entry("b")))
    assert [taken(shelf, web(n), f"s{n}") for n in range(3)] == ["a", "b", None]
    shelf.let_go(("s1", "eth0"))
    shelf.let_go(("s0", "eth0"))
    shelf.fill(pool(entry("a"), entry("b"), generation=2))
    assert [taken(shelf, web(n), f"t{n}") for n in range(2)] == ["b", "a"]


def test_a_pod_is_given_what_it_has_until_its_last_sandbox_lets_go() -> None:
    shelf = Shelf()
    shelf.fill(pool(entry("a"), entry("b")))
    assert taken(shelf, web(), "old") == taken(shelf, web(), "new") == "a"
    shelf.let_go(("old", "eth0"))
    assert [claim.pod_uid for claim in shelf.claims()] == ["u0"]
    shelf.let_go(("new", "eth0"))
    assert shelf.claims() == ()


def test_the_link_of_the_newest_sandbox_is_the_only_one() -> None:
    shelf = Shelf()
    shelf.fill(pool(entry("a")))
    taken(shelf, web(), "old"), taken(shelf, web(), "new")
    shelf.keep_only(("new", "eth0"))
    shelf.let_go(("new", "eth0"))
    assert shelf.claims() == ()
    shelf.let_go(("old", "eth0"))  # its DEL comes late


def test_a_prepared_port_is_not_given_to_a_pod_that_a_policy_selects() -> None:
    shelf = Shelf()
    shelf.fill(pool(entry("a", pod_uid="u0", prepared=True)))
    assert taken(shelf, web(plain=False, selected=True), "s") is None
    assert taken(shelf, web(plain=False), "s") == "a"
    assert taken(shelf, web(plain=False, selected=True), "t") == "a", "what it has it keeps"


def test_who_may_have_a_port() -> None:
    shelf = Shelf()
    shelf.fill(
        pool(
            entry("of-u1", pod_uid="u1"),
            entry("of-shop", namespace="shop"),
            entry("second", pod_uid="u1", interface="net1"),
            entry("going", retiring=True),
        )
    )
    assert taken(shelf, web(0), "s0") is None
    assert taken(shelf, web(1, plain=False), "s1") == "of-u1"
    assert taken(shelf, web(1, plain=False, interface="net1"), "s1b") == "second"
    assert taken(shelf, web(2, network="shop"), "s2") == "of-shop"
    assert taken(shelf, web(3, plain=False, network="shop"), "s3") is None


def test_a_record_holds_its_port_whatever_became_of_the_pool() -> None:
    shelf = Shelf()
    shelf.restore(entry("a"), Claim("a", "u0", "shop", "web-0"), ("s0", "eth0"))
    shelf.fill(pool(entry("a"), entry("b")))
    assert taken(shelf, web(1), "s1") == "b"
    shelf.fill(None)
    assert taken(shelf, web(0), "again") == "a"
    assert len(shelf.claims()) == 2


def test_the_controller_waits_for_word_only_while_something_retires() -> None:
    shelf = Shelf()
    shelf.fill(pool(entry("a")))
    assert not shelf.asked
    shelf.fill(pool(entry("a", retiring=True), generation=2))
    assert shelf.asked


names = st.sampled_from("abcd")
actions = st.one_of(
    st.tuples(st.just("fill"), st.sets(names), st.sets(names)),
    st.tuples(st.just("take"), st.integers(0, 3), st.integers(0, 9)),
    st.tuples(st.just("let go"), st.integers(0, 3), st.integers(0, 9)),
)


@given(st.lists(actions, max_size=60))
def test_no_port_is_two_pods_and_a_retiring_one_nobodys_anew(history: list[tuple[Any, ...]]) -> None:
    shelf, generation, retiring, there = Shelf(), 0, set[str](), set[str]()
    for action in history:
        before = {claim.port_id: claim.pod_uid for claim in shelf.claims()}
        match action:
            case ("fill", present, going):
                generation += 1
                there, retiring = present, going
                entries = (entry(name, retiring=name in going) for name in sorted(present))
                shelf.fill(pool(*entries, generation=generation))
            case ("take", number, sandbox):
                port = taken(shelf, web(number), f"{number}-{sandbox}")
                if port is not None and before.get(port) != f"u{number}":
                    assert port not in before
                    assert port in there - retiring
            case (_, number, sandbox):
                shelf.let_go((f"{number}-{sandbox}", "eth0"))
        pods = [claim.pod_uid for claim in shelf.claims()]
        assert len(pods) == len(set(pods))
        assert shelf.ready() == len(there - retiring - {claim.port_id for claim in shelf.claims()})
