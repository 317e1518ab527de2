"""What the cloud's identifiers look like: only such a text may become part of a path."""

import uuid


def id_in(text: str) -> str:
    """Return the id that ``text`` is, written as services do: with hyphens, in small letters; "" if none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def is_id(text: str) -> bool:
    """Return whether ``text`` can be the id of a server, a volume or a snapshot."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
