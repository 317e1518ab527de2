"""Which server of the cloud this machine is, and in which zone, as the machine itself knows it."""

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causeway.kit.errors import Problem

CLOUD_INIT = "run/cloud-init/instance-data.json"
METADATA = "http://169.254.169.254/openstack/latest/meta_data.json"
_SECONDS = 5.0


@dataclass(frozen=True)
class Instance:
    """A server: its id and its zone ("": unknown)."""

    id: str
    zone: str


def of_cloud_init(text: str) -> Instance | None:
    """Return the server that cloud-init's record names, None when it names none. Pure."""
    try:
        facts: dict[str, Any] = json.loads(text)["v1"]
        return Instance(facts["instance_id"], facts.get("availability_zone") or "")
    except (ValueError, KeyError, TypeError):
        return None


def of_metadata(text: str) -> Instance | None:
    """Return the server that the metadata service's answer names, None when it names none. Pure."""
    try:
        facts: dict[str, Any] = json.loads(text)
        return Instance(facts["uuid"], facts.get("availability_zone") or "")
    except (ValueError, KeyError, TypeError):
        return None


def discover(root: Path = Path("/")) -> Instance:
    """Return the server whose files are at ``root``; raises ``Problem``."""
    file = root / CLOUD_INIT
    found = of_cloud_init(file.read_text()) if file.is_file() else None
    if found is None:
        try:
            with urllib.request.urlopen(METADATA, timeout=_SECONDS) as answer:
                found = of_metadata(answer.read().decode())
        except OSError as error:
            raise Problem.of(
                "this node",
                f"neither /{CLOUD_INIT} nor the metadata service tells which server it is ({error})",
                "Set CAUSEWAY_NODE_ID to the server's id, and CAUSEWAY_NODE_ZONE to its zone.",
            ) from error
    if found is None:
        raise Problem.of(
            "this node",
            "the metadata service does not name a server",
            "Set CAUSEWAY_NODE_ID to the server's id, and CAUSEWAY_NODE_ZONE to its zone.",
        )
    return found
