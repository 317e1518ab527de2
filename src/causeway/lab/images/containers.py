"""The container images every node of a platform has from the start.

kubeadm's own images are single static binaries; ours are Debian packages plus code. An archive's name
contains a digest of all it is made of, so one that is there is never made again.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.lab.images import checkout, debian, kubernetes, registry, sidecars
from causeway.lab.images.kubernetes import Component
from causeway.lab.images.oci import Entry, Layer, entries, write_archive, write_layer

# Bump when the images are put together differently from equal inputs.
RECIPE = 2
CAUSEWAY = "localhost/causeway:0.1.0"
NEEDS = "localhost/causeway-needs:0.1.0"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Debian's Python looks for administrators' packages here.
SITE = "usr/local/lib/python3.13/dist-packages"
# base-files has the links that lead to the dynamic loader; the volume driver makes and mounts file systems.
PYTHON_PACKAGES = (
    *("base-files", "python3", "ca-certificates"),
    *("mount", "util-linux", "e2fsprogs", "xfsprogs"),
)
# What Causeway runs in its own container.
PROGRAM_PACKAGES = ("haproxy",)
WHEELS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
ACCOUNTS = (
    Entry(
        "etc/passwd",
        b"root:x:0:0:root:/root:/sbin/nologin\napp:x:999:999:app:/tmp:/sbin/nologin\n",
        mode=0o644,
    ),
    Entry("etc/group", b"root:x:0:\napp:x:999:\n", mode=0o644),
    Entry("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n", mode=0o644),
    Entry("tmp", mode=0o1777),
)


@dataclass(frozen=True)
class Archive:
    """An image in an OCI archive."""

    name: str
    path: Path


def kubeadm_image_names(kubeadm: Path) -> list[str]:
    """Return the images a platform without kube-proxy needs, named as kubeadm names them."""
    printed = run(kubeadm, "config", "images", "list", f"--kubernetes-version={kubernetes.VERSION}")
    return [name for name in printed.split() if short_name(name) != "kube-proxy"]


def short_name(image: str) -> str:
    """Return the last part of an image's name, without its tag."""
    return image.rpartition("/")[2].partition(":")[0]


