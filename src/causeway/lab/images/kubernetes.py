"""Binaries of one Kubernetes release, and of the etcd and CoreDNS that belong to it.

Each component is taken from the first place that has it: ``CAUSEWAY_ASSETS``, the cache, the official
download site, and in the end its published sources. A component is put into the cache whole, with a
checksum file, by one rename; a binary that does not state the expected version is refused.
"""

import hashlib
import os
import platform
import re
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem
from causeway.kit.progress import Progress
from causeway.lab.images.golang import Module, Toolchain, forget_builds
from causeway.lab.images.lock import alone

VERSION = "v1.35.4"
# kubeadm of this release names an older etcd and CoreDNS; these are the nearest published ones, and
# compatible.
ETCD = "v3.6.16"
COREDNS = "v1.14.7"
DOWNLOADS = "https://dl.k8s.io/release"
SUMS = "SHA256SUMS"
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Binary:
    """A program and the arguments that make it print its version."""

    name: str
    version_arguments: tuple[str, ...] = ("--version",)


@dataclass(frozen=True)
class Component:
    """Programs of one version that are obtained together."""

    name: str
    version: str
    binaries: tuple[Binary, ...]
    module: Callable[[Toolchain], Module]
    downloads: str | None = None

    def directory(self, cache: Path) -> Path:
        """Return where the component lies (or will lie) in ``cache``."""
        return cache / self.name / self.version


def staging_modules(text: str) -> list[str]:
    """Return the modules a Kubernetes ``go.mod`` requires at v0.0.0: those of the same repository."""
    return re.findall(r"^\s*(k8s\.io/[a-z0-9-]+) v0\.0\.0$", text, flags=re.MULTILINE)


def kubernetes_module(toolchain: Toolchain) -> Module:
    """Return how Kubernetes is built from its published modules.

    Its own modules require each other at v0.0.0, which exists nowhere: each is replaced by its published
    version, which is that of Kubernetes with major version 0. The version is stamped as the official
    build does.
    """
    published = toolchain.published("k8s.io/kubernetes", VERSION)
    major, minor, _ = VERSION[1:].split(".")
    stamp = {
        "gitVersion": VERSION,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": VERSION,
        "gitTreeState": "archive",
        "buildDate": published.time,
    }
    stamped = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return Module(
        name="kubernetes",
        language=published.language,
        requires={"k8s.io/kubernetes": VERSION},
        replaces=dict.fromkeys(staging_modules(published.go_mod), f"v0{VERSION[2:]}"),
        programs={binary.name: f"k8s.io/kubernetes/cmd/{binary.name}" for binary in KUBERNETES.binaries},
        variables={f"{package}.{name}": value for package in stamped for name, value in stamp.items()},
        tags=("grpcnotrace",),
    )


def etcd_module(toolchain: Toolchain) -> Module:
    """Return how etcd is built."""
    path = "go.etcd.io/etcd/server/v3"
    language = toolchain.published(path, ETCD).language
    return Module(name="etcd", language=language, requires={path: ETCD}, programs={"etcd": path})


def coredns_module(toolchain: Toolchain) -> Module:
    """Return how CoreDNS is built: with the plugins of a cluster, without those of single clouds."""
    path = "github.com/coredns/coredns"
    source = files("causeway.lab.images").joinpath("files/coredns.go").read_text()
    return Module(
        name="coredns",
        language=toolchain.published(path, COREDNS).language,
        requires={path: COREDNS},
        programs={"coredns": "."},
        sources={"main.go": source},
        tags=("grpcnotrace",),
    )


KUBERNETES = Component(
    name="kubernetes",
    version=VERSION,
    binaries=(
        Binary("kubeadm", ("version", "--output=short")),
        Binary("kubelet"),
        Binary("kubectl", ("version", "--client")),
        Binary("kube-apiserver"),
        Binary("kube-controller-manager"),
        Binary("kube-scheduler"),
    ),
    module=kubernetes_module,
    downloads=DOWNLOADS,
)
COMPONENTS = (
    KUBERNETES,
    Component("etcd", ETCD, (Binary("etcd"),), etcd_module),
    Component("coredns", COREDNS, (Binary("coredns", ("-version",)),), coredns_module),
)


