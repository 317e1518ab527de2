"""How long a process's event loop keeps a caller waiting: `python -m bench.probe PORT FILE`.

A process of its own, so that nothing the measurement does stands in its way. What it asks for takes the loop
a fraction of a millisecond, so the time until the answer is the time the loop was busy with something else.
"""

import contextlib
import http.client
import sys
import time
from pathlib import Path

_EVERY = 0.05  # seconds between two questions


def main(port: int, file: Path) -> None:
    """Ask until ended; write how many milliseconds each answer took, a line each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with file.open("w", buffering=1) as sink:
        while True:
            started = time.monotonic()
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                sink.write(f"{(time.monotonic() - started) * 1000:.1f}\n")
            connection.close() if connection.sock is None else None
            time.sleep(max(0.0, _EVERY - (time.monotonic() - started)))


main(int(sys.argv[1]), Path(sys.argv[2]))
