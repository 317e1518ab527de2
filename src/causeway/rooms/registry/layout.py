"""How the registry lays out its files, and what images weigh. Pure.

Source: "path specs" of the distribution registry (registry/storage/paths.go), version 2 of its layout, and
the image manifests of OCI and Docker.
"""

import json
import re
from collections.abc import Iterable, Mapping

_ROOT = "docker/registry/v2"
REPOSITORIES = f"{_ROOT}/repositories"
_REVISION = re.compile(r"/_manifests/revisions/sha256/([0-9a-f]{64})/link$")


def folder_of(namespace: str) -> str:
    """Return where the repositories of a namespace are."""
    return f"{REPOSITORIES}/{namespace}"


def blob(digest: str) -> str:
    """Return where the bytes of a digest (``sha256:…``) are."""
    number = digest.removeprefix("sha256:")
    return f"{_ROOT}/blobs/sha256/{number[:2]}/{number}/data"


def manifests(keys: Iterable[str]) -> list[str]:
    """Return the digests of the manifests among the keys of a namespace, each once; tagged or not."""
    found = (_REVISION.search(each) for each in keys)
    return list(dict.fromkeys(f"sha256:{each[1]}" for each in found if each))


def weights(digest: str, manifest: bytes) -> dict[str, int]:
    """Return the bytes of a manifest, and of the blobs it names, by digest.

    What an index names are manifests, which weigh by themselves; a layer that is elsewhere weighs nothing.
    Raises ``ValueError`` for what is no manifest.
    """
    document = json.loads(manifest)
    if not isinstance(document, Mapping):
        raise ValueError("a manifest is an object")  # noqa: TRY004  # one kind of error for what is no manifest
    parts = [document.get("config"), *(document.get("layers") or [])]
    found = {digest: len(manifest)}
    for each in parts:
        if isinstance(each, Mapping) and not each.get("urls"):
            number, size = each.get("digest"), each.get("size")
            if not isinstance(number, str) or not isinstance(size, int) or size < 0:
                raise ValueError("a manifest gives digest and size of each part")
            found[number] = size
    return found
