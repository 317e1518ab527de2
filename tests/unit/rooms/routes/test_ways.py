import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causeway.rooms.routes.model import Refused
from causeway.rooms.routes.ways import rewriting, ways

PATH = st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=4).map(lambda parts: "/" + "/".join(parts))


def found(path: str, requested: str) -> bool:
    """Return whether a request is led by the keys of ``path``, looked up as HAProxy looks them up."""
    base = f"phost{requested}"
    return any(
        base == way.key if way.map == "exact" else base.startswith(way.key) for way in ways("p", "host", path)
    )


@settings(max_examples=300)
@given(st.one_of(st.just(""), PATH), PATH)
def test_a_path_leads_at_itself_and_below_a_slash(path: str, requested: str) -> None:
    if path in ("", "/"):
        expected = True
    elif path.endswith("/"):
        expected = requested.startswith(path)
    else:
        expected = requested == path or requested.startswith(path + "/")
    assert found(path, requested) == expected


@pytest.mark.parametrize(
    ("path", "target", "made"),
    [
        ("", "/x", "0:s:/x"),
        ("/a", "/", "1:a:"),
        ("/a/b", "/x", "2:s:/x"),
        ("/a/", "/x", "1:n:/x"),
        ("/", "/x", "0:n:/x"),
    ],
)
def test_how_a_path_is_rewritten(path: str, target: str, made: str) -> None:
    assert rewriting(path, target) == made


@pytest.mark.parametrize("path", ["/a//b", "/1/2/3/4/5/6/7/8/9"])
def test_paths_that_cannot_be_rewritten(path: str) -> None:
    with pytest.raises(Refused):
        rewriting(path, "/")
