from pathlib import Path

import pytest

from causeway.host import netns


def test_a_missing_namespace_is_said() -> None:
    with pytest.raises(FileNotFoundError):
        netns.open_namespace("/run/netns/no-such-namespace")
    with pytest.raises(FileNotFoundError):
        netns.open_namespace("/var/run/netns/no-such-namespace")


def test_what_is_no_namespace_is_refused_where_the_caller_is(tmp_path: Path) -> None:
    file = tmp_path / "plain"
    file.touch()
    with netns.open_namespace(str(file)) as plain, pytest.raises(OSError, match="cannot enter"):
        netns.inside(plain, lambda: None)
