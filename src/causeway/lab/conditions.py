"""What a machine must be like for a lab, checked before anything is touched; each refusal has a remedy."""

import ipaddress
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from causeway.host.command import run
from causeway.kit.errors import Finding
from causeway.lab import mirror, packages, rootfs
from causeway.lab.settings import Settings

SUPPORTED = {("debian", "12"), ("debian", "13"), ("ubuntu", "24.04")}
MEMORY_GIB = 8
DISK_GIB = 15
TOOLS = ("mmdebstrap", "tini", "unshare", "nsenter", "ip", "losetup", "mount")


@dataclass(frozen=True)
class UsedRange:
    """A range of addresses something on the machine uses already."""

    network: str
    device: str


@dataclass(frozen=True)
class Machine:
    """The facts a lab depends on."""

    root: bool
    distribution: tuple[str, str]
    name: str
    memory_gib: float
    disk_gib: float
    ranges: tuple[UsedRange, ...]
    missing_tools: tuple[str, ...]
    # None: not asked, because nothing has to be downloaded.
    unreachable_mirror: str | None = None


def findings(lab: Settings, machine: Machine, *, built: bool) -> list[Finding]:
    """Return what stands against a lab on ``machine``; ``built`` says its files exist already."""
    if not machine.root:
        # Nothing else can be known for sure without it.
        return [
            Finding("user", "the lab needs root: it makes namespaces, mounts and devices", "Run it as root.")
        ]
    found = []
    if machine.distribution not in SUPPORTED:
        found.append(
            Finding(
                "distribution", f"{machine.name} is not supported", "Use Debian 12 or 13, or Ubuntu 24.04."
            )
        )
    if machine.missing_tools:
        missing = ", ".join(machine.missing_tools)
        found.append(Finding("programs", f"not installed: {missing}", "Run `make setup` in the project."))
    if machine.memory_gib < MEMORY_GIB * 0.95:
        cause = f"{machine.memory_gib:.1f} GiB, and the lab needs {MEMORY_GIB} GiB"
        found.append(Finding("memory", cause, "Use a machine with more memory (16 GiB for the demo)."))
    if not built and machine.disk_gib < DISK_GIB:
        cause = f"{machine.disk_gib:.1f} GiB free, and the lab needs {DISK_GIB} GiB"
        remedy = "Free some, or point CAUSEWAY_LAB_DIR and CAUSEWAY_CACHE_DIR to a larger file system."
        found.append(Finding(f"disk of {lab.directory}", cause, remedy))
    found += _overlaps(lab, machine.ranges)
    if machine.unreachable_mirror:
        remedy = "Check the network and the machine's apt sources, then run the command again."
        found.append(Finding("package mirror", f"no answer ({machine.unreachable_mirror})", remedy))
    return found


def _overlaps(lab: Settings, ranges: Iterable[UsedRange]) -> Iterable[Finding]:
    for variable, own in (("CAUSEWAY_LAB_NETWORK", lab.network), ("CAUSEWAY_LAB_EXTERNAL", lab.external)):
        for used in ranges:
            if used.device == lab.link:
                continue
            if ipaddress.ip_network(used.network).overlaps(ipaddress.ip_network(own)):
                cause = f"{own} is in use: {used.network} on {used.device}"
                remedy = f"Give the lab another range by {variable}, or stop what uses it (another lab?)."
                yield Finding("address range", cause, remedy)
    if ipaddress.ip_network(lab.network).overlaps(ipaddress.ip_network(lab.external)):
        cause = f"{lab.network} and {lab.external} overlap"
        yield Finding("address range", cause, "Give CAUSEWAY_LAB_NETWORK and CAUSEWAY_LAB_EXTERNAL apart.")


def look(lab: Settings) -> Machine:
    """Return the facts of this machine."""
    release = dict(line.split("=", 1) for line in _lines("/etc/os-release") if "=" in line)
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    existing = next(path for path in (lab.directory, *lab.directory.parents) if path.exists())
    to_build = [path for path in rootfs.lower_directories(lab.cache, lab.extras) if not path.is_dir()]
    return Machine(
        root=os.geteuid() == 0,
        distribution=(release.get("ID", "").strip('"'), release.get("VERSION_ID", "").strip('"')),
        name=release.get("PRETTY_NAME", "this system").strip('"'),
        memory_gib=memory / 2**20,
        disk_gib=shutil.disk_usage(existing).free / 2**30,
        ranges=_ranges(),
        missing_tools=tuple(tool for tool in TOOLS if shutil.which(tool) is None),
        unreachable_mirror=_unreachable(mirror.of_machine()) if to_build else None,
    )


def _ranges() -> tuple[UsedRange, ...]:
    if shutil.which("ip") is None:
        return ()
    used = [
        UsedRange(
            str(ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network), link["ifname"]
        )
        for link in json.loads(run("ip", "-json", "-4", "address"))
        for address in link["addr_info"]
    ]
    used += [
        UsedRange(str(ipaddress.ip_network(route["dst"])), route.get("dev", "?"))
        for route in json.loads(run("ip", "-json", "-4", "route"))
        if route["dst"] != "default"
    ]
    return tuple(dict.fromkeys(used))


def _unreachable(found: mirror.Mirror | None) -> str | None:
    """Return why the mirror cannot be used; an unknown mirror is left to the tool that uses it."""
    if found is None or not found.archive.startswith("http"):
        return None
    url = f"{found.archive}/dists/{packages.SUITE}/InRelease"
    proxy = run("apt-config", "shell", "PROXY", "Acquire::http::Proxy").strip()
    handlers = [urllib.request.ProxyHandler({"http": proxy.split("'")[1]})] if proxy else []
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=20):
            return None
    except (urllib.error.URLError, OSError) as error:
        return f"{url}: {getattr(error, 'reason', error)}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
