"""What is known of each node, from Kubernetes, the cloud and the work under way; whom a change concerns.

The stores, the view and the work are others' to fill; here they are put together.
"""

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping

from causeway.kube.objects import NetworkPolicy, Node, Pod, PortPool
from causeway.kube.podnetwork import PORT
from causeway.kube.pools import levels_of
from causeway.kube.store import Change
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.desired import needs_of, needs_port
from causeway.rooms.pods.entries import name_of
from causeway.rooms.pods.model import CHASSIS_LABEL, NATIVE, Hindered, Need, Sizes, State, slot_of
from causeway.rooms.pods.neighbours import Groups, Interfaces, NetworkOfNamespace, Networks
from causeway.rooms.pods.stores import Stores
from causeway.rooms.pods.wishes import Wishes
from causeway.rooms.pods.work import Works, rest_key

POOL_LABEL = "causeway.dev/pool"
"""The label of a node that names its pool of nodes."""


class Known:
    """What is known of each node; pods that come count for forecasts once ``listed`` is set."""

    def __init__(
        self,
        stores: Stores,
        *,
        view: View,
        works: Works,
        networks: Networks,
        groups: Groups,
        interfaces: Interfaces,
        sizes: Mapping[str, Sizes],
        listed: asyncio.Event,
    ) -> None:
        self._stores = stores
        self._view = view
        self._works = works
        self._networks = networks
        self._groups = groups
        self._interfaces = interfaces
        self._sizes = sizes
        self._listed = listed
        self._wishes = Wishes(stores, view, works, networks)

    # what changes concern

    def pod_changed(self, change: Change[Pod]) -> Iterable[str]:
        """Return the nodes a change of a pod concerns."""
        old, new = change.old, change.new
        came = new is not None and old is None and self._listed.is_set()  # the first list is no rate
        if came and new is not None and needs_port(new) and not new.status.pod_ip:
            network = self._networks.of(new.metadata.namespace)
            if network is not None and not new.metadata.deletion_timestamp:
                now = asyncio.get_running_loop().time()
                self._works.of(new.spec.node_name).arrived(network.namespace, now)
        concerned = {pod.spec.node_name for pod in (old, new) if pod is not None}
        if any(pod is not None and PORT in pod.metadata.annotations for pod in (old, new)):
            concerned |= self._wishes.nodes()
        return concerned

    def pool_changed(self, change: Change[PortPool]) -> Iterable[str]:
        """Return the node a change of a pool concerns."""
        if change.new is None:
            self._works.of(change.key).written = None
        return [change.key]

    def node_changed(self, change: Change[Node]) -> Iterable[str]:
        """Return the node, if it came or went, or became native."""
        chassis = change.new.metadata.labels.get(CHASSIS_LABEL, "") if change.new else ""
        moved = chassis != self._view.hosts.pop(change.key, "")
        if chassis:
            self._view.hosts[change.key] = chassis
        return [change.key] if moved or change.old is None or change.new is None else []

    def policy_changed(self, change: Change[NetworkPolicy]) -> Iterable[str]:
        """Return the nodes of the pods a policy may be about."""
        namespace = (change.new or change.old).metadata.namespace  # type: ignore[union-attr]  # never both None
        return self.nodes_of_namespace(namespace)

    def nodes_of_namespace(self, namespace: str) -> set[str]:
        """Return the nodes that have pods of a namespace."""
        return {pod.spec.node_name for pod in self._stores.pods.by("namespace", namespace)}

    def nodes_of_pod(self, uid: str) -> set[str]:
        """Return the node of the pod of that uid."""
        return {pod.spec.node_name for pod in self._stores.pods.by("uid", uid)}

    def nodes_of_wishes(self) -> set[str]:
        """Return the nodes of the pods that ask for prepared ports."""
        return self._wishes.nodes()

    def everything(self) -> set[str]:
        """Return all nodes there is something to do for."""
        pods = (pod.spec.node_name for pod in self._stores.pods.all())
        kept = (pool.metadata.name for pool in self._stores.pools.all())
        nodes = (node.metadata.name for node in self._stores.nodes.all())
        return {*pods, *kept, *nodes, *self._view.nodes()} - {""}

    def levels(self) -> dict[tuple[str, ...], float]:
        """Return how full each node's pool is, and how many free ports are wanted there."""
        now = asyncio.get_running_loop().time()
        found: dict[tuple[str, ...], float] = {}
        for pool in self._stores.pools.all():
            node = pool.metadata.name
            sizes = self._sizes_of(self._stores.nodes.get(node))
            for state, count in dataclasses.asdict(levels_of(pool)).items():
                found[node, state] = count
            found[node, "wanted"] = sum(self._works.of(node).targets(now, sizes).values())
        return found

    # one node

    def node(self, name: str) -> Node | None:
        """Return a node, if there is one of that name."""
        return self._stores.nodes.get(name)

    def pool(self, node: str) -> PortPool | None:
        """Return the pool of a node as of late."""
        return self._works.of(node).pool(self._stores.pools.get(node))

    def pods_of_node(self, node: str) -> list[Pod]:
        """Return the pods of a node."""
        return self._stores.pods.by("node", node)

    def pods_of(self, uid: str) -> list[Pod]:
        """Return the pod of that uid, if there is one."""
        return self._stores.pods.by("uid", uid)

    def pods_with(self, port_ids: Iterable[str]) -> list[str]:
        """Return the pods (namespace/name) that have one of these ports, or whom one was made for."""
        found = set()
        for port_id in port_ids:
            pools = self._stores.pools.by("port", port_id)
            claims = (claim for pool in pools for claim in pool.status.claims if claim.port_id == port_id)
            found |= {name_of(claim.namespace, claim.name) for claim in claims}
            port = self._view.ports.get(port_id)
            slot = slot_of(port) if port is not None else None
            pods = self.pods_of(slot[0]) if slot is not None else ()
            found |= {name_of(pod.metadata.namespace, pod.metadata.name) for pod in pods}
        return sorted(found)

    def is_listed(self, port_id: str) -> bool:
        """Return whether a port is in a pool."""
        return bool(self._stores.pools.by("port", port_id))

    def waiting(self, node: str) -> list[Need]:
        """Return what the pods of a node need and have not."""
        pool = self.pool(node)
        claimed = {(claim.pod_uid, claim.interface) for claim in pool.status.claims} if pool else set()
        return [need for need in self._needs(node) if not need.leaving and need.slot not in claimed]

    def hindered(self, node: str) -> list[Hindered]:
        """Return the pods of a node that lack something which others than this room make."""
        pool, found = self.pool(node), []
        claimed = {claim.pod_uid for claim in pool.status.claims if not claim.interface} if pool else set()
        for pod in self._stores.pods.by("node", node):
            meta = pod.metadata
            if not needs_port(pod) or meta.deletion_timestamp is not None:
                continue
            network = None
            if self._networks.of(meta.namespace) is None:
                network = self._networks.trouble(meta.namespace)
            trouble = network or self._groups.trouble(pod)
            if trouble is not None:
                waits, guarded = meta.uid not in claimed, network is not None
                found.append(Hindered(meta.uid, *trouble, waits=waits, guarded=guarded))
        return found

    def state(self, key: str) -> State:
        """Return what is known of a node."""
        work, now = self._works.of(key), asyncio.get_running_loop().time()
        pool, node, trunk = self.pool(key), self._stores.nodes.get(key), self._view.trunk_of(key)
        entries = pool.spec.ports if pool else ()
        claims = {claim.port_id: claim for claim in pool.status.claims} if pool else {}
        ports = self._view.ports_of(key, [entry.port_id for entry in entries])
        if node is None:  # nobody will say any more what is in use there; pods that still exist do
            claims = {port: claim for port, claim in claims.items() if self.nodes_of_pod(claim.pod_uid)}
            alive = {ip.ip for pod in self._stores.pods.by("node", key) for ip in pod.status.pod_ips}
            ports = {
                port_id: port
                for port_id, port in ports.items()
                if not alive & {fixed.ip_address for fixed in port.fixed_ips}
            }
        pods = self._stores.pods.by("node", key)
        staying = {
            pod.metadata.uid for pod in pods if needs_port(pod) and not pod.metadata.deletion_timestamp
        }
        native = key in self._view.hosts
        needs = self._needs(key)
        asked = [entry.port_id for entry in entries if entry.prepared]
        asked += [need.wish.port_id for need in needs if need.wish is not None]
        prepared = self._view.prepared_of(key, asked)
        attached = {
            port_id: self._view.attachment_of(key, port) for port_id, port in (ports | prepared).items()
        }
        networks = self._networks_of(needs, [entry.namespace for entry in entries])
        sizes = self._sizes_of(node)
        targets = work.targets(now, sizes)
        scarce = {
            networks[network_id].namespace for network_id in self._works.scarce(now) if network_id in networks
        }
        return State(
            node=key,
            trunk_id=NATIVE.trunk_id if native else trunk.id if trunk else None,
            native=native,
            present=node is not None,
            entries=entries,
            claims=claims,
            leaving=frozenset({claim.pod_uid for claim in claims.values()} - staying),
            settled=work.settled(pool),
            needs=needs,
            ports=ports,
            prepared=prepared,
            resting=frozenset(port_id for port_id in prepared if work.waits(rest_key(port_id), now)),
            attached={port_id: place for port_id, place in attached.items() if place is not None},
            vlans=trunk.vlans if trunk and not native else {},
            last_vlan=trunk.last_vlan if trunk else 0,
            busy=frozenset(work.busy),
            trunk_busy=work.trunk_busy,
            coming=work.coming,
            networks=networks,
            targets=targets,
            scarce=frozenset(scarce),
            sizes=sizes,
        )

    def _needs(self, node: str) -> list[Need]:
        return [
            need
            for pod in self._stores.pods.by("node", node)
            for need in needs_of(
                pod,
                self._stores.policies.by("namespace", pod.metadata.namespace),
                self._networks,
                self._groups,
                self._interfaces,
                wish=self._wishes.of,
            )
        ]

    def _networks_of(self, needs: list[Need], namespaces: Iterable[str]) -> dict[str, NetworkOfNamespace]:
        found = [self._networks.of(namespace) for namespace in {"", *namespaces}]
        found += [need.network for need in needs]
        return {network.network_id: network for network in found if network is not None}

    def _sizes_of(self, node: Node | None) -> Sizes:
        pool = node.metadata.labels.get(POOL_LABEL, "") if node else ""
        return self._sizes.get(pool) or self._sizes.get("") or Sizes()