def obtain(
    cache: Path,
    log: Path,
    progress: Progress,
    assets: Path | None = None,
    components: Sequence[Component] = COMPONENTS,
) -> dict[str, Path]:
    """Return the path of every binary of ``components`` by its name, obtaining what the cache lacks.

    Raises ``Problem`` when a component is found nowhere and cannot be built.
    """
    if assets is None and os.environ.get("CAUSEWAY_ASSETS"):
        assets = Path(os.environ["CAUSEWAY_ASSETS"])
    with alone(cache, "kubernetes", progress):
        lacking = [each for each in components if not each.directory(cache).is_dir()]
        for component in lacking:
            with progress.phase(f"{component.name} {component.version}") as phase:
                _store(component, cache, log, phase.waiting_for, assets)
        if lacking:
            # Sources and intermediate results are gigabytes, and of use only until all is there.
            forget_builds(cache)
    return {
        binary.name: component.directory(cache) / binary.name
        for component in components
        for binary in component.binaries
    }


def _store(
    component: Component, cache: Path, log: Path, say: Callable[[str], None], assets: Path | None
) -> None:
    target = component.directory(cache)
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if not (_from_assets(component, assets, partial, say) or downloaded(component, partial, say)):
        say("building from its sources; this takes minutes")
        toolchain = Toolchain(cache, log)
        toolchain.build(component.module(toolchain), partial)
    for binary in component.binaries:
        (partial / binary.name).chmod(0o755)
        stated = _stated_version(partial / binary.name, binary)
        if component.version.removeprefix("v") not in stated:
            raise Problem.of(
                str(partial / binary.name),
                f"it says {stated!r}, not {component.version}",
                "Remove it from CAUSEWAY_ASSETS, then run the command again.",
            )
    sums = "".join(f"{_sha256(partial / each.name)}  {each.name}\n" for each in component.binaries)
    (partial / SUMS).write_text(sums)
    partial.rename(target)


def _from_assets(
    component: Component, assets: Path | None, partial: Path, say: Callable[[str], None]
) -> bool:
    """Copy the component from ``assets``, flat or below NAME/VERSION; False when it is not there."""
    if assets is None:
        return False
    for directory in (component.directory(assets), assets):
        if all((directory / binary.name).is_file() for binary in component.binaries):
            say(f"copying from {directory}")
            for binary in component.binaries:
                shutil.copyfile(directory / binary.name, partial / binary.name)
            return True
    return False


def downloaded(component: Component, partial: Path, say: Callable[[str], None]) -> bool:
    """Download the component; False when it is not offered or the site does not answer."""
    if component.downloads is None:
        return False
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    base = f"{component.downloads}/{component.version}/bin/linux/{machine}"
    try:
        for binary in component.binaries:
            say(f"downloading {binary.name}")
            with _open(f"{base}/{binary.name}.sha256") as answer:
                expected = answer.read().decode().split()[0]
            with _open(f"{base}/{binary.name}") as answer, (partial / binary.name).open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
            if _sha256(partial / binary.name) != expected:
                raise Problem.of(
                    f"{base}/{binary.name}",
                    "what was downloaded does not have the published checksum",
                    "Run the command again; if it happens again, the download is tampered with.",
                )
    except OSError as error:
        say(f"{base} does not answer ({error}); going on without it")
        return False
    return True


def _open(url: str) -> IO[bytes]:
    answer: IO[bytes] = urllib.request.urlopen(url, timeout=CONNECT_SECONDS)  # noqa: S310  # https, and ours
    return answer


def _stated_version(path: Path, binary: Binary) -> str:
    try:
        return run(path, *binary.version_arguments, timeout=60).strip()
    except (CommandFailed, OSError) as error:
        raise Problem.of(
            str(path), f"it does not run here ({error})", "Remove it, then run the command again."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
