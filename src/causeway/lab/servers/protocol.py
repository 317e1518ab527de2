"""What is said on the agent's socket: one JSON object each way, one exchange per connection.

A request names its operation in ``op``; the answer is ``{"ok": value}`` or
``{"error": {"kind": ..., "message": ...}}``. Plain JSON, because the driver at the other end lives among
Nova's dependencies, not ours.
"""

import msgspec

from causeway.lab.servers.record import Interface, Volume


class Request(msgspec.Struct, tag_field="op", kw_only=True):
    """The common part of all requests."""


class List(Request, tag="list"):
    """All servers: ``{id: "running" | "off"}``."""


class UnpackImage(Request, tag="unpack-image"):
    """Make the image ready for servers, out of Glance's store; quick when it is."""

    image: str


class PruneImages(Request, tag="prune-images"):
    """Remove unpacked images not in ``used`` and older than so many seconds; the removed ids."""

    used: list[str]
    minimum_age: float


class ServerRequest(Request):
    """The common part of what is asked of one server."""

    id: str


class Spawn(ServerRequest, tag="spawn"):
    """Create a server of an unpacked image; ``files`` are the config drive's, base64."""

    hostname: str
    image: str
    memory_mb: int
    vcpus: int
    files: dict[str, bytes]
    interfaces: list[Interface] = []
    volumes: list[Volume] = []
    power_on: bool = True


class Destroy(ServerRequest, tag="destroy"):
    """Remove a server, whatever its state."""


class Start(ServerRequest, tag="start"):
    """Power on."""


class Stop(ServerRequest, tag="stop"):
    """Power off: asked for ``timeout`` seconds, then ended."""

    timeout: float = 0


class Reboot(ServerRequest, tag="reboot"):
    """Reboot: asked for ``timeout`` seconds, then ended and started."""

    timeout: float = 0


class Console(ServerRequest, tag="console"):
    """The end of the console log, ASCII."""


class AttachVolume(ServerRequest, tag="attach-volume"):
    """Attach a volume; its path is the one Cinder knows."""

    volume: Volume


class DetachVolume(ServerRequest, tag="detach-volume"):
    """Detach the volume of this serial number."""

    serial: str


class ResizeVolume(ServerRequest, tag="resize-volume"):
    """Show the new size of the volume of this serial number."""

    serial: str


class Plug(ServerRequest, tag="plug"):
    """Add an interface."""

    interface: Interface


class Unplug(ServerRequest, tag="unplug"):
    """Remove the interface on this port."""

    port: str


AnyRequest = (
    List
    | UnpackImage
    | PruneImages
    | Spawn
    | Destroy
    | Start
    | Stop
    | Reboot
    | Console
    | AttachVolume
    | DetachVolume
    | ResizeVolume
    | Plug
    | Unplug
)


class Failure(msgspec.Struct, frozen=True):
    """Why a request failed: ``kind`` is "image", "problem" or "defect"."""

    kind: str
    message: str


_decoder = msgspec.json.Decoder(AnyRequest)


def decode(line: bytes) -> AnyRequest:
    """Return the request in ``line``; raises ``msgspec.ValidationError`` naming what is wrong with it."""
    request: AnyRequest = _decoder.decode(line)
    return request


def answer(value: object) -> bytes:
    """Return the answer to a request that succeeded."""
    return msgspec.json.encode({"ok": value}) + b"\n"


def refusal(failure: Failure) -> bytes:
    """Return the answer to a request that failed."""
    return msgspec.json.encode({"error": failure}) + b"\n"
