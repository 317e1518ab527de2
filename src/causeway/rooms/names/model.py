"""What the room speaks of: who wants which records, and what is to be told to whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from causeway.cloud.ownership import Owner
from causeway.rooms.names.registry import Affixes

KIND = "name"
"""The ``causeway-kind`` of every record set this room makes."""

SERVICE, NODE, ROUTE, INGRESS, PLATFORM = "service", "node", "route", "ingress", "platform"
HTTP_ROUTE, TLS_ROUTE = "httproute", "tlsroute"
RANKS: Mapping[str, int] = {
    PLATFORM: 0,
    NODE: 1,
    SERVICE: 2,
    ROUTE: 2,
    INGRESS: 2,
    HTTP_ROUTE: 2,
    TLS_ROUTE: 2,
}
"""Kinds of who may want names; the lower one has a name both want."""
ALWAYS_KNOWN = frozenset({PLATFORM, NODE, SERVICE, ROUTE, INGRESS})
"""Kinds that are defined in every platform; nothing is planned before all their objects are listed."""

TYPES = ("A", "AAAA", "CNAME")
"""Types of record sets this room makes."""


@dataclass(frozen=True)
class Setting:
    """What the platform's settings say of names.

    ``zones`` are absolute, the first is the platform's own; ``owner`` is written into the zones; ``fixed``
    are the addresses of names that belong to the platform itself, such as its API's. ``previewed``: it is
    looked at as somebody else would have it, whose notes say nothing of what the platform wrote.
    """

    cluster: str
    zones: tuple[str, ...]
    owner: str
    affixes: Affixes = field(default_factory=Affixes)
    fixed: Mapping[str, str] = field(default_factory=dict)
    previewed: bool = False

    @property
    def mark(self) -> str:
        """Return the description of everything we make."""
        return Owner(self.cluster, KIND).description()

    def zone_of(self, name: str) -> str | None:
        """Return the zone a name lies in, the nearest if several do; None if it is in none of ours."""
        found = [zone for zone in self.zones if name == zone or name.endswith(f".{zone}")]
        return max(found, key=len, default=None)


@dataclass(frozen=True, order=True)
class Source:
    """Who wants a name; ``created`` is the API's text, which sorts by time."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    created: str = ""

    @property
    def resource(self) -> str:
        """Return how it is written into the zone."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, order=True)
class Wish:
    """Records somebody wants; names and targets that are names are absolute. ``ttl`` None: the zone's.

    Without ``targets``, and a type, it asks for no record: the platform's wildcard answers for this host.
    ``order`` is the place of the name among those its source wants.
    """

    name: str
    type: str
    targets: tuple[str, ...]
    source: Source
    ttl: int | None = None
    order: int = 0


@dataclass(frozen=True, order=True)
class Note:
    """What somebody who wants a name is to be told: one word, why, and what to do about it.

    ``name`` is the name it is about, "" for all of the object. The cause has no full stop at its end.
    """

    source: Source
    reason: str
    cause: str
    remedy: str
    name: str = ""

    def __post_init__(self) -> None:
        # Names, and what the cloud answers, may end with a full stop; whoever shows the cause sets one, too.
        object.__setattr__(self, "cause", self.cause.rstrip("."))


@dataclass(frozen=True)
class Desired:
    """What all want together.

    ``known`` are the kinds of whom everybody is known who wants names: what others have stays as it is.
    ``untouched`` are resources that have names in a way this room does not know: theirs stay as they are.
    ``defects`` are what failed in reading an object, by its resource; it is among the untouched.
    """

    wishes: tuple[Wish, ...] = ()
    notes: tuple[Note, ...] = ()
    untouched: frozenset[str] = frozenset()
    known: frozenset[str] = ALWAYS_KNOWN
    defects: Mapping[str, Exception] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Record:
    """Records as they are to be: the wishes of all who share the name, made one."""

    name: str
    type: str
    targets: tuple[str, ...]
    ttl: int | None
    resource: str
    sources: tuple[Source, ...]
    order: int = 0


@dataclass(frozen=True)
class Step:
    """Base of all steps; ``sources`` are those who are told if it fails."""

    name: str
    type: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Create(Step):
    """Make a record set."""

    records: tuple[str, ...]
    ttl: int | None

    def __str__(self) -> str:
        return f"create {self.type} {self.name} {' '.join(self.records)}"


@dataclass(frozen=True)
class Update(Step):
    """Give a record set other records or another TTL."""

    id: str
    records: tuple[str, ...]
    ttl: int | None

    def __str__(self) -> str:
        return f"update {self.type} {self.name} to {' '.join(self.records)}"


@dataclass(frozen=True)
class Delete(Step):
    """Delete a record set."""

    id: str

    def __str__(self) -> str:
        return f"delete {self.type} {self.name}"


Chain = tuple[Step, ...]
"""Steps of which each needs the one before; chains are independent of each other."""


@dataclass(frozen=True)
class Planned:
    """What is to be done in one zone, what it will hold of ours, and what is to be told."""

    chains: tuple[Chain, ...]
    records: tuple[Record, ...]
    notes: tuple[Note, ...]
