import pytest
from typer.testing import CliRunner

from causeway.cli import orphans
from causeway.kit.errors import Exit, Problem
from causeway.main import app


@pytest.mark.parametrize("cluster", ["3d9195d1", "demo", ""])
def test_a_cluster_is_named_by_its_whole_uuid(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "connect", lambda name: pytest.fail(f"asked {name}"))
    result = CliRunner().invoke(app, ["orphans", "--cloud", "lab", "--cluster", cluster])
    assert isinstance(result.exception, Problem)
    assert result.exception.exit_code == Exit.USAGE
    assert "is not the UUID of a cluster" in str(result.exception)
