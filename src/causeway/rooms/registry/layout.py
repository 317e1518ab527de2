"""How the registry lays out its files, and what images are made of. Pure.

Source: "path specs" of the distribution registry (registry/storage/paths.go), version 2 of its layout, and
the image manifests of OCI and Docker.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_ROOT = "docker/registry/v2"
REPOSITORIES, BLOBS = f"{_ROOT}/repositories", f"{_ROOT}/blobs"
MANIFESTS, LAYERS = "_manifests", "_layers"
"""Folders in that of a repository; the names of all but repositories begin so."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REVISION = re.compile(
    rf"{REPOSITORIES}/(?P<repository>.+)/_manifests/revisions/sha256/(?P<digest>[0-9a-f]{{64}})/link"
)
_KEYS = {
    each.casefold(): each
    for each in (
        *("schemaVersion", "mediaType", "config", "layers", "manifests", "blobs"),
        *("digest", "size", "urls"),
    )
}
"""What the registry reads of a manifest and of the parts in it."""


def folder_of(namespace: str) -> str:
    """Return where the repositories of a namespace are."""
    return f"{REPOSITORIES}/{namespace}"


def blob(digest: str) -> str:
    """Return where the bytes of a digest (``sha256:…``) are."""
    number = digest.removeprefix("sha256:")
    return f"{BLOBS}/sha256/{number[:2]}/{number}/data"


def manifests(keys: Iterable[str]) -> dict[str, str]:
    """Return the digests of the manifests among the keys of a namespace, tagged or not, each once.

    With each is the repository in which it is.
    """
    found = (_REVISION.fullmatch(each) for each in keys)
    return {f"sha256:{each['digest']}": each["repository"] for each in found if each}


def parts(manifest: bytes) -> list[str]:
    """Return the digests of the blobs an image is made of; raises ``ValueError`` for what is no manifest.

    What an index names are manifests, which count by themselves. Sizes in it are what its writer says. It is
    read so that the registry cannot read it otherwise: Go takes keys in any case, and the last of several.
    """
    try:
        document = json.loads(manifest.decode(), object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("a manifest is an object")  # noqa: TRY004  # one kind of error for what is no manifest
    _spelt(document)
    named = [document["config"]] if document.get("config") is not None else []
    named += _listed(document, "layers")
    found = [_digest(each) for each in named]
    for each in _listed(document, "manifests"):
        _digest(each)
    return list(dict.fromkeys(found))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it gives a key twice")
    return found


def _spelt(document: Mapping[str, Any]) -> None:
    for each in document:
        if each.casefold() in _KEYS and each != _KEYS[each.casefold()]:
            raise ValueError(f"its key {each!r} is spelt {_KEYS[each.casefold()]!r}")


def _listed(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    if found is not None and not isinstance(found, list):
        raise ValueError(f"its {key} are no list")
    return found or []


def _digest(part: Any) -> str:
    fields = part if isinstance(part, dict) else {}
    _spelt(fields)
    match fields.get("digest"):
        case str(digest) if _DIGEST.fullmatch(digest):
            return digest
        case str(digest):
            # The registry keeps a blob under its sha256, and frees one that is named by another digest alone.
            raise ValueError(f"it names a part by {digest[:80]!r}, and parts are named by their sha256 here")
        case _:
            raise ValueError("a manifest gives the digest of each part")
