from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.volumes.examples import volume

from causeway.engine.storage.steps import chosen, surplus

ours = st.lists(
    st.builds(
        lambda number, status: volume(
            id=f"{number:08d}-0000-4000-8000-000000000000", status=status, created_at=f"{number % 3}"
        ),
        st.integers(0, 99),
        st.sampled_from(["available", "in-use", "creating", "error", "deleting"]),
    ),
    unique_by=lambda each: each.id,
    max_size=5,
)


@given(ours, st.randoms(use_true_random=False))
def test_the_same_one_of_several_is_chosen_in_whatever_order(things: list[Any], random: Any) -> None:
    first = chosen(things)
    mixed = list(things)
    random.shuffle(mixed)
    assert chosen(mixed) == first
    assert (first is None) == (not things)
    assert sorted(surplus(things)) == sorted(each.id for each in things if each != first)
    if any(each.status == "in-use" for each in things):
        assert first is not None
        assert first.status == "in-use"
