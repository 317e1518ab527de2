"""What users are told about a namespace's network: a condition while it matters, Events for what is wrong.

The condition's reason also tells the nodes which network the pods of a namespace live on where its annotation
does not (see ``kube.podnetwork``).
"""

import structlog

from causeway.cloud.errors import CloudError
from causeway.kit.errors import Problem
from causeway.kube.errors import ApiError
from causeway.kube.events import Recorder
from causeway.kube.objects import Namespace
from causeway.kube.podnetwork import NETWORK, NETWORK_CONDITION
from causeway.kube.resource import NAMESPACES
from causeway.rooms.namespaces.kubernetes import Kube
from causeway.rooms.namespaces.model import Own, Verdict, Wish

log = structlog.get_logger()


class Voice:
    """Tells users; never raises."""

    def __init__(self, kube: Kube, recorder: Recorder) -> None:
        self._kube = kube
        self._recorder = recorder

    async def own(self, namespace: Namespace, own: Own) -> None:
        """Say that a namespace has its own network."""
        ranges = " and ".join(subnet.cidr for subnet in own.subnets)
        message = f"Its pods live on network {own.network_id} ({ranges})."
        await self._condition(namespace, Verdict(True, "OwnNetwork", message))

    async def shared(self, namespace: Namespace, *, needed: bool) -> None:
        """Say that a namespace's pods live on the shared network, if that is not what anybody expects."""
        verdict = Verdict(True, "SharedNetwork", "Its pods live on the platform's pod network.")
        await self._condition(namespace, verdict if needed else None)

    async def stays(self, namespace: Namespace, wish: Wish, *, own: bool) -> None:
        """Say that the annotation of a namespace is not followed now, and why."""
        if wish.finding is not None:
            message = f"{wish.finding.cause}. {wish.finding.remedy}"
        else:
            where = "a network of its own" if own else "the shared network"
            message = (
                f"Its pods live on {where}, and pods keep the network they have. What annotation {NETWORK} "
                "asks for is done when the namespace has none; scale its workloads to zero for that."
            )
        verdict = Verdict(False, "StaysOnOwnNetwork" if own else "StaysOnSharedNetwork", message)
        await self.failed(namespace, verdict)

    async def refused(self, namespace: Namespace, wish: Wish) -> None:
        """Say that a namespace cannot have the network it asks for; its pods wait."""
        if wish.finding is not None:
            message = f"{wish.finding.cause}. {wish.finding.remedy}"
            await self.failed(namespace, Verdict(False, "NetworkRefused", message))

    async def failed(self, namespace: Namespace, verdict: Verdict) -> None:
        """Say what is wrong, as a condition and an Event."""
        await self._recorder.record(
            NAMESPACES, namespace.metadata, reason=verdict.reason, note=verdict.message, action="MakeNetwork"
        )
        await self._condition(namespace, verdict)

    async def _condition(self, namespace: Namespace, verdict: Verdict | None) -> None:
        known = [each for each in namespace.status.conditions if each.type == NETWORK_CONDITION]
        told = [(each.status == "True", each.reason, each.message) for each in known]
        wanted = [(verdict.ready, verdict.reason, verdict.message)] if verdict else []
        if told == wanted:
            return
        try:
            await self._kube.write_condition(namespace, verdict)
        except ApiError as refusal:
            log.warning("condition not written", namespace=namespace.metadata.name, cause=str(refusal))


def verdict_on(error: CloudError | Problem) -> Verdict:
    """Return what the user is told about a failure; the request id, new each time, is in the log."""
    if isinstance(error, CloudError):
        return Verdict(False, type(error).__name__, f"{error.service}: {error.cause}. {error.remedy}")
    message = " ".join(f"{finding.cause}. {finding.remedy}" for finding in error.findings)
    return Verdict(False, "NetworkNotReady", message)
