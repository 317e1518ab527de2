from hypothesis import given
from hypothesis import strategies as st

from causeway.lab.images.glance import Known, Plan, plan

KNOWN = st.lists(
    st.builds(
        Known,
        id=st.sampled_from("abcdef"),
        content=st.sampled_from(["old", "new", None]),
        status=st.sampled_from(["active", "queued", "saving", "killed"]),
    ),
    unique_by=lambda image: image.id,
)


def test_the_same_content_is_left_alone() -> None:
    assert plan([Known("a", "new", "active")], {"a"}, "new") == Plan(keep="a", remove=(), rename=())


def test_an_unfinished_upload_of_the_same_content_gives_way() -> None:
    assert plan([Known("a", "new", "queued")], set(), "new") == Plan(keep=None, remove=("a",), rename=())


def test_a_stale_image_is_removed_or_renamed_when_servers_were_made_from_it() -> None:
    known = [Known("a", "old", "active"), Known("b", "older", "active")]
    assert plan(known, {"b"}, "new") == Plan(keep=None, remove=("a",), rename=("b",))


@given(known=KNOWN, used=st.sets(st.sampled_from("abcdef")))
def test_one_image_of_the_name_remains_and_none_in_use_is_removed(known: list[Known], used: set[str]) -> None:
    decided = plan(known, used, "new")
    assert not set(decided.remove) & used
    assert {*decided.remove, *decided.rename, decided.keep} - {None} == {image.id for image in known}
    # Carried out, the plan leaves one image with the content, and a second plan has nothing to do.
    after = [Known(decided.keep or "uploaded", "new", "active")]
    assert plan(after, used, "new") == Plan(keep=after[0].id, remove=(), rename=())
