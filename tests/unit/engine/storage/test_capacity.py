import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.engine.storage.capacity import fits, gigabytes
from causeway.engine.storage.model import GIB, Capacity, Reason, Refused

sizes = st.integers(0, 100 * GIB)


@given(sizes, sizes, st.integers(1, 50))
def test_a_size_is_the_smallest_that_fits_or_is_refused(required: int, limit: int, least: int) -> None:
    capacity = Capacity(required, limit)
    fitting = [each for each in range(least, 151) if fits(each, capacity)]
    if fitting:
        assert gigabytes(capacity, "v", least) == fitting[0]
    else:
        with pytest.raises(Refused) as refused:
            gigabytes(capacity, "v", least)
        assert refused.value.reason is Reason.OUT_OF_RANGE


def test_nothing_asked_for_is_one_gib() -> None:
    assert gigabytes(Capacity(), "v") == 1


@pytest.mark.parametrize("capacity", [Capacity(-1), Capacity(0, -1)])
def test_less_than_nothing_is_refused(capacity: Capacity) -> None:
    with pytest.raises(Refused) as refused:
        gigabytes(capacity, "v")
    assert refused.value.reason is Reason.INVALID
