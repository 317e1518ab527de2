"""Whether the cloud has shares, of the types the platform's classes ask for."""

from collections.abc import Iterator

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, blocker, listing, unreadable
from causeway.rooms.platforms.facts import CloudFacts, Sharing
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.storage import ShareDriver


def share_types(platform: Platform, facts: CloudFacts) -> Iterator[Check]:
    """Judge the types of the platform's classes of shares, if it has any."""
    chosen = platform.spec.shares
    if chosen is None or facts.shares is None:
        return
    if isinstance(facts.shares, Finding):
        yield unreadable("share types", facts.shares)
        return
    asked = {each.type or "the default" for each in chosen.classes.values()}
    yield Check("share types", listing(asked), tuple(_remarks(chosen, facts.shares)))


def _remarks(chosen: ShareDriver, shares: Sharing) -> Iterator[Remark]:
    for name, each in chosen.classes.items():
        place = f"spec.shares.classes.{name}"
        remedy = f"Use one of: {listing(shares.types)}."
        if each.type is None and not shares.has_default:
            yield blocker(place, "it names no type, and the cloud has no default share type", remedy)
        if each.type is not None and each.type not in shares.types:
            yield blocker(f"{place}.type", f"there is no share type {each.type}", remedy)
