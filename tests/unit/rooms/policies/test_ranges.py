import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.policies.ranges import contains, subtract, whole


@pytest.mark.parametrize(
    ("cidr", "without", "left"),
    [
        ("10.0.0.0/8", [], ["10.0.0.0/8"]),
        ("10.0.0.7/8", [], ["10.0.0.0/8"]),
        ("10.0.0.0/30", ["10.0.0.1/32"], ["10.0.0.0/32", "10.0.0.2/31"]),
        ("10.0.0.0/30", ["10.0.0.1/32", "10.0.0.3/32"], ["10.0.0.0/32", "10.0.0.2/32"]),
        ("10.0.0.0/24", ["10.0.0.0/25", "10.0.0.128/25"], []),
        ("10.0.0.0/24", ["10.0.0.0/25", "10.0.0.0/26"], ["10.0.0.128/25"]),
        ("10.0.0.0/24", ["10.0.0.0/8"], []),
        ("10.0.0.0/24", ["192.168.0.0/16", "fd00::/8"], ["10.0.0.0/24"]),
        ("fd00::/126", ["fd00::2/127"], ["fd00::/127"]),
        ("0.0.0.0/0", ["128.0.0.0/1"], ["0.0.0.0/1"]),
    ],
)
def test_subtract(cidr: str, without: list[str], left: list[str]) -> None:
    assert list(subtract(cidr, without)) == left


_small = st.builds(lambda low, length: f"10.0.0.{low}/{length}", st.integers(0, 255), st.integers(24, 32))


@given(_small, st.lists(_small, max_size=4))
def test_what_is_left_is_exact_and_without_overlap(cidr: str, without: list[str]) -> None:
    left = [ipaddress.ip_network(each) for each in subtract(cidr, without)]
    holes = [ipaddress.ip_network(each, strict=False) for each in without]
    for number in range(256):
        address = ipaddress.ip_address(f"10.0.0.{number}")
        meant = contains(cidr, str(address)) and not any(address in hole for hole in holes)
        assert sum(address in each for each in left) == meant


def test_an_address_as_a_range() -> None:
    assert (whole("10.0.0.1"), whole("fd00::1")) == ("10.0.0.1/32", "fd00::1/128")
    assert not contains("::/0", "10.0.0.1")
