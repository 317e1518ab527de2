from pathlib import Path

from causeway.lab.images import checkout

LOCK = """aiohttp==3.14.5 \\
    --hash=sha256:11
    # via causeway (pyproject.toml)
PyYAML==6.0.3 \\
    --hash=sha256:22 \\
    --hash=sha256:33
    # via openstacksdk
pytest==9.2.0 \\
    --hash=sha256:44
"""


def test_locked_runtime_keeps_whole_blocks_with_their_hashes() -> None:
    assert checkout.locked_runtime(LOCK, ["pyyaml"]).split("\n")[:3] == [
        "PyYAML==6.0.3 \\",
        "    --hash=sha256:22 \\",
        "    --hash=sha256:33",
    ]
    assert "pytest" not in checkout.locked_runtime(LOCK, ["pyyaml", "aiohttp"])


def test_every_runtime_project_is_locked() -> None:
    lock = (checkout.root() / "requirements.lock").read_text()
    needed = checkout.runtime_projects((checkout.root() / "pyproject.toml").read_text())
    locked = checkout.locked_runtime(lock, needed)
    assert {"aiohttp", "openstacksdk", "keystoneauth1", "multidict"} <= needed
    assert "pytest" not in needed
    missing = [name for name in needed if f"\n{name}==" not in f"\n{locked.lower()}"]
    assert missing == []


def test_fingerprint_follows_names_contents_and_modes_but_not_compiled_files(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.py").write_text("1")
    first = checkout.fingerprint([tmp_path / "code"])
    (tmp_path / "code/__pycache__").mkdir()
    (tmp_path / "code/__pycache__/a.pyc").write_text("x")
    assert checkout.fingerprint([tmp_path / "code"]) == first
    (tmp_path / "code/a.py").chmod(0o755)
    second = checkout.fingerprint([tmp_path / "code"])
    assert second != first
    (tmp_path / "code/a.py").rename(tmp_path / "code/b.py")
    assert checkout.fingerprint([tmp_path / "code"]) != second
