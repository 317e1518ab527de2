"""Which access rules a share is to have, and what is to be done for it. Pure: decides, does nothing.

A rule is known by its marks: which cluster made it, and for which node. What others made is never taken away.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from causeway.cloud.manila_objects import AccessRule, ExportLocation, Share
from causeway.cloud.ownership import node_let_in
from causeway.engine.storage.model import Reason, Refused
from causeway.rooms.shares.model import CEPHFS, Clients, handle_key, handles_at, node_of

ADDRESS, USER = "ip", "cephx"
LEAVING = frozenset({"queued_to_deny", "denying", "deleted"})
_EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})


@dataclass(frozen=True)
class Allow:
    """Make a rule that lets ``to`` in, marked as made for ``node`` ("": for all nodes) by a handle.

    ``others`` are keys of further handles, by which the node had the share through a rule that goes.
    """

    kind: str
    to: str
    node: str
    handle: str = ""
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mark:
    """Say that a rule of ours is this node's: it has the address another one had, or other handles."""

    rule: AccessRule
    node: str
    handle: str = ""
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Leave:
    """Say that a rule's node has the share by this handle no more; by others it still has."""

    rule: AccessRule
    handle: str


@dataclass(frozen=True)
class Deny:
    """Take a rule of ours away."""

    rule: AccessRule


Act = Allow | Mark | Leave | Deny


@dataclass(frozen=True)
class Plan:
    """What is to be done, and whether something is still under way that has to be looked at again."""

    acts: tuple[Act, ...] = ()
    passing: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the share's rules are as wanted."""
        return not self.acts and not self.passing

    def handles_denied(self, node: str) -> frozenset[str]:
        """Return the keys of the handles by which a node has the share through rules this takes away."""
        taken = (each.rule.metadata for each in self.acts if isinstance(each, Deny))
        return frozenset(key for metadata in taken for key in handles_at(metadata, node) if node)


@dataclass(frozen=True)
class Wanted:
    """Whom a share is to let in; ``node`` is who that is done for, "" for all nodes of the cluster.

    ``handle`` is by which of its handles the node has it: several PersistentVolumes may be of one share.
    """

    kind: str
    to: tuple[str, ...]
    node: str
    handle: str = ""


def wanted(
    share: Share,
    exports: Iterable[ExportLocation],
    node: str,
    *,
    addresses: Sequence[str],
    clients: Clients,
    cluster: str,
    handle: str = "",
) -> Wanted:
    """Return whom a share is to let in for a node with these fixed ``addresses``; raises ``Refused``.

    A StorageClass that names its ``clients`` is followed. Else it is the node alone: by those of its
    addresses that are of a family the share can be mounted from, or by a user of Ceph that no other node and
    no other share has.
    """
    if share.protocol == CEPHFS:
        if clients.users:
            return Wanted(USER, clients.users[:1], "")
        return Wanted(USER, (user(cluster, share.id, node),), node, handle)
    if clients.addresses:
        return Wanted(ADDRESS, clients.addresses, "")
    families = {family for each in exports if (family := _family(each.path))}
    fitting = tuple(each for each in addresses if not families or ip_address(each).version in families)
    if not fitting:
        cause = f"it has no fixed address of IPv{' or IPv'.join(map(str, sorted(families))) or '4 or IPv6'}"
        remedy = "Connect its server to a network from which the share can be reached."
        raise Refused(Reason.PRECONDITION, f"node {node}", cause, remedy)
    return Wanted(ADDRESS, fitting, node, handle)


def user(cluster: str, share: str, node: str) -> str:
    """Return the user of Ceph by which one node of a cluster mounts one share.

    Users are known in all of a Ceph, which other clouds may share: the name is nobody else's by chance.
    """
    facts = f"{cluster} {share} {node}"
    return f"causeway-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def to_grant(
    rules: Iterable[AccessRule], want: Wanted, cluster: str, handles: frozenset[str] = frozenset()
) -> Plan:
    """Return what makes the rules let in whom is wanted; raises ``Refused`` for a rule that is not ours.

    ``handles`` are keys of further ones by which the node has the share: of rules taken away before.
    """
    rules = list(rules)
    old = [
        Deny(each)
        for each in rules
        if want.node
        and node_of(each.metadata, cluster) == want.node
        and each.state not in LEAVING
        and not any(_lets_in(each, want.kind, to) for to in want.to)
    ]
    others = handles | Plan(tuple(old)).handles_denied(want.node)
    acts: list[Act] = []
    passing = False
    for to in want.to:
        rule = next((each for each in rules if _lets_in(each, want.kind, to)), None)
        made_for = None if rule is None else node_of(rule.metadata, cluster)
        if rule is None:
            acts.append(Allow(want.kind, to, want.node, want.handle, others))
        elif rule.state in LEAVING:
            passing = True
        elif rule.state == "error" and made_for is None:
            cause = f"its access rule for {rule.access_to} has failed, and is not ours"
            remedy = f"Take it away: openstack share access delete SHARE {rule.id}."
            raise Refused(Reason.PRECONDITION, f"access rule {rule.id}", cause, remedy)
        elif rule.state == "error":
            acts.append(Deny(rule))
        else:
            if made_for and (made_for != want.node or not _has(rule, want, others)):
                acts.append(Mark(rule, want.node, want.handle, others))
            passing |= rule.state != "active" or (rule.access_type == USER and not rule.access_key)
    return Plan((*acts, *old), passing)


def to_revoke(rules: Iterable[AccessRule], node: str, cluster: str, handle: str = "") -> Plan:
    """Return what takes away the rules made for ``node`` ("": for any node), and no other.

    A rule whose node has the share by another handle as well stays, and forgets this one.
    """
    acts: list[Act] = []
    passing = False
    for rule in rules:
        made_for = node_of(rule.metadata, cluster)
        if not made_for or node not in ("", made_for):
            continue
        handles, mine = handles_at(rule.metadata, made_for), handle_key(handle)
        if rule.state in LEAVING:
            passing = True
        elif not handles - {mine}:
            acts.append(Deny(rule))
        elif mine in handles:
            acts.append(Leave(rule, handle))
    return Plan(tuple(acts), passing)


def holders(rules: Iterable[AccessRule], cluster: str) -> list[str]:
    """Return for which nodes there are rules, those of another cluster with its name and the rule's."""
    found = [(each.id, owner) for each in rules if (owner := node_let_in(each.metadata))]
    ours = {owner.uid for _, owner in found if owner.cluster == cluster}
    theirs = (
        f"{owner.uid} of platform {owner.cluster} by rule {rule}"
        for rule, owner in found
        if owner.cluster != cluster
    )
    return [*sorted(ours), *sorted(theirs)]


def open_to_all(rules: Iterable[AccessRule]) -> list[str]:
    """Return the ids of rules that let everybody in."""
    return [each.id for each in rules if each.access_type == ADDRESS and each.access_to in _EVERYBODY]


def _has(rule: AccessRule, want: Wanted, others: frozenset[str]) -> bool:
    """Return whether a rule says by which handles its node has the share."""
    asked = {handle_key(want.handle)} if want.handle else set()
    return not want.node or handles_at(rule.metadata, want.node) >= asked | others


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
