"""What clients ask for is read strictly, and becomes a question about one namespace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.registry import scopes
from causeway.rooms.registry.scopes import Access


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["repository:shop/front:pull"], [Access("repository", "shop/front", ("pull",))]),
        (["repository:shop/front:pull,push"], [Access("repository", "shop/front", ("pull", "push"))]),
        (
            ["repository:shop/front:pull repository:shop/base/os:pull"],
            [Access("repository", "shop/front", ("pull",)), Access("repository", "shop/base/os", ("pull",))],
        ),
        # The same repository twice is one, with all actions.
        (
            ["repository:shop/front:pull", "repository:shop/front:push"],
            [Access("repository", "shop/front", ("pull", "push"))],
        ),
        (["registry:catalog:*"], [Access("registry", "catalog", ("*",))]),
        # Nobody is given what is in no namespace, or what no registry knows.
        (["repository:front:pull"], []),
        (["repository:shop/front:*"], []),
        (["repository:shop/front:"], []),
        (["repository:../front:pull"], []),
        (["repository:shop/../kube-system/x:pull"], []),
        (["repository:-shop/front:pull"], []),
        (["repository:SHOP/front:pull"], []),
        (["repository(plugin):shop/front:pull"], []),
        (["registry:catalog:pull", "registry:other:*", "nonsense", ""], []),
    ],
)
def test_scopes_are_read(asked: list[str], expected: list[Access]) -> None:
    assert scopes.parse(asked) == expected


@given(st.lists(st.text(alphabet="repositrygc:/*.,-_ aA\x00", max_size=60), max_size=5))
def test_whatever_is_asked_each_question_is_about_a_name_kubernetes_knows(asked: list[str]) -> None:
    for access in scopes.parse(asked):
        for action in access.actions:
            question = scopes.question(access, action)
            assert question["group"] == scopes.GROUP
            if access.kind == "repository":
                assert f"{question['namespace']}/{question['name']}" == access.name
                assert "/" not in question["namespace"]
                assert question["namespace"]
                assert question["name"]


def test_there_is_an_end_to_what_one_request_may_ask() -> None:
    asked = [f"repository:shop/a{number}:pull" for number in range(scopes.MOST + 5)]
    assert len(scopes.parse(asked)) == scopes.MOST


@pytest.mark.parametrize(("action", "verb"), [("pull", "get"), ("push", "update"), ("delete", "delete")])
def test_an_action_is_a_verb_on_images_of_a_namespace(action: str, verb: str) -> None:
    assert scopes.question(Access("repository", "shop/base/os", (action,)), action) == {
        "group": "registry.causeway.dev",
        "resource": "images",
        "namespace": "shop",
        "name": "base/os",
        "verb": verb,
    }


def test_the_catalogue_is_of_all_namespaces() -> None:
    assert scopes.question(Access("registry", "catalog", ("*",)), "*") == {
        "group": "registry.causeway.dev",
        "resource": "images",
        "verb": "list",
    }


def test_a_service_account_pulls_from_its_own_namespace_and_no_more() -> None:
    user = {"username": "system:serviceaccount:shop:default"}
    ours, others = (
        Access("repository", "shop/front", ("pull", "push")),
        Access("repository", "sho/x", ("pull",)),
    )
    assert scopes.own(user, ours, "pull")
    assert not scopes.own(user, ours, "push")
    assert not scopes.own(user, others, "pull")
    assert not scopes.own(user, Access("registry", "catalog", ("*",)), "*")
    assert not scopes.own({"username": "shop"}, ours, "pull")


def test_while_nobody_may_change_images_they_can_be_pulled() -> None:
    both, push = (
        Access("repository", "shop/a", ("pull", "push")),
        Access("repository", "shop/b", ("push", "delete")),
    )
    read, all_ = Access("repository", "shop/c", ("pull",)), Access("registry", "catalog", ("*",))
    assert [scopes.changes(each) for each in (both, push, read, all_)] == [True, True, False, False]
    left = scopes.unchanging([both, push, read, all_])
    assert left == [Access("repository", "shop/a", ("pull",)), read, all_]
