"""Reaching into another network namespace without moving the process there.

A socket belongs to the network namespace it was opened in, whoever uses it afterwards. So a short-lived
thread enters the namespace, opens the sockets and ends; the rest of the process never leaves its own
namespace, nothing is forked, and there is no way back that could fail.
"""

import ctypes
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def open_namespace(path: str) -> BinaryIO:
    """Return the network namespace at ``path``, opened; the caller closes it.

    ``/var/run`` is ``/run`` on every current system, but not inside every container: both are tried.
    Raises ``FileNotFoundError`` when there is none.
    """
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        if not path.startswith("/var/run/"):
            raise
        return Path(path.removeprefix("/var")).open("rb")


def _enter(namespace: BinaryIO) -> None:
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        why = os.strerror(number)
        if number == errno.EINVAL:  # the file of a namespace whose mount is not seen here
            why = "it is none here; its directory must be mounted with propagation from the host"
        raise OSError(number, f"cannot enter the network namespace {namespace.name}: {why}")


def inside(namespace: BinaryIO, work: Callable[[], T]) -> T:
    """Return what ``work`` returns when it runs in that network namespace.

    Meant for opening sockets: ``work`` runs in a thread of its own, and its exceptions are raised here.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _enter(namespace)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="netns", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
