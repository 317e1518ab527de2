"""Pools of the platform file as resource groups of the stack, and which nodes a group consists of.

A group is named by its role (``masters``, ``infra_nodes``, ``compute_nodes``); further pools of a role get a
group of their own name. Which pool has the plain name is read from the living stack, so that reordering the
file never renames a group, which would replace its servers.

A node's index is given once. Heat counts a group up from zero and leaves out the indexes that were removed;
``indexes`` does the same, so that a node's name is known before it exists and after it is gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

from causeway.kit.errors import Finding, Problem
from causeway.rooms.platforms.model import Platform, Pool, Role

_PLAIN: dict[Role, str] = {"master": "masters", "infra": "infra_nodes", "compute": "compute_nodes"}


@dataclass(frozen=True)
class Group:
    """One resource group: its name in the stack, its pool, and the indexes that were ever removed from it."""

    name: str
    pool: Pool
    removed: frozenset[int] = frozenset()

    @property
    def role(self) -> Role:
        """Return what the group's nodes do."""
        return self.pool.role

    def nodes(self, platform: str) -> tuple[str, ...]:
        """Return the names of the nodes the group consists of."""
        return tuple(node_name(platform, self.pool.name, index) for index in self.indexes())

    def indexes(self) -> tuple[int, ...]:
        """Return the indexes of the group's nodes, as Heat counts them."""
        return tuple(islice((index for index in count() if index not in self.removed), self.pool.count))


@dataclass(frozen=True)
class LiveGroup:
    """What the living stack says of a group: its pool, how many nodes, which indexes are gone for good."""

    pool: str
    count: int
    removed: frozenset[int]

    def indexes(self) -> tuple[int, ...]:
        """Return the indexes of the nodes that live."""
        return tuple(islice((index for index in count() if index not in self.removed), self.count))


def node_name(platform: str, pool: str, index: int) -> str:
    """Return the name of a node, which is the name of its server, port and trunk as well."""
    return f"{platform}-{pool}-{index}"


def index_of(node: str, platform: str, pool: str) -> int | None:
    """Return the index a node's name says, None if the node is not one of that pool."""
    prefix = f"{platform}-{pool}-"
    rest = node.removeprefix(prefix)
    return int(rest) if rest != node and rest.isdigit() else None


def assign(platform: Platform, live: Mapping[str, LiveGroup] | None = None) -> tuple[Group, ...]:
    """Return the groups of a platform; ``live`` are those of its stack by name, if there is one."""
    known = live or {}
    of_pool = {group.pool: name for name, group in known.items()}
    groups = []
    taken = set(known)
    for pool in platform.spec.pools:
        name = of_pool.get(pool.name)
        if name is None:
            plain = _PLAIN[pool.role]
            name = plain if plain not in taken else f"{pool.role}_nodes_{pool.name}"
            taken.add(name)
        removed = known[name].removed if name in known else frozenset()
        groups.append(Group(name, pool, removed))
    return tuple(groups)


def choose_removals(
    platform: str,
    group: Group,
    live: LiveGroup | None,
    *,
    named: Iterable[str] = (),
    cordoned: Iterable[str] = (),
) -> tuple[int, ...]:
    """Return the indexes to remove so that the group has as many nodes as its pool says.

    The named nodes go first, then cordoned ones, then the newest. Raises ``Problem`` if more nodes are named
    than the group has too many: a node is never removed without the file saying so.
    """
    if live is None:
        return ()
    living = live.indexes()
    surplus = max(0, len(living) - group.pool.count)
    wanted = [
        index
        for node in dict.fromkeys(named)
        if (index := index_of(node, platform, group.pool.name)) in living and index is not None
    ]
    if len(wanted) > surplus:
        raise Problem.of(
            f"pool {group.pool.name}",
            f"{len(wanted)} of its nodes are to be removed, but its count of {group.pool.count} leaves "
            f"{surplus or 'none'} too many of {len(living)}",
            f"Set its count to {len(living) - len(wanted)} in the platform file.",
        )
    marked = set(cordoned)
    others = sorted(
        (index for index in living if index not in wanted),
        key=lambda index: (node_name(platform, group.pool.name, index) in marked, index),
        reverse=True,
    )
    return tuple(sorted([*wanted, *others[: surplus - len(wanted)]]))


def check_removals(
    platform: Platform, groups: Sequence[Group], live: Mapping[str, LiveGroup], named: Iterable[str]
) -> None:
    """Raise ``Problem`` for named nodes that do not exist, and for changes this release does not make."""
    nodes = {
        node_name(platform.name, group.pool, index) for group in live.values() for index in group.indexes()
    }
    findings = [
        Finding(
            f"node {node}",
            f"platform {platform.name} has no such node",
            f"Its nodes: {', '.join(sorted(nodes)) or 'none'}.",
        )
        for node in named
        if node not in nodes
    ]
    for group in groups:
        if group.role == "master" and group.name in live and live[group.name].count > group.pool.count:
            findings.append(
                Finding(
                    f"pool {group.pool.name}",
                    f"{live[group.name].count} masters cannot become {group.pool.count}: members of etcd "
                    "would be lost",
                    f"Leave its count at {live[group.name].count}.",
                )
            )
    if findings:
        raise Problem(*findings)
