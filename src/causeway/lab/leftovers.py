"""What the end of the lab's processes does not take away: control groups, loop devices, kernel limits.

Nor its network at once: a busy kernel ends a namespace long after the last process in it.
"""

import json
from pathlib import Path

from causeway.host.command import run, succeeds
from causeway.lab.servers.kernel import restore_limits
from causeway.lab.settings import Settings

CGROUPS = Path("/sys/fs/cgroup")
DEVICES = Path("/sys/class/net")


def clear(lab: Settings) -> None:
    """Remove the lab's control groups and devices, put back kernel limits; the lab must not run."""
    restore_limits(lab)
    for group in control_groups(lab):
        for directory in sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
            directory.rmdir()
        group.rmdir()
    for device in loop_devices(lab):
        run("losetup", "--detach", device)
    if (DEVICES / lab.link).exists():
        # Failing means that the kernel was quicker in the end.
        succeeds("ip", "link", "delete", lab.link)


def control_groups(lab: Settings) -> list[Path]:
    """Return the lab's control groups: one in each hierarchy of version 1, or one of version 2."""
    roots = [CGROUPS, *CGROUPS.glob("*/")]
    return [group for root in roots if not root.is_symlink() and (group := root / lab.cgroup).is_dir()]


def loop_devices(lab: Settings) -> list[str]:
    """Return the loop devices whose files lie in the lab's directory."""
    text = run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE")
    devices = json.loads(text)["loopdevices"] if text.strip() else []
    return [
        device["name"] for device in devices if Path(device["back-file"] or "/").is_relative_to(lab.directory)
    ]
