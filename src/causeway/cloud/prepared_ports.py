"""Ports that people prepare for pods: they say by tags whom a port is for, and stay its owners.

A port's maker gives it the tags ``causeway-for=<cluster>`` and ``causeway-namespace=<namespace>``. Nothing
that a pod's text says leads to any other port. Of such a port nothing is ever changed but where it is used.
"""

from typing import Any

import msgspec

from causeway.cloud import errors
from causeway.cloud.neutron import Port
from causeway.cloud.session import Cloud, decoded

_SERVICE = "network"
_FOR, _NAMESPACE = "causeway-for=", "causeway-namespace="
LENT = "causeway:pod"
"""The ``device_owner`` of a prepared port while a platform has bound it to a node; its ``device_id`` is the
cluster's ID.
"""


class PreparedPort(Port, frozen=True, gc=False):
    """A port that is for a platform's pods; ``host`` and ``vif_type`` are "" for who may not see them."""

    vnic_type: str = msgspec.field(name="binding:vnic_type", default="normal")
    vif_type: str = msgspec.field(name="binding:vif_type", default="")
    host: str = msgspec.field(name="binding:host_id", default="")
    revision_number: int = 0

    def is_lent(self, cluster: str) -> bool:
        """Return whether the port is bound to a node of a cluster."""
        return (self.device_owner, self.device_id) == (LENT, cluster)

    def is_for(self, namespace: str) -> bool:
        """Return whether pods of a namespace may have the port."""
        return _NAMESPACE + namespace in self.tags


def tags_of(cluster: str, namespace: str) -> tuple[str, ...]:
    """Return the tags by which a port is given to the pods of a namespace."""
    return _FOR + cluster, _NAMESPACE + namespace


class PreparedPorts:
    """The part of the network service that prepared ports need."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def list_prepared_ports(self, cluster: str) -> list[PreparedPort]:
        """Return the project's own ports that are for a cluster; none that carries the tags of ownership.

        Networks may be shared and credentials see more than their project: others' tags are no consent.
        """
        fields = [field.encode_name for field in msgspec.structs.fields(PreparedPort)]
        project = await self._cloud.project_id()
        query: dict[str, Any] = {"tags": [_FOR + cluster], "project_id": project, "fields": fields}
        raw = await self._cloud.get_all(_SERVICE, "/v2.0/ports", "ports", params=query)
        return [port for port in await decoded(raw, PreparedPort) if port.owner is None]

    async def bind_port(self, port_id: str, *, host: str, cluster: str) -> PreparedPort:
        """Bind a port that is free to a chassis; raises ``InUse``, and ``Conflict`` if others are quicker."""
        port = await self._get(port_id)
        if (port.device_owner or port.device_id or port.host) and not port.is_lent(cluster):
            raise errors.InUse(_SERVICE, f"port {port_id} belongs to {port.device_owner} {port.device_id}")
        return await self._use(port, host, LENT, cluster)

    async def unbind_port(self, port_id: str, *, cluster: str) -> PreparedPort:
        """Bind a port to nothing if it is bound for ``cluster``; raises ``NotFound`` and ``Conflict``."""
        port = await self._get(port_id)
        return await self._use(port, "", "", "") if port.is_lent(cluster) else port

    async def _get(self, port_id: str) -> PreparedPort:
        return _port(await self._cloud.call(_SERVICE, "GET", f"/v2.0/ports/{port_id}"))

    async def _use(self, port: PreparedPort, host: str, owner: str, device: str) -> PreparedPort:
        change = {"binding:host_id": host, "device_owner": owner, "device_id": device}
        answer = await self._cloud.call(
            _SERVICE,
            "PUT",
            f"/v2.0/ports/{port.id}",
            body={"port": change},
            headers={"If-Match": f"revision_number={port.revision_number}"},
        )
        return _port(answer)


def _port(answer: bytes) -> PreparedPort:
    return msgspec.json.decode(answer, type=dict[str, PreparedPort])["port"]
