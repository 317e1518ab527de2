"""What is attached, on disk: one small file for each attachment, so that a new daemon knows what an old one
did.

The files lie on a memory file system (``/run``): like the links they describe they end with a reboot.
"""

from pathlib import Path

import msgspec

from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd


class Attachment(msgspec.Struct, frozen=True):
    """An interface we made, or are about to make: then ``node_end`` is not known yet.

    ``further`` says that it is one of those its pod asked for besides the first, which its container's
    runtime does not know of: it comes and goes with the first.
    ``vlan`` is 0 for one on the integration bridge of a native node.
    """

    container_id: str
    ifname: str
    netns: str
    namespace: str
    pod: str
    pod_uid: str
    port_id: str
    trunk: str
    vlan: int
    mac: str
    mtu: int
    addresses: tuple[Address, ...]
    node_end: NodeEnd | None = None
    further: bool = False

    @property
    def place(self) -> str:
        """Return where it is on the node: the number of its VLAN, or its port on a native node."""
        return str(self.vlan) if self.vlan else self.port_id

    @property
    def key(self) -> tuple[str, str]:
        """Return what CNI calls an attachment: (container ID, interface name)."""
        return self.container_id, self.ifname


class Records:
    """The attachments of this node, in memory and on disk alike; used by several threads, a key by one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[tuple[str, str], Attachment] = {}

    def load(self) -> list[str]:
        """Read what is on disk; return the names of files that were unreadable, which are removed."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        unreadable = []
        for unfinished in self._directory.glob("*.new"):
            unfinished.unlink()
        for path in sorted(self._directory.glob("*.json")):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=Attachment)
            except msgspec.MsgspecError:
                unreadable.append(path.name)
                path.unlink()
            else:
                self._known[record.key] = record
        return unreadable

    def get(self, key: tuple[str, str]) -> Attachment | None:
        """Return the attachment of that key."""
        return self._known.get(key)

    def of_container(self, container_id: str) -> list[Attachment]:
        """Return the attachments of a container, its first interface last."""
        found = [record for record in self._known.values() if record.container_id == container_id]
        return sorted(found, key=lambda record: not record.further)

    def all(self) -> list[Attachment]:
        """Return every attachment."""
        return list(self._known.values())

    def at(self, place: str) -> list[Attachment]:
        """Return the attachments of that place: at most one is of use, others are leftovers."""
        return [record for record in self.all() if record.place == place]

    def put(self, record: Attachment) -> None:
        """Keep an attachment; it is on disk when this returns."""
        path = self._path(record.key)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(path)
        self._known[record.key] = record

    def remove(self, key: tuple[str, str]) -> None:
        """Forget an attachment; one that is unknown is fine."""
        self._path(key).unlink(missing_ok=True)
        self._known.pop(key, None)

    def _path(self, key: tuple[str, str]) -> Path:
        return self._directory / f"{key[0]}@{key[1]}.json"
