"""Which prepared port a pod gets of those it may have: no port serves two pods, first come, first served.

Everything here is read from what is known; nothing is remembered, so a restart decides the same.
"""

from collections.abc import Iterator

from causeway.cloud.prepared_ports import PreparedPort
from causeway.kube.objects import Claim, Pod
from causeway.kube.podnetwork import PORT, is_selected
from causeway.rooms.pods import prepared
from causeway.rooms.pods.actual import View
from causeway.rooms.pods.desired import needs_port
from causeway.rooms.pods.model import Wish
from causeway.rooms.pods.neighbours import NetworkOfNamespace, Networks
from causeway.rooms.pods.stores import Stores
from causeway.rooms.pods.work import Works


class Wishes:
    """Knows what becomes of the annotations of all pods."""

    def __init__(self, stores: Stores, view: View, works: Works, networks: Networks) -> None:
        self._stores = stores
        self._view = view
        self._works = works
        self._networks = networks

    def of(self, pod: Pod) -> Wish | None:
        """Return what becomes of a pod's wish, or None if it has none and no prepared port."""
        claim = self._claim(pod) if self._stores.pools.by("lent", pod.metadata.uid) else None
        if claim is not None:
            selected = self._is_selected(pod)
            return prepared.policies_do_not_apply(claim.port_id) if selected else Wish(claim.port_id)
        if PORT not in pod.metadata.annotations:
            return None
        port, wish = self._meant(pod)
        return wish if port is None else self._free(port, pod)

    def nodes(self) -> set[str]:
        """Return the nodes of the pods that have a wish."""
        return {pod.spec.node_name for pod in self._stores.pods.by("wish", "")}

    def _meant(self, pod: Pod) -> tuple[PreparedPort | None, Wish]:
        """Return the port a pod means if it may have it, else None and why not."""
        meta = pod.metadata
        network = self._networks.of(meta.namespace)
        if network is None:
            return None, Wish()
        asked, known = meta.annotations[PORT].strip(), self._view.prepared.ports.values()
        port, wish = prepared.find(asked, meta.namespace, self._view.cluster, known)
        if port is not None:
            wish = self._usable(port, pod, network)
        return (port if wish.finding is None else None), wish

    def _usable(self, port: PreparedPort, pod: Pod, network: NetworkOfNamespace) -> Wish:
        native = pod.spec.node_name in self._view.hosts
        placed = port.id in self._view.attached or port.is_lent(self._view.cluster)
        selected = self._is_selected(pod)
        return prepared.usable(port, network, native=native, selected=selected, placed=placed)

    def _free(self, port: PreparedPort, pod: Pod) -> Wish:
        """Return the port if nobody else has it, nor asked for it before."""
        users = [*self._users(port.id)]
        others = (user for user in users if user.metadata.uid != pod.metadata.uid)
        if other := next(others if users else self._earlier(port, pod), None):
            return prepared.taken(port, _named(other, pod))
        place = self._place(port.id)
        if place not in ("", pod.spec.node_name):
            return Wish()  # it is being let go there
        if not place:
            used = prepared.strange_use(port, self._view.cluster, parents=self._view.prepared.parents)
            if used is not None:
                return prepared.in_use(used)
        return Wish(port.id)

    def _users(self, port_id: str) -> Iterator[Pod]:
        """Yield the pods that have a port, or that it is kept for."""
        for pool in self._stores.pools.by("port", port_id):
            uids = {claim.pod_uid for claim in pool.status.claims if claim.port_id == port_id}
            kept = (each for each in pool.spec.ports if each.port_id == port_id and not each.retiring)
            for uid in uids | {each.pod_uid for each in kept}:
                yield from (pod for pod in self._stores.pods.by("uid", uid) if _stays(pod))

    def _earlier(self, port: PreparedPort, pod: Pod) -> Iterator[Pod]:
        """Yield the pods that came before a pod, wait for the same port and could have it."""
        for other in self._stores.pods.by("wish", ""):
            asked = other.metadata.annotations[PORT].strip()
            if asked in (port.id, port.name) and _order(other) < _order(pod) and _stays(other):
                meant, _ = self._meant(other)
                if meant is not None and meant.id == port.id and self._claim(other) is None:
                    yield other

    def _place(self, port_id: str) -> str:
        """Return the node a port is at, or is just being put at or taken from."""
        if attached := self._view.attached.get(port_id):
            return self._view.trunks[attached.trunk_id].node
        if host := self._view.prepared.host_of(port_id):
            return next((node for node, chassis in self._view.hosts.items() if chassis == host), host)
        return self._works.busy_with(port_id)

    def _claim(self, pod: Pod) -> Claim | None:
        pool = self._stores.pools.get(pod.spec.node_name)
        claims = pool.status.claims if pool else ()
        slot = pod.metadata.uid, ""
        return next((claim for claim in claims if (claim.pod_uid, claim.interface) == slot), None)

    def _is_selected(self, pod: Pod) -> bool:
        return is_selected(pod, self._stores.policies.by("namespace", pod.metadata.namespace))


def _stays(pod: Pod) -> bool:
    return needs_port(pod) and pod.metadata.deletion_timestamp is None


def _order(pod: Pod) -> tuple[str, str]:
    return pod.metadata.creation_timestamp or "", pod.metadata.uid


def _named(other: Pod, pod: Pod) -> str:
    """Return how a pod is called to the user of another, who may not know it."""
    if other.metadata.namespace != pod.metadata.namespace:
        return "a pod of another namespace"
    return f"pod {other.metadata.namespace}/{other.metadata.name}"
