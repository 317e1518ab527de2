"""Two routers never work in one directory."""

import subprocess
import sys
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.serve.router.alone import alone

HOLD = """
import sys, pathlib, subprocess
from causeway.serve.router.alone import alone
with alone(pathlib.Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True, close_fds=False)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def test_the_second_is_told_and_the_next_may_come(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(Problem, match="another router works"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_who_is_killed_holds_nothing_though_what_he_started_lives_on(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            with pytest.raises(Problem), alone(tmp_path):
                pass
            holder.kill()
            holder.wait(60)
            with alone(tmp_path):
                pass
        finally:
            subprocess.run(["kill", str(child)], check=True)
