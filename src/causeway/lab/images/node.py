"""The root file system platform nodes boot from, in stages from what hardly ever changes to what changes
daily.

1. Debian packages;
2. the Kubernetes release: programs, units and configuration, and all container images but one; packed;
3. the container image of Causeway itself, as a small archive appended to the packed stage 2.

Container images are put in by the containerd of the root file system itself, see ``files/import.sh``.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem
from causeway.lab.images import checkout, debian
from causeway.lab.images.containers import Archive, short_name

# Bump when stages are put together differently from equal inputs.
RECIPE = 1
FILES = Path(__file__).parent / "files"
PACKAGES = (
    *("systemd", "systemd-sysv", "systemd-resolved", "dbus", "cloud-init", "sudo"),
    *("containerd", "runc", "containernetworking-plugins"),
    *("openssh-server", "ca-certificates", "curl", "netbase", "iproute2", "iputils-ping", "procps"),
    *("iptables", "conntrack", "ethtool", "socat", "kmod", "e2fsprogs", "util-linux", "mount", "python3"),
    # Shares of CephFS are mounted without a module of the kernel.
    "ceph-fuse",
)
PROGRAMS = ("kubeadm", "kubelet", "kubectl")
ENABLED = ("systemd-networkd", "systemd-resolved", "containerd", "kubelet", "ssh", "stop-pods")
# A node is a system container: kernel modules, devices, consoles and the kernel's own file systems are the
# machine's, and package updates and file system checks have nothing to do in it.
MASKED = (
    *("systemd-modules-load.service", "systemd-binfmt.service", "systemd-pstore.service"),
    *("systemd-remount-fs.service", "systemd-random-seed.service", "systemd-firstboot.service"),
    *("kmod-static-nodes.service", "modprobe@.service", "systemd-hwdb-update.service"),
    *("systemd-networkd-wait-online.service", "systemd-journald-audit.socket"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount"),
    *("sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "tmp.mount"),
    *("getty@.service", "console-getty.service", "getty-static.service", "serial-getty@.service"),
    *("cloud-init-hotplugd.socket", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer"),
    *("fstrim.timer", "e2scrub_all.timer", "e2scrub_reap.service"),
)
EMPTY_DIRECTORIES = (
    *("opt/cni/bin", "etc/cni/net.d", "etc/kubernetes/manifests", "var/lib/kubelet", "var/lib/etcd"),
    "usr/libexec/kubernetes/kubelet-plugins/volume/exec",
)
# Of the machine that built the image, or of one node alone: every node makes its own.
REMOVED = (
    "etc/ssh/ssh_host_*",
    "etc/hostname",
    "etc/resolv.conf",
    "var/lib/dbus/machine-id",
    "var/lib/cloud/*",
)


def content(stage: Path, causeway: Archive) -> str:
    """Return the digest that names the packed image: of all it is made of."""
    return debian.digest(RECIPE, stage.name, causeway.name, causeway.path.name, _script_facts())


def stage(
    cache: Path, binaries: Mapping[str, Path], archives: Sequence[Archive], *, release: str, log: Path
) -> Path:
    """Return stage 2, a directory with ``root`` and ``packed.tar.zst``, making it unless it is cached.

    ``binaries`` are Kubernetes' programs by name, ``archives`` the images that seldom change, kubeadm's among
    them, ``release`` the Kubernetes version.
    """
    packages = debian.tree(cache, "node", PACKAGES, variant="minbase", log=log)
    facts = [
        *(RECIPE, release, packages.name, [[each.name, each.path.name] for each in archives]),
        *(ENABLED, MASKED, EMPTY_DIRECTORIES, REMOVED),
        *(checkout.fingerprint([FILES / "node"]), _script_facts()),
    ]
    target = cache / "images" / f"node-{debian.digest(*facts)}"
    if not target.is_dir():
        partial = target.with_name(f"{target.name}.partial")
        debian.discard(partial)
        partial.mkdir()
        root = partial / "root"
        run("cp", "--archive", "--reflink=auto", packages, root)
        pause = next(each.name for each in archives if short_name(each.name) == "pause")
        _configure(root, binaries, pause)
        _in_namespaces("stage.sh", partial, *(each.path for each in archives), log=log)
        partial.rename(target)
    return target


def pack(cache: Path, stage: Path, causeway: Archive, *, log: Path) -> Path:
    """Return the packed image (tar, zstd) of ``stage`` with ``causeway``, making it unless it is cached."""
    target = cache / "images" / f"node-{content(stage, causeway)}.tar.zst"
    if not target.exists():
        partial = target.with_name(f"{target.name}.partial")
        partial.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="pack-") as scratch:
            _in_namespaces("pack.sh", stage, scratch, partial, causeway.path, log=log)
        partial.rename(target)
    return target


def _configure(root: Path, binaries: Mapping[str, Path], pause: str) -> None:
    for pattern in REMOVED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(root / "etc/cni/net.d", ignore_errors=True)
    for directory in EMPTY_DIRECTORIES:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        shutil.copy(binaries[program], root / "usr/bin" / program)
    shutil.copytree(FILES / "node", root, dirs_exist_ok=True)
    (root / "usr/libexec/causeway/stop-pods").chmod(0o755)
    # Not in a file that is imported: containerd 1.7 replaces a plugin's whole section by an imported one.
    containerd = root / "etc/containerd/config.toml"
    containerd.write_text(containerd.read_text().replace("@PAUSE@", pause))
    # The one plugin containerd itself calls; the network's own is put beside it when it is installed.
    (root / "opt/cni/bin/loopback").symlink_to("/usr/lib/cni/loopback")
    # Settings of the kernel are the machine's, but for those of the node's own network.
    for path in (root / "usr/lib/sysctl.d").glob("*.conf"):
        _link(root / "etc/sysctl.d" / path.name, "/dev/null")
    _link(root / "etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
    (root / "etc/machine-id").write_text("")
    (root / "etc/fstab").write_text("")
    for tool in ("iptables", "ip6tables"):
        # The kernel of a small machine may lack what the newer tables need.
        run("chroot", root, "update-alternatives", "--quiet", "--set", tool, f"/usr/sbin/{tool}-legacy")
    for unit in MASKED:
        _link(root / "etc/systemd/system" / unit, "/dev/null")
    run("chroot", root, "systemctl", "--quiet", "enable", *ENABLED)
    run("chroot", root, "systemctl", "--quiet", "set-default", "multi-user.target")


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _script_facts() -> str:
    return checkout.fingerprint([FILES / name for name in ("import.sh", "stage.sh", "pack.sh")])


def _in_namespaces(script: str, *arguments: Path | str, log: Path) -> None:
    """Run one of our scripts so that its mounts and processes end with it, however it ends."""
    try:
        unshare = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
        run(*unshare, "bash", FILES / script, *arguments, log=log)
    except CommandFailed as failure:
        raise Problem.of(
            "node image",
            f"{script} failed:\n{failure.findings[0].remedy}",
            f"Read {log}; `causeway lab image --rebuild` starts from nothing.",
        ) from failure
