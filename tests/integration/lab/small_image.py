"""A small image for tests of servers: Debian with systemd, cloud-init and little else; cached."""

import fcntl
import shutil
from pathlib import Path

from causeway.host.command import run
from causeway.lab.images import checkout, debian, node

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "cloud-init", "openssh-server", "python3", "netbase", "procps"),
    *("iproute2", "iputils-ping", "e2fsprogs", "util-linux", "mount", "kmod"),
)
SETTINGS = (
    "etc/cloud/cloud.cfg.d/99-node.cfg",
    "etc/systemd/journald.conf.d/node.conf",
    "etc/systemd/system.conf.d/node.conf",
)
RECIPE = 1


def build(cache: Path, log: Path) -> Path:
    """Return the packed image, made unless it is cached; test runs at the same time make it once."""
    (cache / "images").mkdir(parents=True, exist_ok=True)
    with (cache / "images" / "small-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tree = debian.tree(cache, "small-server", PACKAGES, variant="minbase", log=log)
        settings = checkout.fingerprint([node.FILES / "node" / name for name in SETTINGS])
        name = f"small-server-{debian.digest(RECIPE, tree.name, node.MASKED, settings)}.tar.zst"
        return _packed(tree, cache / "images" / name)


def _packed(tree: Path, target: Path) -> Path:
    if not target.exists():
        partial = target.with_name(f"{target.name}.partial")
        root = target.with_name(f"{target.name}.root")
        shutil.rmtree(root, ignore_errors=True)
        run("cp", "--archive", "--reflink=auto", tree, root)
        _configure(root)
        run("tar", "--zstd", "--numeric-owner", "-C", root, "-cf", partial, ".")
        shutil.rmtree(root)
        partial.rename(target)
    return target


def _configure(root: Path) -> None:
    for name in SETTINGS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(node.FILES / "node" / name, root / name)
    for unit in node.MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    for path in root.glob("etc/ssh/ssh_host_*"):
        path.unlink()
    for empty in ("etc/machine-id", "etc/fstab"):
        (root / empty).write_text("")
    run("chroot", root, "systemctl", "--quiet", "enable", "systemd-networkd", "ssh")
    run("chroot", root, "systemctl", "--quiet", "set-default", "multi-user.target")
