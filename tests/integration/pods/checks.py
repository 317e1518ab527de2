"""What holds of a platform of played nodes when nothing is left to do."""

from typing import TYPE_CHECKING

from tests.integration.pods.tenant import SIZES

if TYPE_CHECKING:
    from tests.integration.pods.stage import Seen, Stage


def check(stage: "Stage", seen: "Seen", pods: dict[str, str]) -> None:
    """Assert that ``pods`` (nodes by uid) have a port each, that all fits, and that nothing else is there."""
    tenant = stage.tenant
    subports = seen.subports()
    assert subports.pop(tenant.foreign.id) == ("w1", 1)
    entries, claims = seen.entries(), seen.claims()
    assert set(seen.ports) == set(subports) == set(entries)
    assert len(set(subports.values())) == len(subports)
    assert {claim.pod_uid: entries[port_id][0] for port_id, claim in claims.items()} == pods
    for port_id, (node, entry) in entries.items():
        port = seen.ports[port_id]
        assert (node, entry.segmentation_id) == subports[port_id]
        assert entry.mac_address == port.mac_address
        (address,) = entry.fixed_ips
        assert address.ip_address == port.fixed_ips[0].ip_address
        assert (address.prefix_length, address.gateway) == (16, "10.20.0.1")
        assert entry.mtu == tenant.nets["pods"].mtu
        assert port.security_groups == (tenant.group.id,)


def settled(stage: "Stage", seen: "Seen", count: int) -> bool:
    """Say whether ``count`` pods have ports, reserves are full, and nothing is on its way in or out."""
    entries, claims = seen.entries(), seen.claims()
    return (
        len(claims) == count
        and all(free >= SIZES["minimum"] for free in seen.free().values())
        and set(entries) == set(seen.ports) == set(seen.subports()) - {stage.tenant.foreign.id}
        and not any(entry.retiring and entry.port_id not in claims for _, entry in entries.values())
        and len(seen.pools) == 2
    )


def at_rest(stage: "Stage", seen: "Seen") -> bool:
    """Say whether a controller that has just begun has nothing to do: no reserve is too large either.

    What an earlier one left may look settled before the new one has begun to retire what is too much.
    """
    most = SIZES["minimum"] + SIZES["batch"]
    return settled(stage, seen, 0) and all(free <= most for free in seen.free().values())
