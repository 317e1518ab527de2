"""What an orphan is, and what is known when one is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from causeway.cloud.ownership import VOLUME, Owner
from causeway.rooms.platforms.stored import CONTAINER

REGISTRY = "registry"
"""The kind of what is in the object store for a platform's images, and of the keys for that."""

KEYS = "EC2 credential"
RECORDS = "record set"


@dataclass(frozen=True)
class Thing:
    """An object of the cloud that carries the ownership of a cluster; ``made`` is the cloud's UTC time.

    ``described`` says that the owner was read from its own tags or description and not from its surroundings.
    ``about`` tells what a claim's volume or snapshot is, or of which type a record set; ``users`` are the
    servers that have it.
    """

    type: str
    id: str
    name: str
    owner: Owner
    made: datetime | None = None
    described: bool = True
    about: str = ""
    users: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type} {self.name} ({self.id})" if self.name else f"{self.type} {self.id}"

    @property
    def data(self) -> bool:
        """Return whether it holds what nothing makes again."""
        return self.owner.kind == VOLUME or self.type == CONTAINER

    def age(self, now: datetime) -> float | None:
        """Return the seconds since it was made, None where the cloud does not tell."""
        return (now - self.made).total_seconds() if self.made is not None else None


@dataclass(frozen=True)
class Landscape:
    """A project at one moment: what carries our tags, and which clusters have a stack (its name) in it.

    ``strangers`` are volumes and snapshots of another driver, whose cluster may be anybody's; ``unseen`` is
    what the user may not look at.
    """

    things: tuple[Thing, ...]
    stacks: Mapping[str, str]
    strangers: tuple[Thing, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inhabitants:
    """Who lives in one platform, by its Kubernetes API.

    ``uids`` are those of all objects of ``kinds``; ``ports`` the cloud's ports its nodes have been given;
    ``resources`` what its stack consists of, None when that could not be told. ``volumes`` and ``snapshots``
    are ids of what its Kubernetes objects name and UIDs of objects that still wait for one; ``snapshots``
    None: it knows no snapshots at all. ``unnoted`` are ids of record sets that nothing says the owner of.
    """

    cluster: str
    kinds: frozenset[str]
    uids: frozenset[str]
    ports: frozenset[str]
    resources: frozenset[str] | None = None
    volumes: frozenset[str] = frozenset()
    snapshots: frozenset[str] | None = None
    unnoted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Orphan:
    """A thing and the proof that it belongs to nobody; ``held`` says why it is only told, if so."""

    thing: Thing
    proof: str
    held: str = ""


@dataclass(frozen=True)
class Verdict:
    """Who is an orphan, how many things belong to somebody, and what could not be judged, by cluster.

    ``unseen`` is what could not even be looked at; ``clusters`` are all whose tags or stack were seen.
    """

    orphans: tuple[Orphan, ...]
    belonging: int
    unjudged: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()


def moment(text: object) -> datetime | None:
    """Return a time as the services write it: UTC, with or without saying so."""
    if not text:
        return None
    found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
