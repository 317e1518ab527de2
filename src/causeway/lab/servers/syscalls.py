"""The few system calls Python 3.11 has no function for."""

import ctypes
import os
from pathlib import Path

CLONE_NEWCGROUP = 0x02000000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    """Mount; raises ``OSError`` naming the target."""
    done = _libc.mount(
        source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    _check(done, f"mount {source or kind} at {target}")


def unmount_detached(target: Path) -> None:
    """Unmount ``target`` with all below it as soon as nobody uses it."""
    _check(_libc.umount2(str(target).encode(), MNT_DETACH), f"unmount {target}")


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    _check(_libc.unshare(flags), "unshare")


def pivot_root(new: Path, old: Path) -> None:
    """Make ``new`` the root of this mount namespace and put the old root at ``old``."""
    _check(_libc.pivot_root(str(new).encode(), str(old).encode()), f"pivot_root {new}")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
