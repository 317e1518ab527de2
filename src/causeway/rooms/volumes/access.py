"""Ways of using a volume: which are possible at all, and which take a volume type for several servers."""

from collections.abc import Iterable

from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused

FILE_SYSTEMS = ("ext4", "ext3", "xfs")
"""What can be made and mounted; the first is the default."""


def why_not(capability: Capability, *, multiattach: bool) -> str:
    """Return why a volume cannot be used so, "" when it can; ``multiattach``: its type is for several.

    Several that only read may ask for one that is not: it is used at one server at a time, for Cinder and
    ``to_attach`` refuse the second.
    """
    if not capability.block and capability.filesystem not in ("", *FILE_SYSTEMS):
        return f"file system {capability.filesystem} is not among {', '.join(FILE_SYSTEMS)}"
    if capability.mode is Mode.MANY_WRITERS and not capability.block:
        return "a file system of this kind loses its data when two nodes mount it and one writes"
    if for_several([capability]) and not multiattach:
        return "its volume type is not for several servers"
    return ""


def refusal(capabilities: Iterable[Capability], place: str, *, multiattach: bool) -> Refused | None:
    """Return the refusal when a volume cannot be used in all these ways, None when it can."""
    for capability in capabilities:
        if cause := why_not(capability, multiattach=multiattach):
            remedy = (
                "Ask for ReadWriteOnce, for volumeMode Block, or for a StorageClass whose type has the extra "
                "specification multiattach='<is> True'; for files on several nodes use a shared file system."
            )
            return Refused(Reason.INVALID, place, cause, remedy)
    return None


def require_usable(capabilities: Iterable[Capability], place: str, *, multiattach: bool) -> None:
    """Raise ``Refused`` unless a volume can be used in all these ways."""
    if refused := refusal(capabilities, place, multiattach=multiattach):
        raise refused


def for_several(capabilities: Iterable[Capability]) -> bool:
    """Return whether any of these ways takes a volume type for several servers."""
    return any(each.mode is Mode.MANY_WRITERS for each in capabilities)
