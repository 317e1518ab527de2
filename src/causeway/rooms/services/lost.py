"""Parts of a load balancer whose provider has lost them. Pure.

A provider that fails outside its own error handling tells Octavia nothing: the OVN provider does so if
Neutron is away when it begins with the second protocol of a load balancer. The part is PENDING for ever, but
the load balancer, which its other parts have made ACTIVE, can be changed. So such a part counts as one that
ended in ERROR, and is made again.
"""

from typing import Any, TypeVar

import msgspec

from causeway.cloud.octavia_objects import ERROR, PENDING, StatusTree

S = TypeVar("S", bound=msgspec.Struct)

Part = tuple[str, bool]
"""The id of a part, and whether it was lost while it was to go."""


def pending_parts(tree: StatusTree) -> frozenset[Part]:
    """Return the parts below a load balancer that are PENDING."""
    return frozenset(_part(part) for part in tree.parts() if part is not tree and _pending(part))


def written_off(tree: StatusTree, lost: frozenset[Part]) -> StatusTree:
    """Return the tree with ``lost`` parts as if they had ended in ERROR, as far as they are still PENDING.

    One that was lost before it was there stays so when something beside it changes, which Octavia tells as
    PENDING_UPDATE of it; that it is to go now is new.
    """
    gone = lost & pending_parts(tree)
    if not gone:
        return tree

    def seen(part: S, **below: Any) -> S:
        status = {"provisioning_status": ERROR} if _pending(part) and _part(part) in gone else {}
        return msgspec.structs.replace(part, **status, **below)

    listeners = []
    for listener in tree.listeners:
        pools = []
        for pool in listener.pools:
            monitor = seen(pool.health_monitor) if pool.health_monitor else None
            members = [seen(member) for member in pool.members]
            pools.append(seen(pool, members=members, health_monitor=monitor))
        listeners.append(seen(listener, pools=pools))
    return msgspec.structs.replace(tree, listeners=listeners)


def _pending(part: Any) -> bool:
    return part.provisioning_status in PENDING


def _part(part: Any) -> Part:
    return part.id, part.provisioning_status == "PENDING_DELETE"
