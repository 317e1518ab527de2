"""What one lab is: its directories, addresses and passwords; all else in the lab is derived from these.

A lab lives in one directory; two labs on one machine need different directories and different address ranges.
"""

import hashlib
import ipaddress
import json
import os
import secrets as tokens
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.kit.errors import Exit, Problem
from causeway.lab import packages

DIRECTORY = "/var/lib/causeway/lab"
CACHE = "/var/cache/causeway"
NETWORK = "10.200.0.0/24"
EXTERNAL = "172.24.4.0/24"
PASSWORDS = ("admin", "demo", "database", "messages", "service", "heat_domain", "names_key")
# Keys of services that must have a given shape: 32 bytes as hexadecimal digits.
KEYS = ("volume_key", "object_hash")


@dataclass(frozen=True)
class Settings:
    """One lab; all its paths, names and addresses."""

    directory: Path
    cache: Path
    network: str = NETWORK
    external: str = EXTERNAL
    extras: tuple[str, ...] = ()

    @property
    def host_address(self) -> str:
        """The machine's end of the link into the lab."""
        return str(_hosts(self.network)[0])

    @property
    def address(self) -> str:
        """The lab's end of the link: every API answers here."""
        return str(_hosts(self.network)[1])

    @property
    def network_prefix(self) -> int:
        """Prefix length of the link's network."""
        return ipaddress.ip_network(self.network).prefixlen

    @property
    def external_gateway(self) -> str:
        """The gateway of the external network: the lab itself."""
        return str(_hosts(self.external)[0])

    @property
    def external_prefix(self) -> int:
        """Prefix length of the external network."""
        return ipaddress.ip_network(self.external).prefixlen

    @property
    def external_pool(self) -> tuple[str, str]:
        """First and last address Neutron may give away on the external network."""
        hosts = _hosts(self.external)
        return str(hosts[min(9, len(hosts) // 4)]), str(hosts[-2])

    @property
    def identity_url(self) -> str:
        """Where Keystone answers."""
        return f"http://{self.address}:5000"

    @property
    def host(self) -> str:
        """The name of the one hypervisor, chassis and service host."""
        return "lab1"

    @property
    def key(self) -> str:
        """A short name of this lab, unique on the machine by its directory."""
        return hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]

    @property
    def cluster_id(self) -> str:
        """The name of this lab's Ceph, as Ceph wants it: a UUID."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.directory.as_uri()))

    @property
    def link(self) -> str:
        """Name of the network device on the machine's side."""
        return f"causeway{self.key[:6]}"

    @property
    def cgroup(self) -> str:
        """Name of the control group below which the lab's servers run, in every hierarchy."""
        return f"causeway-{self.key}"

    @property
    def root(self) -> Path:
        """Where the services' root file system is mounted, seen only from inside the lab's namespaces."""
        return self.directory / "root"

    @property
    def logs(self) -> Path:
        """One file per service and step."""
        return self.directory / "log"

    @property
    def done(self) -> Path:
        """One empty file per step that has been done and is never done again."""
        return self.directory / "done"

    @property
    def volumes(self) -> Path:
        """Files behind the volumes; Cinder sees this directory too."""
        return self.directory / "volumes"

    @property
    def images(self) -> Path:
        """Files of the images; Glance sees this directory too."""
        return self.directory / "images"

    @property
    def servers(self) -> Path:
        """One directory per server."""
        return self.directory / "servers"

    @property
    def clouds_file(self) -> Path:
        """The clients' configuration, with passwords."""
        return self.directory / "clouds.yaml"

    @property
    def state_file(self) -> Path:
        """What the supervisor says about its services."""
        return self.directory / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by the lab's process tree as long as it lives."""
        return self.directory / "lock"

    @property
    def control_socket(self) -> Path:
        """Where the supervisor takes requests."""
        return self.directory / "control.sock"

    def save(self) -> None:
        """Write these settings into the lab's directory."""
        facts = {
            "cache": str(self.cache),
            "network": self.network,
            "external": self.external,
            "extras": list(self.extras),
        }
        write_private(self.directory / "settings.json", json.dumps(facts, indent=2))


def from_environment(environment: Mapping[str, str] = os.environ, extras: tuple[str, ...] = ()) -> Settings:
    """Return the settings of the lab this shell means; one that exists keeps its ranges and its extras.

    Raises ``Problem`` for a range that is none, and for ranges other than those the lab was made with.
    """
    directory = Path(environment.get("CAUSEWAY_LAB_DIR") or DIRECTORY).absolute()
    wanted = Settings(
        directory=directory,
        cache=Path(environment.get("CAUSEWAY_CACHE_DIR") or CACHE).absolute(),
        network=_range(environment, "CAUSEWAY_LAB_NETWORK", NETWORK),
        external=_range(environment, "CAUSEWAY_LAB_EXTERNAL", EXTERNAL),
        extras=packages.with_needed(extras),
    )
    try:
        if not (directory / "settings.json").exists():
            return wanted
        made = load(directory)
    except PermissionError as error:
        cause = f"{directory} is root's: the lab makes namespaces, mounts and devices"
        raise Problem.of("user", cause, "Run it as root.") from error
    for variable, old, new in (
        ("CAUSEWAY_LAB_NETWORK", made.network, wanted.network),
        ("CAUSEWAY_LAB_EXTERNAL", made.external, wanted.external),
    ):
        if environment.get(variable) and old != new:
            raise Problem.of(
                variable,
                f"the lab in {directory} was made with {old}, not {new}",
                "Unset it, or run `causeway lab destroy` first, or choose another CAUSEWAY_LAB_DIR.",
                exit_code=Exit.USAGE,
            )
    together = packages.with_needed((*made.extras, *extras))
    return Settings(directory, wanted.cache, made.network, made.external, together)


def load(directory: Path) -> Settings:
    """Return the settings saved in a lab's directory."""
    facts = json.loads((directory / "settings.json").read_text())
    return Settings(
        directory=directory,
        cache=Path(facts["cache"]),
        network=facts["network"],
        external=facts["external"],
        extras=tuple(facts["extras"]),
    )


def passwords(directory: Path) -> dict[str, str]:
    """Return the lab's passwords, making those that do not exist yet; random, and of this lab alone."""
    path = directory / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: tokens.token_hex(16) for name in PASSWORDS if name not in known}
    missing |= {name: tokens.token_hex(32) for name in KEYS if name not in known}
    if missing:
        known |= missing
        write_private(path, json.dumps(known, indent=2))
    return known


def clouds(lab: Settings, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return the content of clouds.yaml: ``lab`` is a plain project user, ``lab-admin`` the administrator."""

    def cloud(user: str, project: str) -> dict[str, Any]:
        return {
            "region_name": "RegionOne",
            "identity_api_version": "3",
            "auth": {
                "auth_url": lab.identity_url,
                "username": user,
                "password": secrets[user],
                "project_name": project,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
        }

    return {"clouds": {"lab": cloud("demo", "demo"), "lab-admin": cloud("admin", "admin")}}


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` in one step by a file only its owner can read."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _hosts(network: str) -> list[ipaddress.IPv4Address]:
    return list(ipaddress.IPv4Network(network).hosts())


def _range(environment: Mapping[str, str], variable: str, default: str) -> str:
    text = environment.get(variable) or default
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise _bad_range(variable, f"{text!r} is not an IPv4 range ({error})") from error
    if not 16 <= network.prefixlen <= 28:
        raise _bad_range(variable, f"{text} is too large or too small")
    return str(network)


def _bad_range(variable: str, cause: str) -> Problem:
    remedy = "Give an unused range of /16 to /28, like 10.200.0.0/24."
    return Problem.of(variable, cause, remedy, exit_code=Exit.USAGE)
