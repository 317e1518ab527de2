"""A small Ceph (``--with ceph``): one daemon of each kind, its bytes in a file of the lab.

Manila's shares of the type ``cephfs`` lie on it, and radosgw answers S3 for the users of Keystone.
"""

import shlex
from collections.abc import Mapping

from causeway.lab.model import Command, Copy, Directory, File, Http, Logged, Service, Step, Unit

DATA = "/var/lib/ceph"
NAME = "lab"
FILE_SYSTEM = "cephfs"
S3_PORT = 7480
CONFIGURATION = File("ceph.conf.j2", "/etc/ceph/ceph.conf", mode=0o644)
GATEWAY = File("radosgw.conf.j2", "/etc/causeway/radosgw.conf")
DISK = f"{DATA}/osd/ceph-0"
DISK_ID = "/etc/ceph/osd.uuid"
MONITOR_KEY = "/etc/ceph/ceph.mon.keyring"
# Who may do what: name to (where its key lies, capabilities by the kind of daemon). The monitor is born with
# all of them, so that none has to be asked of it later.
KEYS: dict[str, tuple[str, dict[str, str]]] = {
    "client.admin": (
        "/etc/ceph/ceph.client.admin.keyring",
        {"mon": "allow *", "mgr": "allow *", "osd": "allow *", "mds": "allow *"},
    ),
    f"mgr.{NAME}": (
        f"{DATA}/mgr/ceph-{NAME}/keyring",
        {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
    ),
    "osd.0": (
        "/etc/ceph/ceph.osd.keyring",
        {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"},
    ),
    f"mds.{NAME}": (
        f"{DATA}/mds/ceph-{NAME}/keyring",
        {"mon": "allow profile mds", "mgr": "allow profile mds", "osd": "allow rwx", "mds": "allow *"},
    ),
    f"client.rgw.{NAME}": (
        f"{DATA}/radosgw/ceph-rgw.{NAME}/keyring",
        {"mon": "allow rw", "osd": "allow rwx"},
    ),
    # What Manila's driver asks for, and no more: all else the manager does for it.
    "client.manila": ("/etc/ceph/ceph.client.manila.keyring", {"mon": "allow r", "mgr": "allow rw"}),
}


def units() -> tuple[Unit, ...]:
    """Return the units of the storage cluster."""
    pools = {kind: f"{FILE_SYSTEM}.{kind}" for kind in ("meta", "data")}
    return (
        Step("ceph-cluster", _shell(_cluster()), files=(CONFIGURATION,), directories=_directories()),
        _daemon("mon", NAME, needs=("ceph-cluster",), says="is new leader"),
        _daemon(
            "mgr",
            NAME,
            needs=("ceph-mon",),
            # The module Manila works with.
            says="Constructed class from module: volumes",
            files=(Copy("drivers/ceph_bcrypt.py", "/usr/share/ceph/mgr/bcrypt.py"),),
        ),
        Step("ceph-disk", _shell(_disk()), needs=("ceph-mon",), files=(CONFIGURATION,)),
        _daemon("osd", "0", needs=("ceph-disk",), says="state: booting -> active"),
        Step(
            "ceph-file-system",
            _shell(
                (
                    *(("ceph", "osd", "pool", "create", pool) for pool in pools.values()),
                    ("ceph", "fs", "new", FILE_SYSTEM, *pools.values()),
                )
            ),
            needs=("ceph-osd",),
        ),
        _daemon("mds", NAME, needs=("ceph-file-system",), says="--> up:active"),
        Service(
            "radosgw",
            ("radosgw", "-f", "--conf", GATEWAY.path, "--name", f"client.rgw.{NAME}"),
            needs=("ceph-osd", "ceph-identities"),
            files=(GATEWAY,),
            ready=Http(S3_PORT),
        ),
    )


def _daemon(
    kind: str,
    name: str,
    *,
    needs: tuple[str, ...],
    says: str,
    files: tuple[File | Copy, ...] = (),
) -> Service:
    """Return a daemon; it is ready when it ``says`` so.

    Asking the cluster instead takes a Python program each time, which alone can keep a small machine busy.
    """
    return Service(
        f"ceph-{kind}",
        (f"ceph-{kind}", "-f", "--id", name),
        needs=needs,
        files=(CONFIGURATION, *files),
        directories=(Directory("/run/ceph"),),
        ready=Logged(says),
    )


def _directories() -> tuple[Directory, ...]:
    return tuple(Directory(path.rpartition("/")[0]) for path, _ in KEYS.values())


def _cluster() -> tuple[Command, ...]:
    """Make the keys and the monitor's data, from nothing each time."""
    data = f"{DATA}/mon/ceph-{NAME}"
    keys = [_key(MONITOR_KEY, "mon.", {"mon": "allow *"})]
    for name, (path, capabilities) in KEYS.items():
        keys.append(_key(path, name, capabilities))
        keys.append(("ceph-authtool", MONITOR_KEY, "--import-keyring", path))
    return (
        ("rm", "-rf", data),
        ("mkdir", "-p", data),
        *keys,
        ("ceph-mon", "--mkfs", "--id", NAME, "--keyring", MONITOR_KEY),
        ("cp", "/proc/sys/kernel/random/uuid", DISK_ID),
    )


def _key(path: str, name: str, capabilities: Mapping[str, str]) -> Command:
    words = (word for kind, what in capabilities.items() for word in ("--cap", kind, what))
    return ("ceph-authtool", "--create-keyring", path, "--gen-key", "-n", name, *words)


def _disk() -> tuple[Command, ...]:
    """Make the disk: a file that takes no more room than what is written to it."""
    key = KEYS["osd.0"][0]
    return (
        ("rm", "-rf", DISK),
        ("mkdir", "-p", DISK),
        ("cp", key, f"{DISK}/keyring"),
        ("sh", "-c", f'ceph osd new "$(cat {DISK_ID})" 0'),
        ("sh", "-c", f'ceph-osd --mkfs --id 0 --osd-uuid "$(cat {DISK_ID})"'),
    )


def _shell(commands: tuple[Command, ...]) -> Command:
    return ("sh", "-c", " && ".join(shlex.join(command) for command in commands))
