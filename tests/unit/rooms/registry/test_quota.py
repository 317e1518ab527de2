"""What images take, what they may, and what is said when that is less."""

import json
from pathlib import Path
from typing import Any

import pytest

from causeway.kit.errors import Finding, Problem
from causeway.rooms.registry import layout, quota
from causeway.rooms.registry.layout import Named
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


A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def manifest(*layers: str, **more: Any) -> bytes:
    """One whose sizes are no truth: nobody has to believe them."""
    parts = [{"digest": digest, "size": 1} for digest in layers]
    return json.dumps({"config": {"digest": C, "size": 1}, "layers": parts, **more}).encode()


def test_an_image_is_made_of_its_configuration_and_its_layers() -> None:
    assert layout.named(manifest(A, B, A)).parts == (C, A, B)
    assert layout.named(json.dumps({"manifests": [{"digest": A, "size": 500}]}).encode()) == Named((), (A,))


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"[]",
            b"x",
            b"null",
            b'{"layers": 1}',
            b'{"layers": {}}',
            b'{"layers": [null]}',
            b'{"config": 1}',
        ),
        *(
            manifest("sha256:a"),
            manifest("../../etc"),
            b'{"layers": ' + b"[" * 100_000,
            '{"a": 1}'.encode("utf-16"),
        ),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        layout.named(content)


@pytest.mark.parametrize("key", ["layers", "manifests"])
def test_parts_are_named_by_the_digest_the_registry_keeps_them_by(key: str) -> None:
    """It marks what a manifest names, and a blob that is named by another digest is in nobody's use then."""
    content = json.dumps({key: [{"digest": f"sha512:{'a' * 128}", "size": 1}]}).encode()
    with pytest.raises(ValueError, match=r"'sha512:a+', and parts are named by their sha256 here"):
        layout.named(content)


@pytest.mark.parametrize(
    "text",
    [
        '{"layers": [LARGE], "layers": null}',
        '{"layers": [LARGE], "Layers": []}',
        '{"LAYERS": [LARGE]}',
        '{"layer\\u017f": [LARGE]}',  # its casefold is an s, to Go too
        '{"layers": [{"digest": "SMALL", "Digest": "BIG"}]}',
        '{"layers": [{"digest": "SMALL", "digest": "BIG"}]}',
        '{"config": {"digest": "SMALL"}, "config": {"digest": "BIG"}}',
        '{"manifests": [{"DIGEST": "BIG"}]}',
        '{"MediaType": "a", "layers": [LARGE]}',
        '{"layers": [{"digest": "SMALL", "URLs": ["https://a"]}]}',
    ],
)
def test_what_the_registry_may_read_otherwise_is_refused(text: str) -> None:
    text = text.replace("LARGE", '{"digest": "BIG"}').replace("BIG", A).replace("SMALL", B)
    with pytest.raises(ValueError, match=r"twice|is spelt"):
        layout.named(text.encode())


def test_annotations_are_called_as_their_writer_likes() -> None:
    assert layout.named(manifest(A, annotations={"Size": "large", "size": "l", "Layers": "1"})).parts == (
        C,
        A,
    )


async def test_a_namespace_holds_each_blob_once_with_and_without_a_tag(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    for digest, size in ((C, 5), (A, 100), (B, 10)):
        await store.write(layout.blob(digest), b"x" * size)
    contents = {"1": manifest(A), "2": manifest(A, B), "3": manifest(f"sha256:{'d' * 64}")}
    for place, number in (("shop/a", "1"), ("shop/b/c", "2"), ("shop/b/c", "1"), ("shops/a", "3")):
        digest = number * 64
        revision = f"{layout.REPOSITORIES}/{place}/_manifests/revisions/sha256/{digest}/link"
        await store.write(revision, f"sha256:{digest}".encode())
        await store.write(layout.blob(f"sha256:{digest}"), contents[number])
    found = await quota.held(store, "shop")
    assert sum(found.values()) == 100 + 10 + 5 + len(contents["1"]) + len(contents["2"])
    # What is somewhere else takes nothing here.
    assert sum((await quota.held(store, "shops")).values()) == 5 + len(contents["3"])
    assert await quota.held(store, "nothing") == {}


async def test_a_stored_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    await store.write(f"{layout.REPOSITORIES}/shop/b/c/_manifests/revisions/sha256/{'1' * 64}/link", b"")
    await store.write(layout.blob(f"sha256:{'1' * 64}"), b'{"Layers": []}')
    with pytest.raises(
        Problem, match=rf"image shop/b/c@sha256:{'1' * 64}: .*'Layers' is spelt 'layers'.*Delete"
    ):
        await quota.held(store, "shop")


async def test_what_an_image_is_made_of_has_to_be_there_to_be_counted(tmp_path: Path) -> None:
    store = Directory(tmp_path)
    assert await quota.measured(store, [A]) == {A: None}
    await store.write(layout.blob(A), b"")
    assert await quota.measured(store, [A]) == {A: 0}
