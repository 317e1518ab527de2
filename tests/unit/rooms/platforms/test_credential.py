import pytest

from causeway.rooms.platforms import credential

CLUSTER = "3d9195d1-5b0e-4c0e-9a53-0f2a6d6a7c11"


@pytest.mark.parametrize(
    "end", ["", "-open", "-0123abcd", "-volumes-open", "-volumes-0123abcd", "-shares-open"]
)
def test_whose_a_credential_is_can_be_read_from_its_name(end: str) -> None:
    assert credential.cluster_of(credential.name_of("my-shop", CLUSTER) + end) == CLUSTER


@pytest.mark.parametrize("name", ["", "causeway", f"other-shop-{CLUSTER}", f"causeway-shop-{CLUSTER}-mine"])
def test_other_names_are_nobodys(name: str) -> None:
    assert credential.cluster_of(name) == ""
