"""Building Go programs from published modules, for machines that have no prebuilt binaries at hand.

A module of ours, generated in the cache, requires the program's module at one version; the toolchain
downloads the sources and verifies them against the public checksum database. Nothing is downloaded but
modules.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from causeway.host.command import CommandFailed, run
from causeway.kit.errors import Problem
from causeway.lab.images import debian

# The oldest toolchain that fetches a newer one by itself when a module asks for it.
OLDEST = (1, 21)
# Arguments: the tree, a directory, where that is mounted in the tree, and a command to run in it. Names
# and authorities are looked up as the machine does.
ENTER = """set -e
root=$1 shared=$2 inside=$3
shift 3
mkdir -p "$inside"
mount --bind "$shared" "$inside"
mount -t proc proc "$root/proc"
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e $file ] || cp $file "$root$file"
done
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Module:
    """A module of ours: what it requires and which programs of it are built."""

    name: str
    language: str  # version of Go the sources are written for, which decides the toolchain and its defaults
    requires: Mapping[str, str]  # module path -> version
    programs: Mapping[str, str]  # name of the binary -> package
    replaces: Mapping[str, str] = field(default_factory=dict)  # module path -> version
    variables: Mapping[str, str] = field(
        default_factory=dict
    )  # package.variable -> value stamped by the linker
    sources: Mapping[str, str] = field(default_factory=dict)  # file name -> text
    tags: tuple[str, ...] = ()


def go_mod(module: Module) -> str:
    """Return the text of the module's ``go.mod``."""
    lines = [f"module causeway.dev/build/{module.name}", "", f"go {module.language}", ""]
    lines += [f"require {path} {version}" for path, version in sorted(module.requires.items())]
    lines += [f"replace {path} => {path} {version}" for path, version in sorted(module.replaces.items())]
    return "\n".join(lines) + "\n"


def linker_flags(module: Module) -> str:
    """Return ``-ldflags``: no symbol tables, and the stamped variables."""
    stamps = [f"-X {name}={value}" for name, value in sorted(module.variables.items())]
    return " ".join(["-s -w", *stamps])


class Toolchain:
    """The Go toolchain: the machine's own when it is new enough, else Debian's in a tree of its own."""

    def __init__(self, cache: Path, log: Path) -> None:
        self.cache = cache / "go"
        self.log = log
        self.cache.mkdir(parents=True, exist_ok=True)
        self._prefix = [] if _usable(shutil.which("go")) else _chroot(cache, self.cache, log)

    def published(self, path: str, version: str) -> "Published":
        """Download one module version and return what is known about it."""
        answer = json.loads(self._go("mod", "download", "-json", f"{path}@{version}", cwd=self.cache))
        info = json.loads(Path(answer["Info"]).read_text())
        return Published(Path(answer["GoMod"]).read_text(), info["Time"], Path(answer["Zip"]))

    def build(self, module: Module, target: Path) -> None:
        """Build all programs of ``module`` into the directory ``target``, as static binaries."""
        home = self.cache / "modules" / module.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "go.mod").write_text(go_mod(module))
        for name, text in module.sources.items():
            (home / name).write_text(text)
        # Programs of one module share one call, so that what they share is compiled once; the output is
        # put below the cache because a toolchain in its own root file system sees nothing else.
        out = home / "out"
        out.mkdir()
        flags = ["-p", "2", "-trimpath", "-tags", ",".join(module.tags), "-ldflags", linker_flags(module)]
        if len(module.programs) == 1:
            ((name, package),) = module.programs.items()
            self._go("build", *flags, "-o", str(out / name), package, cwd=home, log=True)
        else:
            self._go("build", *flags, "-o", f"{out}/", *module.programs.values(), cwd=home, log=True)
        for name in module.programs:
            shutil.move(out / name, target / name)
        shutil.rmtree(out)

    def _go(self, *words: str, cwd: Path, log: bool = False) -> str:
        settings = {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto"),
            "GOMODCACHE": str(self.cache / "mod"),
            "GOCACHE": str(self.cache / "build"),
            "GOPATH": str(self.cache / "path"),
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        # The build leaves the machine usable: it may take every core, but only when nobody else wants it.
        argv = [*self._prefix, "nice", "-n", "10", "env", f"--chdir={cwd}", "go", *words]
        try:
            return run(*argv, env=os.environ | settings, log=self.log if log else None)
        except CommandFailed as failure:
            raise Problem.of(
                f"building with Go in {cwd}",
                failure.findings[0].remedy,
                "Check that Go modules can be downloaded, or put binaries into CAUSEWAY_ASSETS. "
                f"Log: {self.log}",
            ) from failure


def forget_builds(cache: Path) -> None:
    """Remove the sources and intermediate results of all builds."""
    shutil.rmtree(cache / "go", ignore_errors=True)


@dataclass(frozen=True)
class Published:
    """A published module version: its ``go.mod``, when it was made (RFC 3339), and its sources as a zip."""

    go_mod: str
    time: str
    sources: Path

    @property
    def language(self) -> str:
        """The version of Go it is written for."""
        found = re.search(r"^go (\S+)$", self.go_mod, flags=re.MULTILINE)
        return found[1] if found else "1.21"


def _usable(go: str | None) -> bool:
    if go is None:
        return False
    stated = run(go, "env", "GOVERSION", env=os.environ | {"GOTOOLCHAIN": "local"})
    version = re.match(r"go(\d+)\.(\d+)", stated)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST


def _chroot(cache: Path, shared: Path, log: Path) -> list[str]:
    """Return the words that run a command in a tree with Debian's Go, ``shared`` at the same path."""
    root = debian.tree(cache, "golang", ("golang-go", "ca-certificates"), log=log, variant="minbase")
    inside = root / shared.relative_to("/")
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", str(root), str(shared), str(inside)]
