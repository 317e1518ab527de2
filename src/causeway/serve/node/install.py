"""Putting the CNI plugin and its configuration where the container runtime looks for them."""

import os
from importlib.resources import files
from pathlib import Path

import msgspec

from causeway.serve.node.shim import SUPPORTED_VERSIONS

PLUGIN = "causeway"
_FURTHER = ".causeway.py"  # what shim.sh calls for all but the ordinary
CONFLIST = "10-causeway.conflist"
_RUN_DIR = '"/run/causeway'  # as the sources name it


def install_shim(directory: Path, run_dir: Path) -> Path:
    """Install the plugin, set to find the daemon in ``run_dir``; return its path."""
    package = files("causeway.serve.node")
    for source, name, mode in (("shim.py", _FURTHER, 0o644), ("shim.sh", PLUGIN, 0o755)):
        text = package.joinpath(source).read_text()
        if text.count(_RUN_DIR) != 1:
            raise RuntimeError(f"{source} does not name its run directory exactly once")
        _write(directory / name, text.replace(_RUN_DIR, f'"{run_dir}'), mode)
    return directory / PLUGIN


def conflist() -> dict[str, object]:
    """Return the network configuration.

    ``cniVersion`` is the newest that runtimes know which predate ``cniVersions``; newer ones choose from the
    list.
    """
    return {
        "cniVersion": "1.0.0",
        "cniVersions": list(SUPPORTED_VERSIONS),
        "name": "causeway",
        "plugins": [{"type": PLUGIN}],
    }


def write_conflist(directory: Path) -> Path:
    """Write the network configuration, which makes the runtime call the network ready; return its path."""
    path = directory / CONFLIST
    _write(path, msgspec.json.format(msgspec.json.encode(conflist())).decode() + "\n", 0o644)
    return path


def _write(path: Path, content: str, mode: int) -> None:
    """Write a file so that whoever opens it sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content)
    fresh.chmod(mode)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
