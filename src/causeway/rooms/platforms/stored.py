"""Volumes, shares, snapshots and backups of a project, and whose they are.

Those of the nodes belong to the stack and go with it. Those that claims asked for hold data that nothing
makes again: they are known by the metadata a driver of storage gives in the call that makes them, and whoever
takes a platform away has to say what becomes of them.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.ownership import METADATA, claimed_for, owner_in, owner_in_metadata
from causeway.kit.errors import Finding, Problem

SHARE, SHARE_SNAPSHOT = "share", "share snapshot"
COLLECTIONS = {
    "volumes": "volume",
    "snapshots": "snapshot",
    "backups": "backup",
    "shares": SHARE,
    "share snapshots": SHARE_SNAPSHOT,
}
"""Cinder's collections and Manila's, by what is in them."""

KINDS = frozenset(COLLECTIONS.values())

_RIGHTS = {
    "volumes": "volume:get_all",
    "snapshots": "volume:get_all_snapshots",
    "backups": "backup:get_all",
    "shares": "share:get_all",
    "share snapshots": "share_snapshot:get_all_snapshots",
}
"""The rules of Cinder's and Manila's policies by which a user lists them."""

_EVERYWHERE = ("volumes", "snapshots")
"""What every Cinder has: where it says otherwise, its endpoint is wrong."""

CONTAINER = "container"
"""The type of what has the registry's images, in the object store."""

UNKNOWN = "unknown"
"""The status of a container that one may not look into."""

MANILA = {"microversion": "2.55"}
"""What Manila's calls are made with: what its users see since 2019."""

_VERSION = "3.43"  # of Cinder: shows whose a backup is
_LEAST = 100  # administrators of Manila may let a page have fewer than 1000, but hardly as few
_CLAIM = "csi.storage.k8s.io/pvc/"
_SNAPSHOT = "csi.storage.k8s.io/volumesnapshot/"
_OF_BACKUP = "src_backup_id"  # what Cinder writes in the metadata of a volume made of a backup
_CHOOSE = "Run destroy with --delete-volumes to delete it with its data, or with --keep-volumes to leave it."


@dataclass(frozen=True)
class Stored:
    """What is stored, also the container of a registry's images; ``size`` in GiB, rounded up.

    ``status`` and ``created`` (UTC) are as the service writes them.
    ``cluster`` is whose it is, "" if nobody's; ``claimed``: a claim asked for it; ``marked``: our driver made
    it for that. ``claim`` is NAMESPACE/NAME of what asked, "" where the metadata do not tell. ``servers``
    have it, by id, as far as the service knows; ``of`` is what a snapshot or a backup is of; ``group`` a
    share's group.
    """

    type: str
    id: str
    name: str
    size: int
    status: str
    created: str = ""
    cluster: str = ""
    claimed: bool = False
    marked: bool = False
    claim: str = ""
    servers: tuple[str, ...] = ()
    of: str = ""
    group: str = ""

    def __str__(self) -> str:
        return f"{self.type} {self.name} ({self.id})" if self.name else f"{self.type} {self.id}"

    @property
    def held(self) -> str:
        """Return whose data is in it, as one says it."""
        images = self.type == CONTAINER
        return "holds the registry's images" if images else "holds data of a claim"

    @property
    def idle(self) -> bool:
        """Return whether nothing is being done with it and no server has it."""
        return self.status == "available" or self.status.startswith("error")

    def about(self, servers: Mapping[str, str] | None = None) -> str:
        """Return what is in it and who has it; ``servers`` are names by id."""
        names = servers or {}
        parts = [
            "of unknown size, as one may not look into it" if self.status == UNKNOWN else f"{self.size} GiB"
        ]
        if self.claim:
            parts.append(f"VolumeSnapshot {self.claim}" if self.of else f"claim {self.claim}")
        if self.of:
            parts.append(f"of {'share' if self.type == SHARE_SNAPSHOT else 'volume'} {self.of}")
        if self.servers:
            parts.append(f"attached to {', '.join(names.get(each, each) for each in self.servers)}")
        return ", ".join(parts)


