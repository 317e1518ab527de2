"""How much the images of one namespace may take, and how much they do.

Counted is what its images are made of, as large as it is in the store: each blob once, of images with and
without a tag. Blobs that namespaces share count in each.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from causeway.kit.errors import Finding, Problem
from causeway.rooms.registry import layout
from causeway.rooms.registry.store import Store

ANNOTATION = "registry.causeway.dev/quota"
"""At a namespace: how much its images may take, as a Kubernetes quantity."""

_UNITS: Mapping[str, int] = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", 1)},
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kMGTPE]|[KMGTPE]i)?")


class Unknown(ValueError):
    """A manifest names a part that is not in the store: how much it takes could not be said."""


@dataclass(frozen=True)
class Limit:
    """Bytes the images of a namespace may take; None: as much as there is."""

    most: int | None = None


def limit_of(namespace: Mapping[str, Any], default: int | None) -> Limit | Finding:
    """Return the limit of a Namespace object, or what is wrong with its annotation. Pure."""
    written = (namespace["metadata"].get("annotations") or {}).get(ANNOTATION)
    if written is None:
        return Limit(default)
    read = _QUANTITY.fullmatch(written)
    if read is None:
        place = f"namespace {namespace['metadata']['name']}"
        return Finding(place, f"its annotation {ANNOTATION} {written!r} is no amount", "Write it as 5Gi.")
    return Limit(int(Decimal(read[1]) * _UNITS[read[2] or ""]))


def refusal(namespace: str, held: Mapping[str, int], more: Mapping[str, int], most: int) -> Finding | None:
    """Return why an image may not be added to those a namespace holds, None if it may. Pure."""
    total = sum((dict(held) | dict(more)).values())
    if total <= most or more.keys() <= held.keys():
        return None
    return Finding(
        f"namespace {namespace}",
        f"with this image its images would take {_bytes(total)} of the {_bytes(most)} they may",
        "Delete images of it (skopeo delete), or have the quota raised "
        f"(annotation {ANNOTATION} of the namespace).",
    )


def _bytes(number: int) -> str:
    for unit in ("Gi", "Mi", "Ki"):
        size = _UNITS[unit]
        if number >= size:
            return f"{number / size:.1f} {unit}B"
    return f"{number} B"


async def held(store: Store, namespace: str) -> dict[str, int]:
    """Return the bytes of all that images of a namespace are made of and that is there, by digest.

    Raises ``Problem``, also naming an image that cannot be read.
    """
    found: dict[str, int] = {}
    parts: dict[str, None] = {}
    for digest, repository in layout.manifests(await store.keys(layout.folder_of(namespace))).items():
        content = await store.read(layout.blob(digest))
        if content is not None:  # it was deleted a moment ago
            found[digest] = len(content)
            try:
                parts |= dict.fromkeys(layout.named(content).parts)
            except ValueError as error:
                place, cause = f"image {repository}@{digest}", f"what is stored is no manifest: {error}"
                raise Problem.of(place, cause, "Delete that image, and push it again.") from error
    sizes = await measured(store, parts)
    return found | {each: size for each, size in sizes.items() if size is not None}


async def measured(store: Store, digests: Iterable[str]) -> dict[str, int | None]:
    """Return how large blobs are, by digest; None of one that is not there."""
    wanted = list(digests)
    found = await asyncio.gather(*(store.size(layout.blob(each)) for each in wanted))
    return dict(zip(wanted, found, strict=True))
