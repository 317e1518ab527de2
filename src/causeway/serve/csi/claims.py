"""What the annotations of a claim ask of its volume, as users of cloud-provider-openstack write them.

A provisioner hands the claim's names on (``--extra-create-metadata``) and not its annotations, so the API is
asked for that one claim, once for each volume that is made.
"""

import msgspec

from causeway.kube.client import Client
from causeway.kube.errors import ApiError, NotFound
from causeway.kube.objects import Meta
from causeway.kube.resource import CLAIMS
from causeway.rooms.volumes.model import Near, Reason, Refused

WITH, WITHOUT = "cinder.csi.openstack.org/affinity", "cinder.csi.openstack.org/anti-affinity"
_NAME, _NAMESPACE = "csi.storage.k8s.io/pvc/name", "csi.storage.k8s.io/pvc/namespace"


class _Claim(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta


class Claims:
    """The claims of a platform."""

    def __init__(self, kube: Client) -> None:
        self._kube = kube

    async def near(self, metadata: dict[str, str]) -> Near:
        """Return what volumes the claim named in a volume's ``metadata`` is to be near, or apart from.

        Raises ``Refused`` when the API does not say; a claim that is gone asks for nothing.
        """
        name, namespace = metadata.get(_NAME), metadata.get(_NAMESPACE)
        if not name or not namespace:
            return Near()
        try:
            claim = await self._kube.get(CLAIMS, name, namespace, of=_Claim)
        except NotFound:
            return Near()
        except ApiError as error:
            cause = f"its annotations cannot be read: {error}"
            remedy = "It is tried again by itself; the driver's account has to be allowed to get claims."
            raise Refused(Reason.PENDING, f"claim {namespace}/{name}", cause, remedy) from error
        notes = claim.metadata.annotations
        return Near(_words(notes.get(WITH, "")), _words(notes.get(WITHOUT, "")))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for each in text.split(",") if (word := each.strip()))
