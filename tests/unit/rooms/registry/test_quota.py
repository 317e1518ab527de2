"""What images take, what they may, and what is said when that is less."""

import json
from pathlib import Path
from typing import Any

import pytest

from causeway.kit.errors import Finding
from causeway.rooms.registry import layout, quota
from causeway.rooms.registry.quota import ANNOTATION, Limit
from causeway.rooms.registry.store import Directory


def namespace(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "annotations": annotations}}


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [("5Gi", 5 << 30), ("1.5Mi", 3 << 19), ("100M", 10**8), ("2k", 2000), ("0", 0), ("1Ei", 1 << 60)],
)
def test_a_namespace_says_what_it_may(written: str, bytes_: int) -> None:
    assert quota.limit_of(namespace(**{ANNOTATION: written}), 7) == Limit(bytes_)


@pytest.mark.parametrize("default", [None, 7])
def test_one_that_says_nothing_may_what_the_platform_says(default: int | None) -> None:
    assert quota.limit_of({"metadata": {"name": "shop"}}, default) == Limit(default)


@pytest.mark.parametrize("written", ["", "5 Gi", "-1", "5GB", "Gi", "1e3", "٣"])
def test_what_is_no_amount_is_named(written: str) -> None:
    found = quota.limit_of(namespace(**{ANNOTATION: written}), None)
    assert isinstance(found, Finding)
    assert found.place == "namespace shop"
    assert repr(written) in found.cause


def test_an_image_comes_in_as_long_as_all_fit_and_what_is_there_already_weighs_nothing() -> None:
    held = {"a": 60, "b": 30}
    assert quota.refusal("shop", held, {"b": 30, "c": 10}, 100) is None
    assert quota.refusal("shop", held, {"a": 60}, 50) is None  # a tag for what is there
    found = quota.refusal("shop", held, {"c": 2048}, 1024)
    assert found is not None
    assert "2.1 KiB of the 1.0 KiB" in found.cause
    assert ANNOTATION in found.remedy


def manifest(*layers: tuple[str, int], **more: Any) -> bytes:
    parts = [{"digest": digest, "size": size} for digest, size in layers]
    return json.dumps({"config": {"digest": "sha256:c", "size": 5}, "layers": parts, **more}).encode()


def test_an_image_weighs_what_it_is_made_of() -> None:
    content = manifest(("sha256:a", 7), ("sha256:b", 8))
    assert layout.weights("sha256:m", content) == {
        "sha256:m": len(content),
        "sha256:c": 5,
        "sha256:a": 7,
        "sha256:b": 8,
    }
    elsewhere = manifest(layers=[{"digest": "sha256:f", "size": 9, "urls": ["https://elsewhere"]}])
    assert "sha256:f" not in layout.weights("sha256:m", elsewhere)
    index = json.dumps({"manifests": [{"digest": "sha256:m", "size": 500}]}).encode()
    assert layout.weights("sha256:i", index) == {"sha256:i": len(index)}


@pytest.mark.parametrize("content", [b"", b"[]", b"x", manifest(layers=[{"digest": "sha256:a"}])])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        layout.weights("sha256:m", content)


async def test_a_namespace_holds_each_blob_once_with_and_without_a_tag(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    for place, number in (("shop/a", "1"), ("shop/b/c", "2"), ("shop/b/c", "1"), ("shops/a", "3")):
        digest = number * 64
        revision = f"{layout.REPOSITORIES}/{place}/_manifests/revisions/sha256/{digest}/link"
        await store.write(revision, f"sha256:{digest}".encode())
        content = manifest(("sha256:shared", 100), (f"sha256:own{number}", 10))
        await store.write(layout.blob(f"sha256:{digest}"), content)
    found = await quota.held(store, "shop")
    assert sum(found.values()) == 100 + 10 + 10 + 5 + 2 * len(content)
    assert await quota.held(store, "nothing") == {}
