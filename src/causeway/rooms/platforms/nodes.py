"""A platform's nodes through its Kubernetes API: whether they are ready, their roles, taking them out."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from causeway.kit.errors import Finding, Problem
from causeway.kube.client import Client
from causeway.kube.errors import NotFound, Object, TooManyRequests
from causeway.kube.resource import NODES, PODS, SECRETS
from causeway.rooms.platforms.model import Role

DRAIN_SECONDS = 300.0
TOKEN_LIFE = timedelta(hours=24)
_UNINITIALISED = "node.cloudprovider.kubernetes.io/uninitialized"  # no pod comes before it is taken away
_PAUSE = 1.0  # seconds between two looks


@dataclass(frozen=True)
class NodeState:
    """How one node does; times are those of the API."""

    name: str
    ready: bool
    reason: str
    cordoned: bool
    version: str
    address: str
    created: str
    ready_since: str
    role: str

    @property
    def seconds_to_ready(self) -> float | None:
        """Return how long the node took from joining to ready, None if it is not."""
        if not (self.ready and self.created and self.ready_since):
            return None
        return (_moment(self.ready_since) - _moment(self.created)).total_seconds()


def state_of(node: Object) -> NodeState:
    """Return the state of a Node object."""
    status, meta = node.get("status", {}), node["metadata"]
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    addresses = {each["type"]: each["address"] for each in status.get("addresses", [])}
    taints = {each["key"] for each in node.get("spec", {}).get("taints", [])}
    reason = ready.get("message", "its kubelet has not reported yet")
    if ready.get("status") == "True" and _UNINITIALISED in taints:
        reason = "the controller has not told it yet what the cloud knows of its server"
    return NodeState(
        name=meta["name"],
        ready=ready.get("status") == "True" and _UNINITIALISED not in taints,
        reason=reason,
        cordoned=bool(node.get("spec", {}).get("unschedulable")),
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        address=addresses.get("InternalIP", ""),
        created=meta.get("creationTimestamp") or "",
        ready_since=ready.get("lastTransitionTime", ""),
        role=meta.get("labels", {}).get("causeway.dev/role", ""),
    )


async def states(client: Client) -> dict[str, NodeState]:
    """Return the state of every node by its name."""
    listing = await client.list(NODES)
    return {node["metadata"]["name"]: state_of(node) for node in listing.items}


async def mark(client: Client, roles: Mapping[str, Role]) -> None:
    """Give nodes the label of their role, which a kubelet may not give itself."""
    for node in (await client.list(NODES)).items:
        name = node["metadata"]["name"]
        role = roles.get(name)
        label = f"node-role.kubernetes.io/{role}"
        if role in (None, "master") or label in node["metadata"].get("labels", {}):
            continue  # kubeadm labels masters as the control plane they are
        await client.patch(NODES, name, {"metadata": {"labels": {label: ""}}})


async def offer_token(client: Client, token: str, now: datetime | None = None) -> None:
    """Let nodes join with ``token`` for one day."""
    identifier, _, secret = token.partition(".")
    expires = (now or datetime.now(UTC)) + TOKEN_LIFE
    await client.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bootstrap-token-{identifier}", "namespace": "kube-system"},
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": identifier,
                "token-secret": secret,
                "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "usage-bootstrap-authentication": "true",
                "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        },
        manager="causeway",
        resource=SECRETS,
    )


async def cordon(client: Client, name: str) -> None:
    """Let no new pod come to the node; one that is gone is no error."""
    try:
        await client.patch(NODES, name, {"spec": {"unschedulable": True}})
    except NotFound:
        return


def to_evict(pods: Iterable[Object]) -> list[Object]:
    """Return the pods that have to leave a node: not those of daemon sets, nor the kubelet's own."""
    return [
        pod
        for pod in pods
        if "kubernetes.io/config.mirror" not in pod["metadata"].get("annotations", {})
        and not any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", []))
    ]


async def drain(
    client: Client, name: str, *, waiting_for: Callable[[str], None], seconds: float = DRAIN_SECONDS
) -> None:
    """Evict all pods of a node as their disruption budgets allow, and wait until they are gone.

    The pods of a node that does not answer are deleted outright: nobody is left to end them. Raises
    ``Problem`` naming the pods that are still there after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    alive = (await states(client)).get(name)
    if alive is None:
        return
    held: dict[str, str] = {}
    while True:
        pods = to_evict((await client.list(PODS, fields=f"spec.nodeName={name}")).items)
        if not pods:
            return
        if time.monotonic() >= deadline:
            raise Problem(*(_stuck(name, pod, held, seconds) for pod in pods))
        held.clear()
        for pod in pods:
            await _leave(client, pod, forced=not alive.ready, held=held)
        waiting_for(_waiting_text(name, pods, held))
        await asyncio.sleep(_PAUSE)


async def forget(client: Client, names: Sequence[str]) -> None:
    """Delete the Node objects of servers that are gone."""
    for name in names:
        await client.delete(NODES, name)


async def _leave(client: Client, pod: Object, *, forced: bool, held: dict[str, str]) -> None:
    meta = pod["metadata"]
    if forced:
        await client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_seconds=0)
    elif not meta.get("deletionTimestamp"):
        try:
            await client.evict(meta["name"], meta["namespace"])
        except TooManyRequests as error:
            held[meta["uid"]] = error.findings[0].cause.rstrip(".")


def _stuck(node: str, pod: Object, held: Mapping[str, str], seconds: float) -> Finding:
    meta = pod["metadata"]
    place = f"pod {meta['namespace']}/{meta['name']}"
    if meta["uid"] in held:
        return Finding(
            place,
            f"may not leave node {node}: {held[meta['uid']]}",
            "Give it more replicas or relax its budget, then run apply again; the node stays cordoned.",
        )
    return Finding(
        place,
        f"did not end on node {node} within {seconds:.0f} s",
        "Look why it does not end (finalizers, grace period), then run apply again.",
    )


def _waiting_text(node: str, pods: Sequence[Object], held: Mapping[str, str]) -> str:
    names = ", ".join(sorted(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods)[:3])
    more = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
    budget = f" ({len(held)} held by a disruption budget)" if held else ""
    return f"{node}: {names}{more}{budget}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
