import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.host.netlink import (
    Message,
    NetlinkError,
    _raise_refusal,
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
    with pytest.raises(NetlinkError, match=r"make a link: File exists \(Device already exists\)") as caught:
        _raise_refusal("make a link", body, 0x100 | 0x200)
    assert caught.value.errno == 17
    _raise_refusal("fine", struct.pack("=i", 0) + echoed, 0)
