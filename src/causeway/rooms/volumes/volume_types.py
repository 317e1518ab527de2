"""Volume types by the words people have for them. Pure.

Cinder looks a type up in its database, and MySQL and MariaDB make no difference between capitals and small
letters there, nor of blanks at a name's end: ``SSD`` is taken for the type ``ssd``, which is then shown.
"""

from collections.abc import Sequence

from causeway.cloud.cinder_objects import VolumeType
from causeway.rooms.volumes.model import Reason, Refused

OF_A_CLASS = (
    "parameter type of its StorageClass or VolumeAttributesClass. Parameters of a class cannot be changed: "
    "delete the class and make it anew"
)
"""Where the type of a volume is named that is asked for, and what to do there."""
OF_ATTRIBUTES = (
    "parameter type of another VolumeAttributesClass, for parameters of a class cannot be changed, and name "
    "that class in the claim"
)
"""The same of a volume that is there."""


def same(word: str, other: str) -> bool:
    """Return whether two words can name one type: where both are types, Cinder keeps them apart itself."""
    return _bare(word) == _bare(other)


def meant(word: str, types: Sequence[VolumeType]) -> VolumeType | None:
    """Return the type of a name or an id, None when there is none; a name to the letter goes first."""
    exactly = [each for each in types if word in (each.name, each.id)]
    nearly = [each for each in types if same(word, each.name) or same(word, each.id)]
    found = exactly or nearly
    return found[0] if exactly or len(nearly) == 1 else None


def unknown(word: str, types: Sequence[VolumeType], place: str, of: str) -> Refused:
    """Return the refusal of a type that is none of ``types``; ``of`` says where it is named."""
    names = ", ".join(each.name for each in types)
    cause = f"the project has no volume type {word}"
    named = f"Name one of {names}" if names else "It has none at all: have one made, and name it"
    return Refused(Reason.INVALID, place, cause, f"{named} by {of}.")


def _bare(word: str) -> str:
    return word.strip().casefold()
