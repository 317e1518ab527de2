"""The ports that people prepared for pods, as the cloud has them: a part of the view."""

import msgspec

from causeway.cloud.prepared_ports import PreparedPort


class Prepared:
    """What is known of them; ``parents`` are the ports that trunks are on, whosever."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self.ports: dict[str, PreparedPort] = {}
        self.parents: frozenset[str] = frozenset()

    def enter(self, port: PreparedPort) -> None:
        """Enter a port as a call returned it."""
        self.ports[port.id] = port

    def take_off(self, port_id: str) -> None:
        """Say that a port is no subport any more: Neutron has emptied its owner then."""
        if port_id in self.ports:
            self.ports[port_id] = msgspec.structs.replace(self.ports[port_id], device_owner="")

    def host_of(self, port_id: str) -> str:
        """Return the chassis a port was bound to for the cluster, or ""."""
        port = self.ports.get(port_id)
        return port.host if port is not None and port.is_lent(self._cluster) else ""

    def bound_to(self, host: str) -> list[str]:
        """Return the ports that were bound to a chassis for the cluster."""
        return [port_id for port_id in self.ports if self.host_of(port_id) == host]

    def strays(self, hosts: set[str]) -> set[str]:
        """Return the ports that were bound for the cluster to none of these chassis."""
        return {port_id for port_id in self.ports if (host := self.host_of(port_id)) and host not in hosts}
