import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.cloud.ownership import Owner, of_cluster, owner_in, owner_in_metadata, owner_of, uids_in

words = st.text("abcdef0123456789-", min_size=1, max_size=36)


@given(st.builds(Owner, words, words, st.one_of(st.just(""), words)), st.lists(words))
def test_tags_and_description_name_the_owner_again(owner: Owner, others: list[str]) -> None:
    assert owner_of([*others, *owner.tags()]) == owner
    assert owner_in(owner.description()) == owner
    assert owner_in_metadata({"other": "x"} | owner.metadata()) == owner
    assert set(of_cluster(owner.cluster, owner.kind)) <= set(owner.tags())
    assert len(owner.description()) <= 255


@pytest.mark.parametrize(
    "tags",
    [
        [],
        ["causeway"],
        ["causeway-cluster=a", "causeway-kind=pod"],
        ["causeway", "causeway-cluster=a"],
        ["causeway", "causeway-kind=pod"],
    ],
)
def test_incomplete_tags_prove_nothing(tags: list[str]) -> None:
    assert owner_of(tags) is None


def test_what_is_shared_names_all_its_owners_of_one_cluster() -> None:
    tags = [*Owner("c", "service", "a").tags(), "causeway-uid=b"]
    assert uids_in(tags, "c", "service") == {"a", "b"}
    assert uids_in(tags, "other", "service") == set()
    assert uids_in(["causeway-uid=b"], "c", "service") == set()
