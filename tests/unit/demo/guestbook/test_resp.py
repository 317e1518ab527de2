import importlib.util
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

_spec = importlib.util.spec_from_file_location(
    "guestbook_resp", Path(__file__).parents[4] / "demo/guestbook/resp.py"
)
assert _spec is not None
assert _spec.loader is not None
resp = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(resp)


@given(st.lists(st.text()))
def test_what_is_encoded_is_decoded_again(words: list[str]) -> None:
    assert resp.decode(io.BytesIO(resp.encode(*words))) == words


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"+OK\r\n", "OK"),
        (b":12\r\n", 12),
        (b"$-1\r\n", None),
        (b"$2\r\n\r\n\r\n", "\r\n"),
        (b"*2\r\n:1\r\n*1\r\n+a\r\n", [1, ["a"]]),
    ],
)
def test_kinds_of_replies(data: bytes, reply: object) -> None:
    assert resp.decode(io.BytesIO(data)) == reply


def test_an_error_reply_is_raised() -> None:
    with pytest.raises(resp.RedisError, match="MASTERDOWN"):
        resp.decode(io.BytesIO(b"-MASTERDOWN link with master is down\r\n"))


@pytest.mark.parametrize("data", [b"", b"+OK", b"$5\r\nab", b"*2\r\n:1\r\n"])
def test_an_early_end_is_told_from_a_reply(data: bytes) -> None:
    with pytest.raises(EOFError):
        resp.decode(io.BytesIO(data))
