"""The root file system the lab's services run in: Debian and OpenStack packages, built once into a cache.

A build goes into a directory of its own and is renamed when complete, so an interrupted build is simply made
again and a directory with the final name is always whole. Extras are a layer of their own above the base.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from causeway.host.command import CommandFailed, run, succeeds
from causeway.kit.errors import Problem
from causeway.lab import mirror, packages

# Bump when the recipe changes in a way the package lists do not show.
RECIPE = 1
# Documentation and translations are half of the files and nobody reads them in the lab.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# A build whose starter is gone must not go on in the directory its successor works in.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "TERM")
MESSAGING = "usr/lib/python3/dist-packages/oslo_messaging/_drivers/amqpdriver.py"


def base_path(cache: Path) -> Path:
    """Return where the base root file system lies (or will lie) in ``cache``."""
    return cache / f"rootfs-{_digest(packages.BASE)}"


def layer_path(cache: Path, extras: Collection[str]) -> Path:
    """Return where the layer of ``extras`` lies (or will lie) in ``cache``."""
    return cache / f"rootfs-{_digest(packages.BASE)}-extras-{_digest(packages.of_extras(extras))}"


def lower_directories(cache: Path, extras: Collection[str]) -> tuple[Path, ...]:
    """Return the read-only directories of the lab's overlay, topmost first."""
    base = base_path(cache)
    return (layer_path(cache, extras), base) if extras else (base,)


def build_base(cache: Path, log: Path) -> None:
    """Build the base root file system unless it is there; raises ``Problem`` without a working mirror."""
    with _alone(cache):
        target = base_path(cache)
        if not target.is_dir():
            _build_base(target, log)


def _build_base(target: Path, log: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    _discard(partial)
    try:
        run(
            *ENDS_WITH_US,
            "mmdebstrap",
            *_arguments(),
            packages.SUITE,
            partial,
            *mirror.lines(mirror.of_machine(), packages.SUITE),
            log=log,
        )
    except CommandFailed as failure:
        raise _explained(failure, log) from failure
    (partial / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (partial / "usr/sbin/policy-rc.d").chmod(0o755)
    _patch_messaging(partial / MESSAGING)
    os.sync()
    partial.rename(target)


def build_layer(cache: Path, extras: Collection[str], log: Path) -> None:
    """Build the layer of ``extras`` above the base unless it is there."""
    if not extras:
        return
    with _alone(cache):
        target = layer_path(cache, extras)
        if not target.is_dir():
            _build_layer(base_path(cache), extras, target, log)


def _build_layer(base: Path, extras: Collection[str], target: Path, log: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    _discard(partial)
    upper, work, root = (partial / name for name in ("upper", "work", "root"))
    for directory in (upper, work, root):
        directory.mkdir(parents=True)
    wanted = " ".join(packages.of_extras(extras))
    script = " && ".join(
        [
            f"mount -t overlay overlay -o lowerdir={base},upperdir={upper},workdir={work} {root}",
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs tmpfs {root}/run",
            f"cp /etc/resolv.conf {root}/etc/resolv.conf",
            f"chroot {root} apt-get update",
            f"chroot {root} apt-get install -y --no-install-recommends {wanted}",
            f"chroot {root} apt-get clean",
        ]
    )
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C.UTF-8",
    }
    try:
        # A mount namespace of its own: whatever happens to this process, no mount stays behind.
        run(*ENDS_WITH_US, "unshare", "--mount", "sh", "-c", script, env=environment, log=log)
    except CommandFailed as failure:
        raise _explained(failure, log) from failure
    os.sync()
    upper.rename(target)
    shutil.rmtree(partial)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Wait until no other lab builds in ``cache``."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "rootfs.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(names: Sequence[str]) -> str:
    text = json.dumps([RECIPE, packages.SUITE, sorted(names)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _arguments() -> list[str]:
    excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    return [
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--include={','.join(packages.BASE)}",
        *excludes,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        "--dpkgopt=force-unsafe-io",
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::Retries "3"',
    ]


def _patch_messaging(path: Path) -> None:
    """Shorten the poll of RPC replies, which costs every call between services half a second.

    Speed only, not function: the packaged driver sleeps 0.5 s between looks at its reply queue.
    """
    text = path.read_text()
    patched, count = re.subn(r"time\.sleep\(0\.5\)", "time.sleep(0.005)", text)
    if count:
        path.write_text(patched)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()


def _discard(partial: Path) -> None:
    """Remove what an interrupted build left, its mounts first (mmdebstrap mounts below its target)."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        where = line.split()[1]
        if where.startswith(f"{partial}/"):
            succeeds("umount", "--lazy", where)
    if partial.exists():
        shutil.rmtree(partial)


def _explained(failure: CommandFailed, log: Path) -> Problem:
    unreachable = (
        "Could not resolve",
        "Could not connect",
        "Failed to fetch",
        "Unable to fetch",
        "Connection failed",
    )
    if any(sign in failure.output for sign in unreachable):
        return Problem.of(
            "package mirror",
            "it does not answer, or does not have what the lab needs",
            f"Check the network and /etc/apt/sources.list, then run the command again. Details: {log}",
        )
    return Problem.of("root file system", "it could not be built", f"Read {log} and run the command again.")
