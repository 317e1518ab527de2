"""The definitions of snapshots are ours in their words alone; all else is as Kubernetes publishes it."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.integration.deployment import FOLDER

from causeway.lab.images import sidecars
from causeway.lab.images.golang import Toolchain
from causeway.lab.settings import from_environment

WORDS = ("description", "message")
IMPLIED = ("apiVersion", "kind", "metadata")  # of every object
OURS = {
    each["metadata"]["name"]: each
    for each in yaml.safe_load_all((FOLDER / "15-volumes-snapshots.yaml").read_text())
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    toolchain = Toolchain(from_environment().cache, tmp_path_factory.mktemp("go") / "log")
    path, version = sidecars.DEFINITIONS
    files = (toolchain.published(path, version).directory / "config/crd").glob("snapshot.*")
    found = [yaml.safe_load(each.read_text()) for each in files]
    return {each["metadata"]["name"]: each for each in found}


def version_one(definition: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in definition["spec"]["versions"] if each["name"] == "v1"]
    return dict(found)


def shape(node: dict[str, Any], place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield every property with what is demanded of it, without words, rules apart."""
    for key, value in node.items():
        if key == "properties":
            for name, inner in value.items():
                if place or name not in IMPLIED:
                    yield from shape(inner, f"{place}.{name}")
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            yield from shape(value, f"{place}.{key}")
        elif key == "x-kubernetes-validations":
            yield place, key, len(value)  # worded in other ways; what they forbid is tried on an API server
        elif key not in WORDS:
            yield place, key, sorted(value) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_property_is_as_it_is_published(name: str, published: dict[str, dict[str, Any]]) -> None:
    ours, theirs = version_one(OURS[name]), version_one(published[name])
    wanted = set(map(str, shape(theirs["schema"]["openAPIV3Schema"])))
    assert set(map(str, shape(ours["schema"]["openAPIV3Schema"]))) == wanted
    columns = [
        {(each["name"], each["type"], each["jsonPath"]) for each in one["additionalPrinterColumns"]}
        for one in (ours, theirs)
    ]
    assert columns[0] == columns[1]
    assert ours.get("subresources", {}) == theirs["subresources"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_has_the_names_that_are_published(name: str, published: dict[str, dict[str, Any]]) -> None:
    ours, theirs = OURS[name]["spec"], published[name]["spec"]
    assert {**ours["names"], "shortNames": set(ours["names"]["shortNames"])} == {
        **theirs["names"],
        "shortNames": set(theirs["names"]["shortNames"]),
    }
    assert (ours["group"], ours["scope"]) == (theirs["group"], theirs["scope"])
    approved = "api-approved.kubernetes.io"
    assert (
        OURS[name]["metadata"]["annotations"][approved]
        == published[name]["metadata"]["annotations"][approved]
    )


def test_none_is_missing(published: dict[str, dict[str, Any]]) -> None:
    assert OURS.keys() == published.keys()
