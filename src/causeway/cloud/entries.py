"""What to say of a cloud that ``clouds.yaml`` does not have."""

import os
from collections.abc import Collection
from difflib import get_close_matches

from causeway.kit.errors import Finding

FILE_VARIABLE = "OS_CLIENT_CONFIG_FILE"


def unknown(name: str, known: Collection[str], filename: str | None, *, chosen: bool = False) -> Finding:
    """Return why there is no cloud ``name`` among those ``known`` in the file, and what to do.

    ``chosen``: the file was named by whoever asks; else the environment may name one.
    """
    where = filename or "any clouds.yaml (current directory, ~/.config/openstack, /etc/openstack)"
    wanted = None if chosen else os.environ.get(FILE_VARIABLE)
    if wanted and wanted != filename:
        cause = f"{wanted}, which {FILE_VARIABLE} names, is missing, unreadable or not YAML"
        return Finding(f"cloud {name}", cause, f"Correct the file, or {FILE_VARIABLE}.")
    similar = get_close_matches(name, known, n=1)
    if similar:
        remedy = f"Did you mean {similar[0]}?"
    elif known:
        remedy = f"Use one of: {', '.join(sorted(known))}."
    else:
        remedy = f"Write one, or name the file that has it by the environment variable {FILE_VARIABLE}."
    return Finding(f"cloud {name}", f"there is no such entry in {where}", remedy)
