"""What a pod with further interfaces is told of them, as section 5 of the standard asks for.

Kubernetes itself knows of the addresses of the first alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from causeway.kube.errors import NotFound, Object
from causeway.kube.interfaces import FIRST, STATUS, interfaces_of
from causeway.kube.objects import Claim, Pod, PoolPort
from causeway.kube.resource import PODS, Resource

_CLUSTER_NETWORK = "causeway"


class Writer(Protocol):
    """The part of the Kubernetes client that is needed."""

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str | None = None,
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str | None = None,
    ) -> Object:
        """Change part of an object."""
        ...


def status_of(pod: Pod, entries: Iterable[PoolPort], claims: Mapping[str, Claim]) -> str | None:
    """Return the annotation for a pod that has all its interfaces; None for others, and for plain pods."""
    try:
        asked = interfaces_of(pod)
    except ValueError:
        return None
    if not asked:
        return None
    uid = pod.metadata.uid
    ports = {
        claim.interface: entry
        for entry in entries
        if (claim := claims.get(entry.port_id)) is not None and claim.pod_uid == uid
    }
    if not ports.keys() >= {"", *(each.name for each in asked)}:
        return None
    names = {"": _CLUSTER_NETWORK} | {each.name: each.key for each in asked}
    told = [
        {
            "name": network,
            "interface": interface or FIRST,
            "ips": [address.ip_address for address in ports[interface].fixed_ips],
            "mac": ports[interface].mac_address,
            "mtu": ports[interface].mtu,
            "default": not interface,
            "dns": {},
        }
        for interface, network in names.items()
    ]
    return msgspec.json.encode(told).decode()


async def tell(
    client: Writer, pods: Iterable[Pod], entries: Iterable[PoolPort], claims: Mapping[str, Claim]
) -> None:
    """Write the annotation of pods that lack it or have another. Raises ``ApiError``."""
    entries = list(entries)
    for pod in pods:
        status = status_of(pod, entries, claims)
        if status is None or pod.metadata.annotations.get(STATUS) == status:
            continue
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid, "annotations": {STATUS: status}}}
        try:
            await client.patch(PODS, meta.name, body, meta.namespace)
        except NotFound:
            continue
