"""Whether the cloud has the object store that the registry of images is to keep them in."""

from collections.abc import Iterator

from causeway.rooms.platforms.checks import Check, blocker
from causeway.rooms.platforms.facts import OBJECT_STORE, CloudFacts
from causeway.rooms.platforms.model import Platform


def object_store(platform: Platform, facts: CloudFacts) -> Iterator[Check]:
    """Judge it for a platform whose images are in the cloud's own."""
    registry = platform.spec.registry
    if registry is None or registry.storage != "swift":
        return
    there = OBJECT_STORE in facts.identity.services
    remark = blocker(
        "spec.registry.storage",
        "the catalogue has no endpoint of an object store",
        "Use cinder, or s3 with a bucket; or have Swift installed.",
    )
    yield Check("registry", "the cloud's object store", () if there else (remark,))
