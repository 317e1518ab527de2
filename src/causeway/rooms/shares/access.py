"""Which access rules a share is to have, and what is to be done for it. Pure: decides, does nothing.

A rule is known by its marks: which cluster made it, and for which node. What others made is never taken away.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from causeway.cloud.manila_objects import AccessRule, ExportLocation, Share
from causeway.engine.storage.model import Reason, Refused
from causeway.rooms.shares.model import CEPHFS, Clients, node_of

ADDRESS, USER = "ip", "cephx"
LEAVING = frozenset({"queued_to_deny", "denying", "deleted"})
_EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True)
class Allow:
    """Make a rule that lets ``to`` in, marked as made for ``node`` ("": for all nodes)."""

    kind: str
    to: str
    node: str


@dataclass(frozen=True)
class Mark:
    """Say that a rule of ours is this node's from now on: it has the address another one had."""

    rule: AccessRule
    node: str


@dataclass(frozen=True)
class Deny:
    """Take a rule of ours away."""

    rule: AccessRule


Act = Allow | Mark | Deny


@dataclass(frozen=True)
class Plan:
    """What is to be done, and whether something is still under way that has to be looked at again."""

    acts: tuple[Act, ...] = ()
    passing: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the share's rules are as wanted."""
        return not self.acts and not self.passing


@dataclass(frozen=True)
class Wanted:
    """Whom a share is to let in; ``node`` is who that is done for, "" for all nodes of the cluster."""

    kind: str
    to: tuple[str, ...]
    node: str


def wanted(
    share: Share,
    exports: Iterable[ExportLocation],
    node: str,
    *,
    addresses: Sequence[str],
    clients: Clients,
    cluster: str,
) -> Wanted:
    """Return whom a share is to let in for a node with these fixed ``addresses``; raises ``Refused``.

    A StorageClass that names its ``clients`` is followed. Else it is the node alone: by those of its
    addresses that are of a family the share can be mounted from, or by a user of Ceph that no other node and
    no other share has.
    """
    if share.protocol == CEPHFS:
        if clients.users:
            return Wanted(USER, clients.users[:1], "")
        return Wanted(USER, (user(cluster, share.id, node),), node)
    if clients.addresses:
        return Wanted(ADDRESS, clients.addresses, "")
    families = {family for each in exports if (family := _family(each.path))}
    fitting = tuple(each for each in addresses if not families or ip_address(each).version in families)
    if not fitting:
        cause = f"it has no fixed address of IPv{' or IPv'.join(map(str, sorted(families))) or '4 or IPv6'}"
        remedy = "Connect its server to a network from which the share can be reached."
        raise Refused(Reason.PRECONDITION, f"node {node}", cause, remedy)
    return Wanted(ADDRESS, fitting, node)


def user(cluster: str, share: str, node: str) -> str:
    """Return the user of Ceph by which one node of a cluster mounts one share.

    Users are known in all of a Ceph, which other clouds may share: the name is nobody else's by chance.
    """
    facts = f"{cluster} {share} {node}"
    return f"causeway-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def to_grant(rules: Iterable[AccessRule], want: Wanted, cluster: str) -> Plan:
    """Return what makes the rules let in whom is wanted; raises ``Refused`` for a rule that is not ours."""
    acts: list[Act] = []
    passing = False
    rules = list(rules)
    for to in want.to:
        rule = next((each for each in rules if _lets_in(each, want.kind, to)), None)
        made_for = None if rule is None else node_of(rule.metadata, cluster)
        if rule is None:
            acts.append(Allow(want.kind, to, want.node))
        elif rule.state in LEAVING:
            passing = True
        elif rule.state == "error" and made_for is None:
            cause = f"its access rule for {rule.access_to} has failed, and is not ours"
            remedy = f"Take it away: openstack share access delete SHARE {rule.id}."
            raise Refused(Reason.PRECONDITION, f"access rule {rule.id}", cause, remedy)
        elif rule.state == "error":
            acts.append(Deny(rule))
        else:
            if made_for and made_for != want.node:
                acts.append(Mark(rule, want.node))
            passing |= rule.state != "active" or (rule.access_type == USER and not rule.access_key)
    acts.extend(
        Deny(each)
        for each in rules
        if want.node
        and node_of(each.metadata, cluster) == want.node
        and each.state not in LEAVING
        and not any(_lets_in(each, want.kind, to) for to in want.to)
    )
    return Plan(tuple(acts), passing)


def to_revoke(rules: Iterable[AccessRule], node: str, cluster: str) -> Plan:
    """Return what takes away the rules made for ``node`` ("": for any node), and no other."""
    mine = [each for each in rules if (made := node_of(each.metadata, cluster)) and node in ("", made)]
    acts = tuple(Deny(each) for each in mine if each.state not in LEAVING)
    return Plan(acts, passing=len(acts) < len(mine))


def nodes_let_in(rules: Iterable[AccessRule], cluster: str) -> list[str]:
    """Return the nodes of the cluster for which there are rules."""
    made_for = {node_of(each.metadata, cluster) for each in rules}
    return sorted(node for node in made_for if node)


def open_to_all(rules: Iterable[AccessRule]) -> list[str]:
    """Return the ids of rules that let everybody in."""
    return [each.id for each in rules if each.access_type == ADDRESS and each.access_to in _EVERYBODY]


def _lets_in(rule: AccessRule, kind: str, to: str) -> bool:
    if rule.access_type != kind:
        return False
    if kind == USER:
        return rule.access_to == to
    try:
        return ip_network(rule.access_to, strict=False) == ip_network(to, strict=False)
    except ValueError:  # hidden from us by a lock
        return False


def _family(path: str) -> int | None:
    """Return the version of IP of an export location, None when it names a host."""
    host = path[1:].partition("]")[0] if path.startswith("[") else path.partition(":")[0]
    try:
        return ip_address(host).version
    except ValueError:
        return None
