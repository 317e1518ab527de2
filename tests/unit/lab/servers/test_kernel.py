from pathlib import Path

import pytest

from causeway.lab.servers import kernel
from causeway.lab.settings import Settings

NAME = "fs/inotify/max_user_instances"


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    (tmp_path / "lab").mkdir()
    return Settings(tmp_path / "lab", tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / NAME).parent.mkdir(parents=True)
    (tmp_path / NAME).write_text("128\n")
    return tmp_path


def test_low_limits_are_raised_and_put_back(lab: Settings, root: Path) -> None:
    kernel.raise_limits(lab, root)
    assert (root / NAME).read_text() == "8192\n"
    kernel.raise_limits(lab, root)  # by the agent's second start
    kernel.restore_limits(lab, root)
    assert (root / NAME).read_text() == "128\n"
    kernel.restore_limits(lab, root)


def test_limits_that_suffice_are_left_alone(lab: Settings, root: Path) -> None:
    (root / NAME).write_text("65536\n")
    kernel.raise_limits(lab, root)
    kernel.restore_limits(lab, root)
    assert (root / NAME).read_text() == "65536\n"


def test_what_somebody_else_has_set_since_stays(lab: Settings, root: Path) -> None:
    kernel.raise_limits(lab, root)
    (root / NAME).write_text("9000\n")
    kernel.restore_limits(lab, root)
    assert (root / NAME).read_text() == "9000\n"
