"""Opening shares to nodes and closing them: rules are made, waited for and taken away; ``access`` decides."""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import structlog

from causeway.cloud import errors
from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import AccessRequest, AccessRule, ExportLocation, Share
from causeway.cloud.nova import Addresses
from causeway.engine.storage.model import Reason, Refused
from causeway.rooms.shares import access
from causeway.rooms.shares.access import Act, Allow, Deny, Leave, Mark, Plan, Wanted
from causeway.rooms.shares.model import CEPHFS, LEFT, PASSING, Clients, Entry, access_marks, handle_key
from causeway.rooms.shares.mounting import filesystem

log = structlog.get_logger()

Wait = Callable[[str, Callable[[Share | None], bool]], Awaitable[object]]
"""Waits until a share fulfils a condition; raises ``Refused`` when that takes too long."""


class Grants:
    """The access rules of one cluster's shares."""

    def __init__(self, manila: Manila, addresses: Addresses, cluster: str) -> None:
        self._manila = manila
        self._addresses = addresses
        self._cluster = cluster
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self, share: Share, handle: str, node: str, clients: Clients, wait: Wait) -> Entry:
        """Let a node mount a share it has by a handle, and return how it does.

        Raises ``Refused``, ``CloudError``.
        """
        addresses = await self._addresses.fixed(node)
        if addresses is None:
            cause = "the project has no such server"
            raise Refused(Reason.NOT_FOUND, f"node {node}", cause, "Delete the node.")
        refused: errors.BadRequest | None = None
        allowed = failed = False
        handles: frozenset[str] = frozenset()
        while True:
            _require_usable(share)
            if share.status == "available":
                inside = filesystem(share)  # before anybody is let in to what cannot be mounted
                exports = await self._manila.export_locations(share.id)
                want = access.wanted(
                    share,
                    exports,
                    node,
                    addresses=addresses,
                    clients=clients,
                    cluster=self._cluster,
                    handle=handle,
                )
                async with self._lock(share.id):
                    rules = await self._manila.access_rules(share.id)
                    plan = access.to_grant(rules, want, self._cluster, handles)
                    if plan.is_done:
                        return _entry(share, exports, want, rules, inside)
                    if failed:
                        raise _rule_failed(share.id, "make")
                    try:
                        await self._act(share.id, plan)
                        refused = None
                    except errors.BadRequest as error:
                        # Once it may be that another has just made the rule, or that the share is passing.
                        if refused is not None:
                            remedy = "Look at the share's status and rules: openstack share access list."
                            place = f"share {share.id}"
                            raise Refused(Reason.PRECONDITION, place, error.cause, remedy) from error
                        refused = error
                handles |= plan.handles_denied(want.node)
                failed = allowed and any(isinstance(each, Deny) for each in plan.acts)
                allowed |= any(isinstance(each, Allow) for each in plan.acts)
            await wait(share.id, _has_calmed)
            share = await self._manila.get_share(share.id)

    async def close(self, share: str, handle: str, node: str, wait: Wait) -> None:
        """Let a node ("": every node) not have a share by a handle any more; raises as ``open`` does."""
        asked = False
        while True:
            async with self._lock(share):
                plan = access.to_revoke(await self._rules(share), node, self._cluster, handle)
                if plan.is_done:
                    return
                if asked and plan.acts:
                    raise _rule_failed(share, "take away")
                await self._act(share, plan)
                asked = True
            await wait(share, _has_calmed)

    async def holders(self, share: str) -> list[str]:
        """Return which nodes a share is open to, of whichever cluster; none for a share that is gone."""
        return access.holders(await self._rules(share), self._cluster)

    async def _rules(self, share: str) -> list[AccessRule]:
        try:
            return await self._manila.access_rules(share)
        except errors.NotFound:
            return []

    async def _act(self, share: str, plan: Plan) -> None:
        for act in plan.acts:
            await self._do(share, act)
            log.info("access", share=share, act=type(act).__name__, of=_of(act))

    async def _do(self, share: str, act: Act) -> None:
        match act:
            case Allow(kind, to, node, handle, others):
                marks = access_marks(self._cluster, node, handle) | dict.fromkeys(others, node)
                await self._manila.allow_access(share, AccessRequest(kind, to, marks))
            case Mark(rule, node, handle, others):
                marks = access_marks(self._cluster, node, handle) | dict.fromkeys(others, node)
                await self._manila.mark_access(rule.id, marks)
            case Leave(rule, handle):
                await self._manila.mark_access(rule.id, {handle_key(handle): LEFT})
            case Deny(rule):
                await self._manila.deny_access(share, rule.id)

    def _lock(self, share: str) -> asyncio.Lock:
        """Return what keeps two nodes from deciding over the rules of one share at once."""
        lock = self._locks.get(share)
        if lock is None:
            lock = self._locks[share] = asyncio.Lock()
        return lock


def _entry(
    share: Share, exports: list[ExportLocation], want: Wanted, rules: list[AccessRule], inside: str
) -> Entry:
    if everybody := access.open_to_all(rules):
        log.warning("a share is open to everybody", share=share.id, rules=everybody)
    if not exports:
        cause = "Manila says not where it is mounted from"
        remedy = "Have the cloud's administrator look at it."
        raise Refused(Reason.FAILED, f"share {share.id}", cause, remedy)
    location = min(exports, key=lambda it: (not it.preferred, it.path)).path
    if share.protocol != CEPHFS:
        return Entry(share.protocol, location)
    keys = {each.access_to: each.access_key for each in rules if each.access_type == access.USER}
    return Entry(share.protocol, location, want.to[0], keys[want.to[0]] or "", inside)


def _require_usable(share: Share) -> None:
    if share.status == "deleting" or (share.status not in PASSING and share.status != "available"):
        cause = f"its status is {share.status}"
        remedy = "It can be mounted when its status is available; the cloud's administrator can reset it."
        raise Refused(Reason.PRECONDITION, f"share {share.id}", cause, remedy)


def _rule_failed(share: str, what: str) -> Refused:
    cause = f"Manila could not {what} an access rule"
    remedy = f"Look: openstack share access list {share}; the log of its back end has the reason."
    return Refused(Reason.FAILED, f"share {share}", cause, remedy)


def _has_calmed(share: Share | None) -> bool:
    """Return whether neither the share nor its rules are on their way to something."""
    return share is None or (share.status not in PASSING and share.access_rules_status != "syncing")


def _of(act: Act) -> str:
    return act.to if isinstance(act, Allow) else f"{act.rule.access_to} ({act.rule.id})"
