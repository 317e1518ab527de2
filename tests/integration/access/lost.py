"""A node that cannot be reached, and whose server Nova calls ACTIVE all the same: the guide's case."""

from typing import Any

from tests.integration.access.storage import ATTACHMENTS, NAMESPACE, Storing

from causeway.kube.resource import NODES, PODS, SERVICE_ACCOUNTS

TAINT = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}
ATTACHER = "persistentvolume-attach-detach-controller"
POD = "at-work"


async def lost(storing: Storing, claim: str, volume: str, handle: str) -> None:
    """Have a volume come off the node by the taint alone, which nobody there has unmounted.

    Kubernetes' own controller attaches and detaches. What a kubelet and a collector of pods do is done here.
    """
    stage, node = storing.stage, storing.account
    cloud, admin = stage.site.project.cloud, stage.admin
    attacher = stage.api.controllers(ATTACHER)
    attacher.start()
    try:
        managed = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
        await admin.patch(NODES, node, {"metadata": {"annotations": managed}})
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": POD}}, NAMESPACE)
        spec: dict[str, Any] = {"nodeName": node, "serviceAccountName": POD}
        spec["terminationGracePeriodSeconds"] = 0  # it is deleted without its kubelet
        spec["containers"] = [{"name": "c", "image": "i"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        await admin.create(PODS, {"metadata": {"name": POD}, "spec": spec}, NAMESPACE)

        async def attached() -> Any:
            found = (await admin.list(ATTACHMENTS)).items
            return [each["metadata"]["name"] for each in found if _is_attached(each, volume)]

        (attachment,) = await stage.come(attached, "the volume of a pod at its server")
        mounted = {"status": {"volumesInUse": [f"kubernetes.io/csi/{storing.driver}^{handle}"]}}
        await admin.patch(NODES, node, mounted, subresource="status")
        await admin.delete(PODS, POD, NAMESPACE)
        await stage.gone(PODS, POD, NAMESPACE)
        assert await attached() == [attachment]  # for six minutes: the node might have it mounted

        await admin.patch(NODES, node, {"spec": {"taints": [TAINT]}})
        await stage.gone(ATTACHMENTS, attachment)
        assert cloud.block_storage.get_volume(handle).attachments == []
        assert cloud.compute.get_server(stage.site.server.id).status == "ACTIVE"
    finally:
        attacher.end()


def _is_attached(attachment: dict[str, Any], volume: str) -> bool:
    source = attachment["spec"]["source"].get("persistentVolumeName")
    return source == volume and bool(attachment.get("status", {}).get("attached"))
