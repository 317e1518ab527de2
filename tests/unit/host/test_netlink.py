import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.host import links
from causeway.host.netlink import (
    Message,
    Netlink,
    NetlinkError,
    Request,
    _refusal,
    attribute,
    attributes,
    messages,
    nested,
    number,
    string,
    text,
    u16,
    u32,
)


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_come_back(values: dict[int, bytes]) -> None:
    data = b"".join(attribute(kind, value) for kind, value in values.items())
    assert len(data) % 4 == 0
    assert attributes(data) == values


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_without_harm(data: bytes) -> None:
    attributes(data)
    list(messages(data))


def test_values_and_nesting() -> None:
    data = nested(18, text(1, "veth"), u16(2, 4094), u32(3, 1 << 31))
    inner = attributes(attributes(data)[18])
    assert string(inner[1]) == "veth"
    assert number(inner[2]) == 4094
    assert number(inner[3]) == 1 << 31
    assert (string(None), number(None)) == ("", 0)


def test_messages_are_split() -> None:
    one = struct.pack("=IHHII", 20, 16, 2, 7, 0) + b"abcd"
    assert list(messages(one + one)) == [(Message(16, b"abcd"), 2, 7)] * 2


def test_a_refusal_carries_the_words_of_the_kernel() -> None:
    echoed = struct.pack("=IHHII", 16, 16, 0, 1, 0)
    body = struct.pack("=i", -17) + echoed + text(1, "Device already exists")
    refusal = _refusal(Request("make a link", 16, b""), body, 0x100 | 0x200)
    assert refusal is not None
    assert (refusal.errno, refusal.strerror) == (17, "make a link: File exists (Device already exists)")
    assert _refusal(Request("make a link", 16, b"", fine=frozenset({17})), body, 0x100 | 0x200) is None
    assert _refusal(Request("fine", 16, b""), struct.pack("=i", 0) + echoed, 0) is None


def test_requests_made_in_one_go_are_answered_each_and_refused_each() -> None:
    """By the kernel itself: what it refuses stops nothing behind it, and is told when all is done."""
    with Netlink() as netlink:
        there, absent, again = links.find_all(netlink, "lo", "no-such-link", "lo")
        assert there is not None
        assert (there.index, absent, again) == (1, None, there)
        assert netlink.ask() == []
        wrong = replace(links.describe(999_999, "nobody"), what="describe nobody")
        with pytest.raises(NetlinkError, match="describe nobody: No such device") as caught:
            netlink.ask(wrong, links.delete(999_998))
        assert caught.value.errno == 19
        assert links.find(netlink, "lo") == there  # the answers of what was refused are not taken for others
