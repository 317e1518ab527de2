"""The router's address, as statuses tell it and as gateways ask for one: pure."""

import ipaddress
from collections.abc import Iterable

from causeway.kube.gateways import GatewayAddress


def address(canonical: str) -> dict[str, str]:
    """Return a name or an address as statuses have it."""
    try:
        return {"type": "IPAddress", "value": str(ipaddress.ip_address(canonical))}
    except ValueError:
        return {"type": "Hostname", "value": canonical}


def usable(asked: Iterable[GatewayAddress], canonical: str) -> bool:
    """Return whether the addresses a gateway asks for are the router's (``canonical``), or any will do."""
    ours = address(canonical) if canonical else {}
    return all(not each.value or {"type": each.type, "value": each.value} == ours for each in asked)