class Builder:
    """Makes the archives that are missing, below ``cache``; prints of the tools used go to ``log``."""

    def __init__(self, cache: Path, log: Path) -> None:
        self.cache = cache
        self.log = log
        self.directory = cache / "images"
        self.directory.mkdir(parents=True, exist_ok=True)

    def lasting(self, binaries: Mapping[str, Path]) -> list[Archive]:
        """Return the images that seldom change.

        They are kubeadm's, the volume driver's sidecars, the registry, and what Causeway needs.
        """
        kubeadm = [self._of_kubeadm(name, binaries) for name in kubeadm_image_names(binaries["kubeadm"])]
        alone = (*sidecars.COMPONENTS, registry.COMPONENT)
        beside = [self._program(each, binaries[each.name]) for each in alone]
        return [*kubeadm, *beside, self._needs()]

    def _of_kubeadm(self, name: str, binaries: Mapping[str, Path]) -> Archive:
        """An image of one static binary, at the path and with the entry point kubeadm's manifests expect."""
        program = short_name(name)
        if program == "pause":
            source = debian.tree(self.cache, "pause", ("catatonit",), log=self.log) / "usr/bin/catatonit"
            config: dict[str, Any] = {"Entrypoint": ["/pause", "-P"], "User": "65535:65535"}
            target = "pause"
        elif program in binaries:
            source = binaries[program]
            # CoreDNS is started by its entry point, the others by name from the search path.
            config = {"Entrypoint": [f"/{program}"]} if program == "coredns" else {}
            target = program if program == "coredns" else f"usr/local/bin/{program}"
        else:
            raise Problem.of(
                f"image {name}",
                f"kubeadm {kubernetes.VERSION} wants it and we have no recipe",
                "Report this.",
            )
        facts = (name, config, _stamp(source))
        members = [*ACCOUNTS, Entry(target, source)]
        return self.archive(name, facts, config, lambda: [self.layer(program, facts, lambda _: members)])

    def _program(self, component: Component, binary: Path) -> Archive:
        """An image of one program, started as the official one is: by its arguments alone."""
        name = f"localhost/{component.name}:{component.version}"
        config = {"Entrypoint": [f"/{component.name}"], "User": "65534:65534"}
        facts = (name, config, _stamp(binary))
        members = [*ACCOUNTS, Entry(component.name, binary)]
        return self.archive(
            name, facts, config, lambda: [self.layer(component.name, facts, lambda _: members)]
        )

    def causeway(self) -> Archive:
        """Return Causeway's image: what it needs, and a layer of this source tree's code."""
        top = checkout.root()
        lock = self._lock()
        code = checkout.fingerprint([top / "src" / "causeway", top / "pyproject.toml"])
        config = {"Entrypoint": ["/usr/bin/python3", "-m", "causeway"], "Env": [PATH, "PYTHONUNBUFFERED=1"]}

        def layers() -> list[Layer]:
            project = self.layer("causeway-code", [code], lambda scratch: self._project(top, scratch))
            return [*self._needed_layers(lock), project]

        return self.archive(CAUSEWAY, [lock, PROGRAM_PACKAGES, code], config, layers)

    def _needs(self) -> Archive:
        """What Causeway needs, as an image: a node that has it gets Causeway itself in a moment."""
        lock = self._lock()
        return self.archive(NEEDS, [lock, PROGRAM_PACKAGES], {}, lambda: self._needed_layers(lock))

    def _needed_layers(self, lock: str) -> list[Layer]:
        needs = self.layer("causeway-needs", [lock], lambda scratch: self._locked(lock, scratch))
        return [self.python(), self._programs(), needs]

    def _programs(self) -> Layer:
        """What the packages of programs add to Debian's Python."""
        lower = self.python_tree()
        tree = debian.tree(self.cache, "programs", (*PYTHON_PACKAGES, *PROGRAM_PACKAGES), log=self.log)
        return self.layer("causeway-programs", [lower.name, tree.name], lambda _: above(lower, tree))

    def _lock(self) -> str:
        top = checkout.root()
        needed = checkout.runtime_projects((top / "pyproject.toml").read_text())
        return checkout.locked_runtime((top / "requirements.lock").read_text(), needed)

    def python(self) -> Layer:
        """Debian's Python with the authorities a TLS client trusts: the lowest layer of all Python images."""
        tree = self.python_tree()

        def members(scratch: Path) -> Iterator[Entry]:
            root = _copied(tree, scratch)
            _compile(root, "usr/lib/python3.13")
            certificates = sorted((tree / "usr/share/ca-certificates").rglob("*.crt"))
            # Of xfsprogs only what looks for doubtful names needs these tables, and they are most of it.
            yield from (each for each in entries(root, without=UNUSED) if "/libicu" not in each.path)
            yield from ACCOUNTS
            bundle = b"".join(path.read_bytes() for path in certificates)
            yield Entry("etc/ssl/certs/ca-certificates.crt", bundle, mode=0o644)

        return self.layer("python", [tree.name], members)

    def python_tree(self) -> Path:
        """Return the directory that layer is made from."""
        return debian.tree(self.cache, "python", PYTHON_PACKAGES, log=self.log)

    def _locked(self, lock: str, scratch: Path) -> Iterator[Entry]:
        """Install what a lock file names, as wheels for Debian's Python, by the pip that runs here."""
        requirements = scratch / "requirements.lock"
        requirements.write_text(lock)
        machine = run("uname", "-m").strip()
        return self._installed(
            scratch,
            *("--python-version=3.13", "--implementation=cp", "--only-binary=:all:", "--require-hashes"),
            *(f"--platform={kind}_{machine}" for kind in WHEELS),
            *("-r", str(requirements)),
        )

    def _project(self, top: Path, scratch: Path) -> Iterator[Entry]:
        """Install the project itself; its build tools are those of the environment that runs here."""
        return self._installed(scratch, "--no-build-isolation", str(top))

    def _installed(self, scratch: Path, *words: str) -> Iterator[Entry]:
        root = _copied(self.python_tree(), scratch)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run(*pip, "--no-compile", f"--target={root / SITE}", *words, log=self.log)
        shutil.rmtree(root / SITE / "bin", ignore_errors=True)
        # Only the Python that will run it can compile it.
        _compile(root, SITE)
        return entries(root, "usr/local/lib/python3.13")

    def layer(self, name: str, facts: object, members: Callable[[Path], Iterable[Entry]]) -> Layer:
        """Return the layer of ``members(scratch directory)``, which are not asked for when it is cached."""
        path = self.directory / f"layer-{name}-{debian.digest(RECIPE, facts)}.tar"
        record = path.with_suffix(".digest")
        if not record.exists():
            partial = path.with_name(f"{path.name}.partial")
            with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
                layer = write_layer(members(Path(scratch)), partial)
            partial.rename(path)
            record.write_text(layer.digest)
        return Layer(path, record.read_text(), path.stat().st_size)

    def archive(
        self, name: str, facts: object, config: Mapping[str, Any], layers: Callable[[], Sequence[Layer]]
    ) -> Archive:
        """Return the image of ``layers()``, lowest first, which are not asked for when it is cached.

        ``facts`` (JSON values) are all that its content depends on.
        """
        path = (
            self.directory
            / f"image-{short_name(name)}-{debian.digest(RECIPE, facts, config, debian.RECIPE)}.tar"
        )
        if not path.exists():
            partial = path.with_name(f"{path.name}.partial")
            write_archive(name, layers(), config, partial)
            partial.rename(path)
        return Archive(name, path)


# Package management is of no use in a container that is replaced as a whole.
UNUSED = (
    "dev",
    "proc",
    "sys",
    "run",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
)


def above(lower: Path, tree: Path) -> Iterator[Entry]:
    """Yield what ``tree`` has and ``lower`` lacks: the layer that makes the one of the other."""
    for entry in entries(tree, without=UNUSED):
        if not os.path.lexists(lower / entry.path):
            yield entry


def _copied(tree: Path, scratch: Path) -> Path:
    """Return a copy of ``tree`` in ``scratch`` that may be added to: the files themselves are shared."""
    root = scratch / "root"
    run("cp", "--archive", "--link", tree, root)
    return root


def _compile(tree: Path, below: str) -> None:
    """Compile Python files in ``tree``; compiled files carry no times, so they stay valid in an image."""
    run(
        "chroot",
        tree,
        "python3",
        "-m",
        "compileall",
        "-q",
        "-j0",
        "--invalidation-mode=unchecked-hash",
        f"/{below}",
    )


def _stamp(binary: Path) -> str:
    """Return the recorded checksum of a binary in the cache."""
    sums = binary.with_name(kubernetes.SUMS)
    return sums.read_text() if sums.exists() else checkout.fingerprint([binary])
