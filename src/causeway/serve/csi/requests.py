"""What requests of the interface have in common, whichever storage they are for. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from causeway.cloud.identifiers import is_id
from causeway.engine.storage.model import Capability, Capacity, Mode, Reason, Refused
from causeway.serve.csi.settings import Common
from causeway.serve.csi.spec import csi_pb2 as csi

_KUBERNETES = "csi.storage.k8s.io/"
_Access = csi.VolumeCapability.AccessMode
_MODES = {
    _Access.SINGLE_NODE_WRITER: Mode.ONE_NODE,
    _Access.SINGLE_NODE_READER_ONLY: Mode.ONE_NODE,
    _Access.SINGLE_NODE_SINGLE_WRITER: Mode.ONE_NODE,
    _Access.SINGLE_NODE_MULTI_WRITER: Mode.ONE_NODE,
    _Access.MULTI_NODE_READER_ONLY: Mode.MANY_READERS,
    _Access.MULTI_NODE_SINGLE_WRITER: Mode.MANY_WRITERS,
    _Access.MULTI_NODE_MULTI_WRITER: Mode.MANY_WRITERS,
}


def required(place: str, **fields: Any) -> None:
    """Raise ``Refused`` when a field that must be given is not."""
    for name, value in fields.items():
        if not value:
            raise Refused(
                Reason.INVALID, place, f"{name} is not given", "Give it: the interface requires it."
            )


def capability(message: csi.VolumeCapability) -> Capability:
    """Return a way of using a volume; raises ``Refused`` when it says too little."""
    kind, mode = message.WhichOneof("access_type"), message.access_mode.mode
    if kind is None or mode not in _MODES:
        cause = "it says not how the volume is accessed, or by whom"
        raise Refused(Reason.INVALID, "volume capability", cause, "Give access type and access mode.")
    return Capability(
        _MODES[mode],
        block=kind == "block",
        filesystem=message.mount.fs_type,
        reads_only=mode in (_Access.SINGLE_NODE_READER_ONLY, _Access.MULTI_NODE_READER_ONLY),
        alone=mode == _Access.SINGLE_NODE_SINGLE_WRITER,
    )


def capacity(message: csi.CapacityRange) -> Capacity:
    """Return the size that is asked for."""
    return Capacity(message.required_bytes, message.limit_bytes)


def zones(requirement: csi.TopologyRequirement, settings: Common) -> tuple[str, ...]:
    """Return the zones something may be in, the preferred first."""
    key = settings.topology_key

    def of(topologies: Iterable[csi.Topology]) -> list[str]:
        return [each.segments[key] for each in topologies if each.segments.get(key)]

    allowed = of(requirement.requisite)
    preferred = of(requirement.preferred)
    return tuple(dict.fromkeys([*(each for each in preferred if not allowed or each in allowed), *allowed]))


def metadata(parameters: Mapping[str, str], key: str, place: str) -> dict[str, str]:
    """Return what is written on the object: the claim's names, and what the class adds by parameter ``key``.

    Raises ``Refused`` when that is not a JSON object of texts. As cloud-provider-openstack's driver has it,
    the names stay what they are, and null stands for nothing, as a value for "".
    """
    names = {key: value for key, value in parameters.items() if key.startswith(_KUBERNETES)}
    added = parameters.get(key)
    if not added:
        return names
    try:
        found = json.loads(added)
    except ValueError:
        found = added
    extra = {} if found is None else found
    if not isinstance(extra, dict) or not all(isinstance(each, str | None) for each in extra.values()):
        cause = f"parameter {key} is not a JSON object of texts"
        raise Refused(Reason.INVALID, place, cause, "Correct it in the class, which has to be made anew.")
    return {key: value or "" for key, value in extra.items()} | names


def marker(request: Any, what: str) -> str:
    """Return the id behind which a list goes on ("": from its beginning); raises ``Refused``."""
    if request.max_entries < 0:
        cause = f"{request.max_entries} entries are asked for"
        raise Refused(Reason.INVALID, f"list of {what}", cause, "Ask for more, or for 0: all.")
    token: str = request.starting_token
    if token and not is_id(token):
        raise stale(what)
    return token


def stale(what: str) -> Refused:
    """Return the refusal for a list that cannot be gone on with."""
    cause = "the token to go on from is not valid (any more)"
    return Refused(Reason.PENDING, f"list of {what}", cause, "Begin the list again.")
