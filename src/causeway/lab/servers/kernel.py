"""Limits of the machine's kernel that all servers share, raised while a lab runs and put back afterwards.

Every server runs many programs that watch files, and to the kernel they all belong to one user, root: with
the usual 128 watchers the kubelets of a second platform do not start.
"""

import json
from pathlib import Path

from causeway.lab.settings import Settings

SYSCTL = Path("/proc/sys")
NEEDED = {"fs/inotify/max_user_instances": 8192}


def raise_limits(lab: Settings, root: Path = SYSCTL) -> None:
    """Raise the limits that are lower than needed, noting in the lab's directory what they were."""
    former = {name: value for name in NEEDED if (value := int((root / name).read_text())) < NEEDED[name]}
    if not former:
        return
    _note(lab).write_text(json.dumps(former))
    for name in former:
        (root / name).write_text(f"{NEEDED[name]}\n")


def restore_limits(lab: Settings, root: Path = SYSCTL) -> None:
    """Put back what ``raise_limits`` changed; a limit somebody else has changed since stays."""
    note = _note(lab)
    if not note.exists():
        return
    for name, value in json.loads(note.read_text()).items():
        if int((root / name).read_text()) == NEEDED[name]:
            (root / name).write_text(f"{value}\n")
    note.unlink()


def _note(lab: Settings) -> Path:
    return lab.directory / "kernel-limits.json"
