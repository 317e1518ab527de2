"""How the registry lays out its files, and what images are made of. Pure.

Source: "path specs" of the distribution registry (registry/storage/paths.go), version 2 of its layout, and
the image manifests of OCI and Docker.
"""

import json
import re
from collections.abc import Iterable, Mapping

_ROOT = "docker/registry/v2"
REPOSITORIES = f"{_ROOT}/repositories"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
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


def parts(manifest: bytes) -> list[str]:
    """Return the digests of the blobs an image is made of; raises ``ValueError`` for what is no manifest.

    What an index names are manifests, which count by themselves. Sizes in it are what its writer says.
    """
    document = json.loads(manifest)
    if not isinstance(document, Mapping):
        raise ValueError("a manifest is an object")  # noqa: TRY004  # one kind of error for what is no manifest
    named = [document.get("config"), *(document.get("layers") or [])]
    found = []
    for each in named:
        if isinstance(each, Mapping):
            digest = each.get("digest")
            if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
                raise ValueError("a manifest gives the digest of each part")
            found.append(digest)
    return list(dict.fromkeys(found))
