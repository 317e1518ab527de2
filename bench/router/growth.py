"""What routes take in the memory of the router's own process: this is run as a fresh one."""

import asyncio
import gc
import re
import sys
from pathlib import Path

from bench.router.contenders import Ours
from causeway.host.command import run


def grown(directory: Path, port: int, application: int, count: int) -> float:
    """Return the MiB by which a process of its own grows when it is given routes and has HAProxy run them."""
    words = (str(directory), str(port), str(application), str(count))
    return float(run(sys.executable, "-m", "bench.router.growth", *words).splitlines()[-1])


def resident(pid: str) -> float:
    """Return the resident set of a process in MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


async def _growth(directory: Path, port: int, application: int, count: int) -> float:
    contender = Ours(directory, port, application)
    gc.collect()
    before = resident("self")
    try:
        await contender.begin(count)
        gc.collect()
        return resident("self") - before
    finally:
        await contender.haproxy.stop(0)


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    print(round(asyncio.run(_growth(Path(place), *map(int, numbers))), 2))
