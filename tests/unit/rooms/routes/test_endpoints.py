import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.examples import slice_of

from causeway.rooms.routes.endpoints import ready, weights

SERVICES = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 256), st.integers(0, 300)))


@given(SERVICES)
def test_shares_are_in_proportion_and_nobody_who_is_to_have_some_has_none(
    services: dict[str, tuple[int, int]],
) -> None:
    asked = {name: weight for name, (weight, _) in services.items()}
    servers = {name: count for name, (_, count) in services.items()}
    shares = weights(asked, servers)
    assert shares.keys() == {name for name, count in servers.items() if count}
    for name, share in shares.items():
        assert 0 <= share <= 256
        assert (share > 0) == (asked[name] > 0)
    for one, first in shares.items():
        for other, second in shares.items():
            if asked[one] * servers[other] >= asked[other] * servers[one]:
                assert first >= second


def test_one_service_alone_needs_no_proportion() -> None:
    assert weights({"a": 100, "b": 0, "c": 50}, {"a": 3, "b": 2, "c": 0}) == {"a": 1, "b": 0}


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_port_that_is_none_is_left_out(port: int) -> None:
    assert ready([slice_of({"10.0.0.1": True}, port)], None) == []


@pytest.mark.parametrize("address", ["010.0.0.1", "fe80::1%eth0", "localhost", "10.0.0.1 weight 9", ""])
def test_an_address_that_is_none_is_left_out(address: str) -> None:
    found = ready([slice_of({address: True, "10.0.0.2": True, "2001:db8::1": True})], None)
    assert [each.ip for each in found] == ["10.0.0.2", "2001:db8::1"]
