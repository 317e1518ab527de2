"""Which variables of the environment are settings: pure.

Kubernetes tells a pod of each Service of its namespace by variables, too, and those of a Service
``causeway-router`` begin as our settings do.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches

PREFIX = "CAUSEWAY_ROUTER_"
_HOST = "_SERVICE_HOST"  # of each Service that Kubernetes tells of


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what is set, by names without the prefix; what tells of a Service is left out."""
    services = [name.removesuffix(_HOST) for name in environment if name.endswith(_HOST)]
    return {
        name.removeprefix(PREFIX): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and not any(_tells_of(service, name, value) for service in services)
    }


def _tells_of(service: str, name: str, value: str) -> bool:
    if name == f"{service}_PORT":
        return "://" in value  # HEALTH_PORT may be ours
    return name.startswith((f"{service}_SERVICE_", f"{service}_PORT_"))


def unknown(names: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Return the variables that are no settings, each with the one that may be meant, "" for none."""
    found = {name: get_close_matches(name, known, n=1) for name in sorted(names) if name not in known}
    return {PREFIX + name: PREFIX + near[0] if near else "" for name, near in found.items()}
