"""A collector that is killed, or frozen and wakes up again: who pushes is let in soon, and loses nothing."""

import asyncio
import errno
import os
import signal
from asyncio.subprocess import Process
from pathlib import Path
from typing import BinaryIO

from tests.integration.registry.stage import COLLECTOR, DEADLINE, Disk, Stage
from tests.integration.registry.test_collecting import owned

from causeway.kube.resource import LEASES
from causeway.rooms.registry import gate, layout

LASTS = 4.0  # seconds of the Lease, for a test
DIGEST = f"sha256:{'5' * 64}"
LINK = f"{layout.REPOSITORIES}/shop/stuck/_manifests/revisions/sha256/{'5' * 64}/link"


def obstruct(stage: Stage) -> Path:
    """Add an image that is not read to its end until somebody writes it into the path that is returned."""
    assert isinstance(stage.storage, Disk)
    link, blob = (stage.storage.directory / each for each in (LINK, layout.blob(DIGEST)))
    for each in (link, blob):
        each.parent.mkdir(parents=True)
    link.write_text(DIGEST)
    os.mkfifo(blob)
    return blob


async def collecting(stage: Stage, stuck: Path) -> tuple[Process, BinaryIO]:
    """Return a collector that reads ``stuck`` and renews its Lease, and what it reads from."""
    await stage.quieten()
    process = await stage.collector(lasts=LASTS)
    seen: set[str] = set()
    async with asyncio.timeout(DEADLINE):
        while len(seen) < 3:
            assert process.returncode is None, stage.told()
            spec = (await stage.admin.get(LEASES, gate.NAME, gate.NAMESPACE)).get("spec") or {}
            if spec.get("holderIdentity") == COLLECTOR:
                seen.add(spec["renewTime"])
            await asyncio.sleep(0.1)
        return process, await reader_of(stuck)


async def reader_of(path: Path) -> BinaryIO:
    """Wait until somebody reads a path that is a pipe, and return what writes to him."""
    while True:
        try:
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            await asyncio.sleep(0.1)


async def pushed(stage: Stage, token: str, source: str, target: str) -> list[str]:
    """Push until that is done; return what was said before."""
    refused: list[str] = []
    async with asyncio.timeout(DEADLINE):
        while True:
            status, said = await stage.skopeo(token, "copy", source, target)
            if status == 0:
                return refused
            refused.append(said)
            await asyncio.sleep(0.2)


async def test_after_a_killed_collector_one_pushes_again_and_the_next_collects(stage: Stage) -> None:
    token = await owned(stage, "shop")
    archive, _ = stage.image("front")
    assert await pushed(stage, token, archive, "HOST/shop/a:1") == []
    stuck = obstruct(stage)
    process, reading = await collecting(stage, stuck)
    status, said = await stage.skopeo(token, "copy", archive, "HOST/shop/b:1")
    assert status != 0
    assert "unused blobs are being collected" in said, said
    process.kill()
    await process.wait()
    reading.close()
    refused = await pushed(stage, token, archive, "HOST/shop/b:1")
    assert all("unused blobs are being collected" in each for each in refused), refused
    assert (await stage.admin.get(LEASES, gate.NAME, gate.NAMESPACE))["spec"]["holderIdentity"] == ""
    stuck.unlink()
    assert isinstance(stage.storage, Disk)
    (stage.storage.directory / LINK).unlink()
    await stage.collect()
    for name in ("a", "b"):
        target = f"oci-archive:{stage.directory / f'{name}-got.tar'}"
        status, said = await stage.skopeo(token, "copy", f"HOST/shop/{name}:1", target)
        assert status == 0, said


async def test_a_collector_that_was_frozen_deletes_nothing_of_what_was_pushed_since(stage: Stage) -> None:
    token = await owned(stage, "shop")
    archive, _ = stage.image("front")
    assert await pushed(stage, token, archive, "HOST/shop/a:1") == []
    status, said = await stage.skopeo(token, "delete", "HOST/shop/a:1")
    assert status == 0, said
    stuck = obstruct(stage)
    process, reading = await collecting(stage, stuck)
    process.send_signal(signal.SIGSTOP)
    # Its layers are there, and no image needs them: they are not sent again.
    await pushed(stage, token, archive, "HOST/shop/a:2")
    process.send_signal(signal.SIGCONT)
    with reading:
        reading.write(b"{}")
    assert await process.wait() != 0
    assert "was taken away" in stage.told()
    target = f"oci-archive:{stage.directory / 'got.tar'}"
    status, said = await stage.skopeo(token, "copy", "HOST/shop/a:2", target)
    assert status == 0, said


async def test_a_collector_that_is_asked_to_end_gives_way_at_once(stage: Stage) -> None:
    token = await owned(stage, "shop")
    archive, _ = stage.image("front")
    stuck = obstruct(stage)
    process, reading = await collecting(stage, stuck)
    process.terminate()
    with reading:  # what is read is read to its end
        reading.write(b"{}")
    assert await process.wait() != 0
    assert "was ended before it was done" in stage.told()
    assert await pushed(stage, token, archive, "HOST/shop/a:1") == []
