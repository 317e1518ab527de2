"""How the registry lays out its files, and what images are made of. Pure.

Source: "path specs" of the distribution registry (registry/storage/paths.go), version 2 of its layout, and
the image manifests of OCI and Docker.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ROOT = "docker/registry/v2"
REPOSITORIES, BLOBS = f"{_ROOT}/repositories", f"{_ROOT}/blobs"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHA256 = r"sha256/(?P<digest>[0-9a-f]{64})"
_IN = rf"(?P<repository>{REPOSITORIES}/.+)"
_REVISION = re.compile(rf"{REPOSITORIES}/(?P<repository>.+)/_manifests/revisions/{_SHA256}/link")
_PLACES = {
    kind: re.compile(path)
    for kind, path in {
        "revision": rf"(?P<folder>{_IN}/_manifests/revisions/{_SHA256})/link",
        "former": rf"(?P<folder>{_IN}/_manifests/tags/[^/]+/index/{_SHA256})/link",
        "tag": rf"{_IN}/_manifests/tags/[^/]+/current/link",
        "layer": rf"(?P<folder>{_IN}/_layers/{_SHA256})/link",
        "blob": rf"(?P<folder>{BLOBS}/sha256/[0-9a-f]{{2}}/(?P<digest>[0-9a-f]{{64}}))/data",
    }.items()
}
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


def revision(repository: str, digest: str) -> str:
    """Return where the folder of a repository says that it has the image of a digest."""
    return f"{repository}/_manifests/revisions/sha256/{digest.removeprefix('sha256:')}/link"


def manifests(keys: Iterable[str]) -> dict[str, str]:
    """Return the digests of the manifests among the keys of a namespace, tagged or not, each once.

    With each is the repository in which it is.
    """
    found = (_REVISION.fullmatch(each) for each in keys)
    return {f"sha256:{each['digest']}": each["repository"] for each in found if each}


@dataclass(frozen=True)
class Place:
    """What a key is: a revision, a tag, a former image of a tag or a layer of a repository, or a blob.

    ``repository`` is its folder, ``digest`` what is named by it and ``folder`` what is deleted with it, where
    there is one.
    """

    kind: str
    repository: str = ""
    digest: str = ""
    folder: str = ""


def place_of(key: str) -> Place | None:
    """Return what a key is, None for anything else."""
    for kind, path in _PLACES.items():
        if found := path.fullmatch(key):
            parts = found.groupdict()
            digest = f"sha256:{parts['digest']}" if "digest" in parts else ""
            return Place(kind, parts.get("repository", ""), digest, parts.get("folder", ""))
    return None


@dataclass(frozen=True)
class Named:
    """The digests a manifest names: of the blobs an image is made of, and of an index's manifests."""

    parts: tuple[str, ...]
    manifests: tuple[str, ...] = ()


def named(manifest: bytes) -> Named:
    """Return what a manifest names; raises ``ValueError`` for what is no manifest.

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
    found = [document["config"]] if document.get("config") is not None else []
    found += _listed(document, "layers")
    return Named(
        tuple(dict.fromkeys(map(_digest, found))),
        tuple(dict.fromkeys(map(_digest, _listed(document, "manifests")))),
    )


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
