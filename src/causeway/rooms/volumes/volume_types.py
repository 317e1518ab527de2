"""Volume types by the words people have for them. Pure.

Cinder looks a type up in its database, and MySQL and MariaDB make no difference between capitals and small
letters there, nor of blanks at a name's end: ``SSD`` is taken for the type ``ssd``, which is then shown.
"""

from collections.abc import Sequence

from causeway.cloud.cinder_objects import VolumeType


def same(word: str, other: str) -> bool:
    """Return whether two words can name one type: where both are types, Cinder keeps them apart itself."""
    return _bare(word) == _bare(other)


def meant(word: str, types: Sequence[VolumeType]) -> VolumeType | None:
    """Return the type of a name or an id, None when there is none; a name to the letter goes first."""
    exactly = [each for each in types if word in (each.name, each.id)]
    nearly = [each for each in types if same(word, each.name) or same(word, each.id)]
    found = exactly or nearly
    return found[0] if exactly or len(nearly) == 1 else None


def _bare(word: str) -> str:
    return word.strip().casefold()
