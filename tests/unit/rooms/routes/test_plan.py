from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.routes.model import (
    PRESENT,
    RETIRING,
    AuthorityKey,
    CertificateKey,
    Item,
    MapKey,
    ServerKey,
    Value,
    Wish,
)
from causeway.rooms.routes.plan import Step, apply_to, plan

BACKENDS = ["b-0", "b-1", "b-2"]
MAP = st.tuples(
    st.builds(MapKey, st.sampled_from(["exact", "prefix", "passthrough"]), st.sampled_from(["x/", "y/"])),
    st.sampled_from(BACKENDS),
)
OPTION = st.tuples(
    st.builds(MapKey, st.sampled_from(["owner", "sticky", "restricted"]), st.sampled_from(BACKENDS)),
    st.sampled_from(["1", "2"]),
)
SERVER = st.tuples(
    st.builds(ServerKey, st.sampled_from(BACKENDS), st.sampled_from(["s1", "s2"])), st.integers(0, 256)
)
PRESENCE = st.tuples(
    st.one_of(
        st.builds(CertificateKey, st.sampled_from(["c1", "c2"]), st.just("host")),
        st.builds(AuthorityKey, st.sampled_from(["a1", "a2"])),
    ),
    st.just(PRESENT),
)
ANY = st.one_of(MAP, OPTION, SERVER, PRESENCE)
GOING = st.tuples(
    st.builds(ServerKey, st.sampled_from(BACKENDS), st.sampled_from(["s1", "s2"])), st.just(RETIRING)
)
ACTUAL = st.lists(st.one_of(ANY, GOING), max_size=12).map(dict)
WANTED = st.lists(ANY, max_size=12).map(dict)


def retiring(state: dict[Item, Value]) -> set[Item]:
    return {item for item, value in state.items() if value == RETIRING}


def wishes(values: dict[Item, Value]) -> dict[Item, Wish]:
    return {item: Wish(value) for item, value in values.items()}


@given(ACTUAL, WANTED)
def test_the_steps_lead_to_what_is_wanted_and_then_there_is_nothing_to_do(
    actual: dict[Item, Value], wanted: dict[Item, Value]
) -> None:
    for _ in range(2):  # what retires rests meanwhile
        for step in plan(actual, wishes(wanted), retiring(actual)):
            apply_to(actual, step)
    assert actual == wanted
    assert plan(actual, wishes(wanted), retiring(actual)) == []


@given(ACTUAL, WANTED)
def test_a_server_that_has_not_rested_is_left_with_whom_it_may_trust(
    actual: dict[Item, Value], wanted: dict[Item, Value]
) -> None:
    for step in plan(actual, wishes(wanted)):
        apply_to(actual, step)
    left = {item: value for item, value in actual.items() if item not in wanted}
    servers = {item for item in left if isinstance(item, ServerKey)}
    assert all(value == RETIRING for item, value in left.items() if item in servers)
    assert all(isinstance(item, AuthorityKey) for item in left.keys() - servers)
    assert servers or not left
    assert plan(actual, wishes(wanted)) == []
    assert {step.item for step in plan(actual, wishes(wanted), servers)} == left.keys()


@given(ACTUAL, WANTED)
def test_a_server_that_cannot_go_yet_is_tried_again(
    actual: dict[Item, Value], wanted: dict[Item, Value]
) -> None:
    for _ in range(2):
        for step in plan(actual, wishes(wanted), retiring(actual)):
            if step.verb != "drop":
                apply_to(actual, step)
    left = {item for item, value in actual.items() if item not in wanted and value == RETIRING}
    assert {step.item for step in plan(actual, wishes(wanted), left) if step.verb == "drop"} == left


@given(ACTUAL, WANTED)
def test_a_way_is_led_to_what_is_ready_and_from_what_still_is(
    actual: dict[Item, Value], wanted: dict[Item, Value]
) -> None:
    steps = plan(actual, wishes(wanted))
    places = {id(step): number for number, step in enumerate(steps)}
    ways = [step for step in steps if isinstance(step.item, MapKey) and _leads(step.item)]
    makes = [step for step in steps if step.verb in ("add", "revive") and step not in ways]
    ends = [step for step in steps if step.verb in ("remove", "retire", "drop") and step not in ways]
    new = [each for each in ways if each.verb in ("add", "set")]
    assert all(places[id(make)] < places[id(way)] for make in makes for way in new)
    assert all(places[id(way)] < places[id(end)] for way in ways for end in ends)


def test_a_server_taken_back_is_not_made_anew() -> None:
    server = ServerKey("b-0", "s1")
    assert plan({server: RETIRING}, {server: Wish(3, "x")}) == [Step("revive", server, 3)]


def _leads(item: MapKey) -> bool:
    return item.map in ("exact", "prefix", "passthrough", "passthrough-wildcard")
