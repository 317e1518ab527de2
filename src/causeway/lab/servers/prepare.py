"""What a server's directory must hold before its first start, and before every start."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.lab.servers import mounts
from causeway.lab.servers.layout import ServerFiles

NETWORK_DATA = "openstack/latest/network_data.json"


class _Service(msgspec.Struct):
    type: str = ""
    address: str = ""


class _NetworkData(msgspec.Struct):
    services: list[_Service] = []


def first_time(files: ServerFiles, image: Path, config_drive: Mapping[str, bytes]) -> None:
    """Make the directory of a new server; half a directory of an interrupted attempt is made anew."""
    shutil.rmtree(files.directory, ignore_errors=True)
    files.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for directory in (files.upper, files.work, files.mountpoint, files.data, files.config_drive):
        directory.mkdir(parents=True)
        directory.chmod(0o755)
    files.config_drive.chmod(0o700)  # user data may hold secrets
    for name, content in config_drive.items():
        path = _below(files.config_drive, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    _resolver(files, config_drive.get(NETWORK_DATA, b"{}"))
    for name in data_directories(image):
        _copy_linked(image / name, files.data / name)


def every_time(files: ServerFiles, memory_mb: int) -> list[str]:
    """Write the files that cover parts of /proc and return their names below it."""
    contents = {name: value for name, value in mounts.SHADOWED.items() if (Path("/proc") / name).exists()}
    contents["meminfo"] = mounts.meminfo(Path("/proc/meminfo").read_text(), memory_mb)
    for name, value in contents.items():
        path = files.shadows / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
    return list(contents)


def data_directories(image: Path) -> list[str]:
    """Return those of ``DATA_DIRECTORIES`` the image has."""
    return [name for name in mounts.DATA_DIRECTORIES if (image / name).is_dir()]


def nameservers(network_data: bytes) -> list[str]:
    """Return the addresses of name servers in a config drive's network data."""
    services = msgspec.json.decode(network_data, type=_NetworkData).services
    return [each.address for each in services if each.type == "dns"]


def _resolver(files: ServerFiles, network_data: bytes) -> None:
    """Write resolv.conf: networkd alone, as in small images, learns name servers but tells nobody."""
    etc = files.upper / "etc"
    etc.mkdir(mode=0o755, exist_ok=True)
    found = nameservers(network_data)
    (etc / "resolv.conf").write_text("".join(f"nameserver {address}\n" for address in found))


def _copy_linked(source: Path, target: Path) -> None:
    """Copy a directory of the image by hard links: instant, and as small as its changes.

    Right for containerd's data, whose layers are never written again; its databases are, so they are copied.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "--archive", "--link", source, target)
    for database in target.rglob("*.db"):
        original = source / database.relative_to(target)
        database.unlink()
        shutil.copy2(original, database)


def _below(top: Path, name: str) -> Path:
    path = (top / name).resolve()
    if not path.is_relative_to(top.resolve()):
        raise Problem.of("config drive", f"the name {name!r} leads out of it", "Use relative names.")
    return path
