from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab import life, packages
from causeway.lab.settings import Settings


def test_data_is_not_put_above_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Settings(tmp_path / "lab", tmp_path)
    life._keep_base(lab)
    lab.done.mkdir()
    life._keep_base(lab)
    monkeypatch.setattr(packages, "BASE", (*packages.BASE, "one-more"))
    with pytest.raises(Problem, match="destroy"):
        life._keep_base(lab)
