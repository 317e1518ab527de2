"""Ways of using a volume: which are possible at all, and which take a volume type for several servers."""

from collections.abc import Iterable
from dataclasses import dataclass

from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused

FILE_SYSTEMS = ("ext4", "ext3", "xfs")
"""What can be made and mounted; the first is the default."""


_SEVERAL = "a StorageClass whose type has the extra specification multiattach='<is> True'"
_OF_ONE = """kubectl patch pv PV --type=merge -p '{"spec": {"accessModes": ["ReadWriteOnce"]}}'"""
_SHARES = "a share (docs/how-to/shares.md)"


@dataclass(frozen=True)
class Hindrance:
    """Why a volume cannot be used in a way; what to do before it is made, and for one that is ``there``."""

    cause: str
    remedy: str
    there: str


def hindrance(capability: Capability, *, multiattach: bool) -> Hindrance | None:
    """Return why a volume cannot be used so, None when it can; ``multiattach``: its type is for several.

    Several that only read may ask for one that is not: it is used at one server at a time, for Cinder and
    ``to_attach`` refuse the second.
    """
    if not capability.block and capability.filesystem not in ("", *FILE_SYSTEMS):
        possible = ", ".join(FILE_SYSTEMS)
        return Hindrance(
            f"file system {capability.filesystem} is not among {possible}",
            f"Name one of {possible} by parameter csi.storage.k8s.io/fstype of the StorageClass: delete the "
            "class and make it anew.",
            f"Copy its files to a new volume; fsType of a PersistentVolume is one of {possible}.",
        )
    if capability.mode is Mode.MANY_WRITERS and not capability.block:
        return Hindrance(
            "a file system of this kind loses its data when two nodes mount it and one writes",
            f"Ask for ReadWriteOnce. Files for several nodes belong on {_SHARES}; a device for several takes "
            f"volumeMode Block and {_SEVERAL}.",
            f"Say of its PersistentVolume what is true of it: {_OF_ONE}. Files for several nodes belong on "
            f"{_SHARES}.",
        )
    if for_several([capability]) and not multiattach:
        return Hindrance(
            "its volume type is not for several servers",
            f"Ask for {_SEVERAL}, or for ReadWriteOnce.",
            f"Have a volume of {_SEVERAL}, or say of its PersistentVolume what is true of it: {_OF_ONE}.",
        )
    return None


def refusal(
    capabilities: Iterable[Capability], place: str, *, multiattach: bool, there: bool = False
) -> Refused | None:
    """Return the refusal when a volume cannot be used in all these ways, None when it can.

    ``there``: it was made before, for whatever it is; else it is asked for.
    """
    for capability in capabilities:
        if found := hindrance(capability, multiattach=multiattach):
            return Refused(Reason.INVALID, place, found.cause, found.there if there else found.remedy)
    return None


def require_usable(
    capabilities: Iterable[Capability], place: str, *, multiattach: bool, there: bool = False
) -> None:
    """Raise ``Refused`` unless a volume can be used in all these ways; ``there`` as of ``refusal``."""
    if refused := refusal(capabilities, place, multiattach=multiattach, there=there):
        raise refused


def for_several(capabilities: Iterable[Capability]) -> bool:
    """Return whether any of these ways takes a volume type for several servers."""
    return any(each.mode is Mode.MANY_WRITERS for each in capabilities)
