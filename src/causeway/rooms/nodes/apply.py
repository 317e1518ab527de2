"""Steps as calls to the Kubernetes API: the only place of this room that writes."""

from typing import Any

from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Node
from causeway.kube.resource import NODES
from causeway.rooms.nodes.model import ChangeNode, DeleteNode, Step, WriteAddresses


class Applier:
    """Writes to nodes."""

    def __init__(self, kube: Client) -> None:
        self._kube = kube

    async def do(self, step: Step, node: Node) -> None:
        """Take one step; a node that is gone meanwhile is no error, one that has changed is ``Invalid``."""
        name = node.metadata.name
        try:
            match step:
                case ChangeNode():
                    await self._kube.patch(NODES, name, patch_of(step, node), kind="json")
                case WriteAddresses():
                    addresses = [{"type": each.type, "address": each.address} for each in step.addresses]
                    body = {"metadata": {"uid": node.metadata.uid}, "status": {"addresses": addresses}}
                    await self._kube.patch(NODES, name, body, subresource="status")
                case DeleteNode():
                    await self._kube.delete(NODES, name, uid=node.metadata.uid)
        except NotFound:
            return


def patch_of(step: ChangeNode, node: Node) -> list[dict[str, Any]]:
    """Return the JSON patch of a change, with tests of what it relies on: others write taints as well."""
    patch: list[dict[str, Any]] = [_entry("test", "/metadata/uid", node.metadata.uid)]
    if step.provider_id:
        patch.append(_entry("add", "/spec/providerID", step.provider_id))
    if step.labels and not node.metadata.labels:
        patch.append(_entry("add", "/metadata/labels", {}))
    patch += [
        _entry("add", f"/metadata/labels/{key.replace('~', '~0').replace('/', '~1')}", value)
        for key, value in step.labels.items()
    ]
    # From the last to the first, so that no index moves under those still to come.
    for index, key in sorted(step.taints_removed, reverse=True):
        patch.append(_entry("test", f"/spec/taints/{index}/key", key))
        patch.append({"op": "remove", "path": f"/spec/taints/{index}"})
    if step.taints_added and not node.spec.taints:
        patch += [_entry("test", "/spec/taints", None), _entry("add", "/spec/taints", [])]
    for taint in step.taints_added:
        written = {"key": taint.key, "value": taint.value, "effect": taint.effect}
        patch.append(_entry("add", "/spec/taints/-", {key: text for key, text in written.items() if text}))
    return patch


def _entry(operation: str, path: str, value: Any) -> dict[str, Any]:
    return {"op": operation, "path": path, "value": value}
