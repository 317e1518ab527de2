"""Who owns an object of the cloud: tags given in the call that creates it.

A name alone proves nothing (two clusters may have the same namespace and service). The tags carry the
identity of the cluster and of the Kubernetes object, so that what a crash left behind is found again and what
belongs to somebody else is never touched.
"""

from collections.abc import Iterable, Mapping

import msgspec

MARK = "causeway"
METADATA = "causeway-cluster"
_CLUSTER, _KIND, _UID = f"{METADATA}=", "causeway-kind=", "causeway-uid="
_YES = "true"  # metadata has no keys without a value
VOLUME = "volume"
"""The kind of a volume or snapshot that was made for a claim; its uid is the name that was asked for."""
SHARE = "share"
"""The same of a share or a snapshot of one."""
ACCESS = "share-access"
"""The kind of a rule by which a share may be mounted; its uid is the node it was made for."""
ALL_NODES = "all"
"""In the place of that node: for all nodes of the cluster."""
DRIVER_CLUSTER = "cinder.csi.openstack.org/cluster"
"""The metadata by which cloud-provider-openstack's volume driver, and ours, mark what is a cluster's."""
SHARE_CLUSTER = "manila.csi.openstack.org/cluster"
"""The same of the drivers of shares."""


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The Kubernetes object (or, with uid "", the part of the platform) an object of the cloud belongs to."""

    cluster: str
    kind: str
    uid: str = ""

    def tags(self) -> list[str]:
        """Return the tags that say so."""
        uid = [_UID + self.uid] if self.uid else []
        return [MARK, _CLUSTER + self.cluster, _KIND + self.kind, *uid]

    def metadata(self) -> dict[str, str]:
        """Return the tags as keys and values, for objects that have metadata instead of tags."""
        pairs = (tag.partition("=") for tag in self.tags())
        return {key: value or _YES for key, _, value in pairs}

    def description(self) -> str:
        """Return the tags as one text, for objects that cannot be tagged in the creating call."""
        return " ".join(self.tags())


def of_cluster(cluster: str, kind: str | None = None) -> list[str]:
    """Return the tags to filter a list by: all objects of ``cluster``, or those of one kind."""
    return [_CLUSTER + cluster, *([_KIND + kind] if kind else [])]


def owner_of(tags: Iterable[str]) -> Owner | None:
    """Return whom ``tags`` name, or None when they are not ours."""
    values = {key: tag[len(key) :] for tag in tags for key in (_CLUSTER, _KIND, _UID) if tag.startswith(key)}
    if MARK not in tags or _CLUSTER not in values or _KIND not in values:
        return None
    return Owner(values[_CLUSTER], values[_KIND], values.get(_UID, ""))


def owner_in_metadata(metadata: Mapping[str, str]) -> Owner | None:
    """Return whom metadata written by ``Owner.metadata`` names, or None."""
    mark = [MARK] if metadata.get(MARK) == _YES else []
    return owner_of([*mark, *(f"{key}={value}" for key, value in metadata.items())])


def claimed_for(metadata: Mapping[str, str]) -> str:
    """Return the cluster for which a driver of storage made what has this metadata, "" if none did.

    The mark both drivers write goes first: who changes it by hand gives the volume or the share away.
    """
    owner = owner_in_metadata(metadata)
    ours = owner.cluster if owner is not None and owner.kind in (VOLUME, SHARE) else ""
    return metadata.get(DRIVER_CLUSTER, "") or metadata.get(SHARE_CLUSTER, "") or ours


def node_let_in(metadata: Mapping[str, str]) -> Owner | None:
    """Return for which node of which cluster an access rule with this metadata was made.

    None where no driver of ours made it, or for all nodes: then it does not tell who has the share.
    """
    owner = owner_in_metadata(metadata)
    single = owner is not None and owner.kind == ACCESS and owner.uid not in ("", ALL_NODES)
    return owner if single else None


def uids_in(tags: Iterable[str], cluster: str, kind: str) -> frozenset[str]:
    """Return the uids of all objects of one cluster and kind that share something of the cloud."""
    tags = list(tags)
    owner = owner_of(tags)
    if owner is None or (owner.cluster, owner.kind) != (cluster, kind):
        return frozenset()
    return frozenset(tag[len(_UID) :] for tag in tags if tag.startswith(_UID))


def owner_in(description: str) -> Owner | None:
    """Return whom a description written by ``Owner.description`` names, or None."""
    return owner_of(description.split())
