"""The console log of a server: bounded on disk, and safe to show.

Nova passes a console's text through layers that take ASCII only (anything else makes its API answer 500), and
a person wants the words, not the terminal's colours.
"""

import os
import re
from pathlib import Path

LIMIT = 1 << 20
TAIL = 100 * 1024

# Control sequences: CSI (colours, cursor), OSC (titles), and the two-character ones.
_SEQUENCE = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_=>78c])")
_UNPRINTABLE = re.compile(rb"[^\n\t -~]")


class ConsoleLog:
    """Where a monitor writes what a server prints; past ``limit`` bytes the older half is dropped."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        os.write(self._file, data)
        self._size += len(data)
        if self._size > self._limit:
            self._drop_older()

    def mark(self, text: str) -> None:
        """Append a line of our own, told apart by its dashes."""
        self.write(f"\n--- {text}\n".encode())

    def _drop_older(self) -> None:
        kept = self._path.read_bytes()[-self._limit // 2 :]
        os.ftruncate(self._file, 0)
        os.write(self._file, kept)
        self._size = len(kept)


def tail(path: Path, limit: int = TAIL) -> str:
    """Return the last ``limit`` bytes of a console log as plain ASCII; "" when there is none yet."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - limit))
            return printable(log.read())
    except FileNotFoundError:
        return ""


def printable(data: bytes) -> str:
    """Return ``data`` without control sequences, other bytes that are no ASCII text replaced by ``?``."""
    plain = _SEQUENCE.sub(b"", data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _UNPRINTABLE.sub(b"?", plain).decode("ascii")