def listed(cloud: Connection, collection: str) -> list[dict[str, Any]]:
    """Return a collection of the project, page by page; nothing where there is no such service or version.

    Raises ``Problem`` where the user may not list it: what is in it would be taken for nothing.

    The service is not asked to filter: it would take a list for each mark, and a filter that its
    administrators do not allow is ignored without a word.
    """
    if COLLECTIONS[collection] in (SHARE, SHARE_SNAPSHOT):
        return _of_manila(cloud, collection)
    if not cloud.endpoint_for("block-storage"):
        return []
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {}
    while True:
        response = cloud.block_storage.get(f"/{collection}/detail", params=query, microversion=_VERSION)
        if response.status_code == 404 and query:  # the one behind which the page begins is gone
            found, query = [], {}
            continue
        if _has_none(response, collection):
            return []
        document = response.json()
        page = document[collection]
        found += page
        if not page or not any(each["rel"] == "next" for each in document.get(f"{collection}_links", [])):
            return found
        query = {"marker": page[-1]["id"]}


def _of_manila(cloud: Connection, collection: str) -> list[dict[str, Any]]:
    if not cloud.endpoint_for("shared-file-system"):
        return []
    name = collection.removeprefix("share ")
    found: list[dict[str, Any]] = []
    while True:
        query = {"offset": str(len(found))} if found else {}
        response = cloud.shared_file_system.get(f"/{name}/detail", params=query, **MANILA)
        if _has_none(response, collection):
            return []
        page = response.json()[name]
        found += page
        if len(page) < _LEAST:
            return found


def _has_none(response: Any, collection: str) -> bool:
    """Return whether the service has no such collection at all; raises ``Problem`` when it is forbidden."""
    if response.status_code == 403:
        remedy = f"Have the cloud's administrator allow the user {_RIGHTS[collection]}."
        raise Problem.of(f"{collection} of the project", "may not be listed by this user", remedy)
    if response.status_code in (404, 406) and collection not in _EVERYWHERE:
        return True  # not installed behind its endpoint, or of before the version
    sdk.raise_from_response(response)
    return False


def everything(cloud: Connection, kinds: Container[str] = KINDS) -> list[Stored]:
    """Return everything that is stored in the project, or all of these kinds."""
    wanted = {name: kind for name, kind in COLLECTIONS.items() if kind in kinds}
    return [read(kind, each) for name, kind in wanted.items() for each in listed(cloud, name)]


def claimed(cloud: Connection, cluster_id: str, kinds: Container[str] = KINDS) -> list[Stored]:
    """Return what was made for claims of a cluster, or all of these kinds."""
    return [each for each in everything(cloud, kinds) if each.claimed and each.cluster == cluster_id]


def read(kind: str, each: Mapping[str, Any]) -> Stored:
    """Return one as the service shows it. Pure."""
    metadata: Mapping[str, str] = each.get("metadata") or {}
    if kind == SHARE_SNAPSHOT and (described := owner_in(each.get("description") or "")):
        metadata = described.metadata()  # Manila knows none of snapshots before 2.73
    owner = owner_in_metadata(metadata)
    if _OF_BACKUP in metadata and owner is not None and owner.uid != each.get("name"):
        # Cinder gave it the marks of the volume that was backed up, of whichever platform, and its own come
        # from its driver in a moment.
        metadata, owner = {}, None
    cluster = claimed_for(metadata)
    prefix = _CLAIM if kind in ("volume", SHARE) else _SNAPSHOT
    claim = [metadata[key] for key in (f"{prefix}namespace", f"{prefix}name") if key in metadata]
    attachments = each.get("attachments") or []
    return Stored(
        kind,
        each["id"],
        each.get("name") or "",
        each.get("size", 0),
        each.get("status") or "none",  # Cinder may have lost it
        created=each.get("created_at") or "",
        cluster=cluster or metadata.get(METADATA, ""),
        claimed=bool(cluster),
        marked=bool(cluster) and owner is not None,
        claim="/".join(claim),
        servers=tuple(it.get("server_id") or it.get("host_name") or "a host" for it in attachments),
        of=each.get("volume_id") or each.get("share_id") or "",
        group=each.get("share_group_id") or "",
    )


def undecided(found: Iterable[Stored], servers: Mapping[str, str]) -> Problem:
    """Return the problem that names all of them, because nobody said what becomes of them."""
    return Problem(*(Finding(str(each), f"{each.held}: {each.about(servers)}", _CHOOSE) for each in found))
