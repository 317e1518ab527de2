"""The services' view of the machine: an overlay of the cached root file system and the lab's own changes.

Called inside the lab's mount namespace only: nothing here is ever visible to, or left on, the machine.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from causeway.host.command import run
from causeway.lab.settings import Settings

# Where the lab's own directories appear for the services.
SHARED = "var/lib/causeway"


def prepare(lab: Settings, lower: Sequence[Path]) -> None:
    """Mount the root file system of ``lab`` above the directories ``lower`` (topmost first)."""
    upper, work = lab.directory / "upper", lab.directory / "work"
    # What an overlay left half done in its work directory is of no use to the next.
    if work.exists():
        shutil.rmtree(work)
    for directory in (upper, work, lab.root, lab.volumes, lab.images, lab.servers):
        directory.mkdir(parents=True, exist_ok=True)
    layers = ":".join(str(path) for path in lower)
    options = f"lowerdir={layers},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, lab.root)
    run("mount", "-t", "proc", "proc", lab.root / "proc")
    run("mount", "-t", "sysfs", "sysfs", lab.root / "sys")
    run("mount", "--rbind", "/dev", lab.root / "dev")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", lab.root / "run")
    for shared in (lab.volumes, lab.images):
        inside = lab.root / SHARED / shared.name
        inside.mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", shared, inside)
    (lab.root / "etc/hosts").write_text(f"127.0.0.1 localhost {lab.host}\n{lab.address} api\n")
    (lab.root / "etc/hostname").write_text(f"{lab.host}\n")
    (lab.root / "etc/resolv.conf").write_text("")
