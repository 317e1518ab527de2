"""Which kinds of backend are loaded, and how few questions it takes to leave out those that are not."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.routes.test_router import FRONT

from causeway.rooms.routes.commands import Files
from causeway.rooms.routes.kinds import Kinds, write
from causeway.rooms.routes.model import Kind


@given(st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
async def test_exactly_the_bad_ones_are_left_out_and_known_ones_not_tried(
    bad: set[int], known: set[int]
) -> None:
    checks = 0

    async def check(path: Path) -> str:
        nonlocal checks
        checks += 1
        text = await asyncio.to_thread(path.read_text)
        return "unknown keyword 'nonsense'" if "nonsense" in text else ""

    with tempfile.TemporaryDirectory() as directory:
        kinds = Kinds(FRONT, Files(Path(directory)), check)
        each = [
            Kind("http", "random", f"nonsense{n}" if n in bad else f"cookie{n}", lines=()) for n in range(40)
        ]
        wanted = {kinds.name(kind): kind for kind in each}
        some = await kinds.leave_out_bad(wanted, {kinds.name(each[n]) for n in known})
    assert set(wanted.values()) == {kind for n, kind in enumerate(each) if n not in bad or n in known}
    assert {n for n, kind in enumerate(each) if "nonsense" in kinds.wrong(kind)} == bad - known
    assert some == bool(bad - known)
    assert checks <= 1 + 12 * len(bad - known)


def test_nobody_else_reads_what_is_written(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("as it was")
    write({there: "new", tmp_path / "below" / "fresh": "text"}, missing=True)
    assert there.read_text() == "as it was"
    fresh = tmp_path / "below" / "fresh"
    assert fresh.read_text() == "text"
    assert (fresh.stat().st_mode & 0o777, fresh.parent.stat().st_mode & 0o777) == (0o600, 0o700)
