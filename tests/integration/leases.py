"""Controllers that end because the machine was too busy for them to renew their lease in time."""

import subprocess

from causeway.kit.errors import Exit


def gave_up(process: "subprocess.Popen[bytes]", log: str) -> bool:
    """Return whether a controller ended so since it was started last: its kubelet would start it again."""
    return process.poll() == Exit.FAILED and "leading no more" in log.rpartition('"controller started"')[2]
