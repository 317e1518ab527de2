"""Making one security group or one set of addresses right, and knowing which groups can be given to pods.

A pod is told its groups when each of them exists, allows nothing any more that it should not, and all that it
should as far as the cloud makes it. The groups of policies that are gone are deleted as soon as no port is in
them, without a finalizer: what a crash leaves, the list finds again by its owner.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence

import structlog

from causeway.cloud.errors import (
    BadRequest,
    CloudError,
    Conflict,
    Forbidden,
    NotFound,
    Quota,
    ServerError,
    Timeout,
    Unreachable,
)
from causeway.cloud.security_groups import SecurityGroup
from causeway.engine.reconciler import DONE, Result
from causeway.kit.errors import Finding
from causeway.kit.turns import in_turns
from causeway.kube.events import Recorder
from causeway.kube.objects import NetworkPolicy, key_of
from causeway.kube.resource import NETWORK_POLICIES
from causeway.rooms.policies.actual import View
from causeway.rooms.policies.apply import Applier
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import NODE, POLICY, GroupKey
from causeway.rooms.policies.plan import Difference, difference

log = structlog.get_logger()

_LINGER = 0.05  # seconds a change of a set waits for others
_AGAIN = 2.0  # seconds until something in use is deleted again
_TOLD = 5  # policies that are told of one failure at most

# After these it is not known what the cloud looks like.
_DOUBTFUL = (Timeout, ServerError, Unreachable, NotFound, Conflict)
# What the cloud refuses and will refuse again until somebody does something.
_REFUSED = (Quota, BadRequest)
_TOLD_TO_PODS = (*_REFUSED, Forbidden)


class Reconciler:
    """Brings one security group, or one set of addresses, to what it should be."""

    def __init__(
        self, index: Index, view: View, applier: Applier, recorder: Recorder, *, address_groups: bool
    ) -> None:
        self._index = index
        self._view = view
        self._applier = applier
        self._recorder = recorder
        self._address_groups = address_groups
        self._unsure: set[GroupKey] = set()  # groups that may allow what they should not
        self._refused: set[str] = set()  # sets the cloud does not make
        self._gone: set[str] = set()  # keys that may be deleted
        self._suspects: set[str] = set()  # keys that nobody wanted at the last look
        self._troubles: dict[str, tuple[str, Finding]] = {}  # what the cloud refuses, by key
        self.wake: Callable[[str], None] = lambda _: None  # a pod whose groups may have changed
        self.enqueue: Callable[[str, float], None] = lambda _, __: None
        self.is_left: Callable[[str], bool] = lambda _: False  # whether a port is just being taken out of one

    # what others ask

    def ready(self, key: GroupKey) -> str | None:
        """Return the id of a group that can be given to ports."""
        found = self._view.group(key)
        return found[0].id if found and key not in self._unsure else None

    @property
    def troubled(self) -> bool:
        """Return whether the cloud refuses anything."""
        return bool(self._troubles)

    def trouble(self, keys: Collection[GroupKey]) -> tuple[str, Finding] | None:
        """Return what the cloud refuses of some groups, or of the sets in their rules."""
        wanted = {str(key) for key in keys}
        for text, trouble in self._troubles.items():
            if text in wanted:
                return trouble
            if text.startswith("set ") and not wanted.isdisjoint(map(str, self._groups_with(text))):
                return trouble
        return None

    # what happened

    def changed(self) -> None:
        """Enqueue what has changed in the index."""
        changes = self._index.take()
        for key in changes.groups:
            self._doubt_group(key)
        for each in changes.sets:
            if not self._address_groups:
                for key in self._index.groups_by_set(each):
                    self._doubt_group(key)
            else:
                if self._index.sets.addresses(each) is None:
                    self._gone.add(_text(each))
                self.enqueue(_text(each), _LINGER)
        for uid in changes.pods:
            self.wake(uid)

    async def compare(self) -> AsyncIterator[str]:
        """Yield the keys of all that is not as it should be.

        What nobody wants counts as gone when a second look agrees.
        """
        wanted_sets = set(self._index.sets.keys()) if self._address_groups else set[str]()
        unwanted = {str(key) for key in self._view.group_keys() if not self._index.wanted(key)}
        unwanted |= {_text(each) for each in self._view.sets() if each not in wanted_sets}
        self._gone |= unwanted & self._suspects
        self._suspects = unwanted
        for each in unwanted & self._gone:
            yield each
        async for key in in_turns(self._index.groups()):
            found = self._view.group(key)
            if len(found) != 1 or not self.remaining(key).same:
                yield str(key)
        async for each in in_turns(wanted_sets):
            groups = self._view.set(each)
            if len(groups) != 1 or frozenset(groups[0].addresses) != self._index.sets.addresses(each):
                yield _text(each)

    def remaining(self, key: GroupKey) -> Difference:
        """Return what remains to be done to a group that exists."""
        return difference(
            self._index.rules(key),
            self._view.group(key)[0],
            group_of=self._group_of_set if self._address_groups else None,
            addresses=self._index.sets.addresses,
        )

    # work

    async def reconcile(self, key: str) -> Result:
        """Make one group or set right."""
        await self._view.settle()
        try:
            if key.startswith("set "):
                result = await self._set(key.removeprefix("set "))
            else:
                result = await self._group(GroupKey.parse(key))
        except _DOUBTFUL:
            self._view.doubt()
            raise
        if self._troubles.pop(key, None):
            self._wake_pods(key)
        return result

    def subject(self, key: str) -> str:
        """Return what a key is about in words: the policy's name where it is a policy's group."""
        if key.startswith("set "):
            return key
        return self._name(GroupKey.parse(key))

    async def failed(self, key: str, error: Exception) -> None:
        """Write an Event on the policies that a group or a set is for."""
        found = [self._index.policy(uid) for uid in sorted(self._policies_of(key))]
        policies = [policy for policy in found if policy is not None]
        if isinstance(error, CloudError):
            note = f"{error.service}: {error.cause}. {error.remedy}"  # without the request id: it is ever new
        else:
            note = f"{type(error).__name__}: see the log of causeway-controller."
        if isinstance(error, _TOLD_TO_PODS):
            self._refuse(key, error, policies)
        for policy in policies[:_TOLD]:
            await self._recorder.record(
                NETWORK_POLICIES,
                policy.metadata,
                reason=type(error).__name__,
                note=f"The policy is not wholly in effect. {note}",
                action="Enforcing",
            )

    def _refuse(self, key: str, error: CloudError, policies: Sequence[NetworkPolicy]) -> None:
        """Take note of what the cloud refuses, for the pods that lack it."""
        names = ", ".join(key_of(policy) for policy in policies[:_TOLD])
        cause = f"NetworkPolicy {names} is not wholly in effect: {error.service}: {error.cause}"
        trouble = type(error).__name__, Finding(self.subject(key), cause, error.remedy)
        news = self._troubles.get(key) != trouble
        self._troubles[key] = trouble
        if news:
            self._wake_pods(key)

    async def _group(self, key: GroupKey) -> Result:
        found = self._view.group(key)
        if not self._index.wanted(key):
            policy_gone = key.kind == POLICY and self._index.policy(key.uid) is None
            if not found or not (policy_gone or str(key) in self._gone):
                return DONE
            done = [await self._delete(group) for group in found]
            log.info("group deleted" if all(done) else "group still in use", group=str(key))
            return DONE if all(done) else Result(_AGAIN)
        self._gone.discard(str(key))
        group = found[0] if found else await self._applier.create_group(key, self._name(key))
        change = self.remaining(key)
        try:
            if change.add or change.remove:
                log.info("rules change", group=str(key), add=len(change.add), remove=len(change.remove))
                await self._applier.change_rules(group, change)
        except _REFUSED:
            self._settle(key, refused=True)  # it allows less than it should; its pods can start all the same
            raise
        for each in change.missing:
            self.enqueue(_text(each), _LINGER)
        self._settle(key)
        doubles = [await self._delete(double) for double in self._view.group(key)[1:]]
        return DONE if all(doubles) else Result(_AGAIN)

    async def _delete(self, group: SecurityGroup) -> bool:
        return not self.is_left(group.id) and await self._applier.delete_group(group)

    async def _set(self, key: str) -> Result:
        addresses, found = self._index.sets.addresses(key), self._view.set(key)
        if addresses is None or not self._address_groups:
            self._refused.discard(key)
            if not found or _text(key) not in self._gone:
                return DONE
            done = [await self._applier.delete_set(group) for group in found]
            return DONE if all(done) else Result(_AGAIN)
        self._gone.discard(_text(key))
        try:
            if not found:
                await self._applier.create_set(key, self._index.sets.describe(key), addresses)
                self._enqueue_users(key)  # whose rules waited for it
            else:
                await self._applier.change_set(found[0], addresses)
        except _REFUSED:
            if key not in self._refused:
                self._refused.add(key)
                self._enqueue_users(key)
            raise
        self._refused.discard(key)
        doubles = [await self._applier.delete_set(double) for double in self._view.set(key)[1:]]
        return DONE if all(doubles) else Result(_AGAIN)

    def _settle(self, key: GroupKey, *, refused: bool = False) -> None:
        """Let pods have a group if it allows what it should, or less because the cloud refused more."""
        if key not in self._unsure or not self._view.group(key):
            return
        rest = self.remaining(key)
        if not rest.remove and (refused or (not rest.add and rest.missing <= self._refused)):
            self._unsure.discard(key)
            for uid in self._index.pods_of(key):
                self.wake(uid)

    def _groups_with(self, key: str) -> list[GroupKey]:
        if key.startswith("set "):
            return self._index.groups_by_set(key.removeprefix("set "))
        return [GroupKey.parse(key)]

    def _wake_pods(self, key: str) -> None:
        for uid in {uid for group in self._groups_with(key) for uid in self._index.pods_of(group)}:
            self.wake(uid)

    def _enqueue_users(self, key: str) -> None:
        for group in self._index.groups_by_set(key):
            self.enqueue(str(group), _LINGER)

    def _doubt_group(self, key: GroupKey) -> None:
        if self._index.wanted(key):
            self._unsure.add(key)
        else:
            self._unsure.discard(key)
        self.enqueue(str(key), 0.0)

    def _group_of_set(self, key: str) -> str | None:
        found = self._view.set(key)
        return found[0].id if found else None

    def _name(self, key: GroupKey) -> str:
        policy = self._index.policy(key.uid)
        if policy is not None:
            return f"{policy.metadata.namespace}/{policy.metadata.name}"
        return f"node {key.uid}" if key.kind == NODE else f"open {key.uid}"

    def _policies_of(self, key: str) -> set[str]:
        if key.startswith("set "):
            return set(self._index.sets.users(key.removeprefix("set ")))
        group = GroupKey.parse(key)
        return {group.uid} if group.kind == POLICY else self._index.policies_with(group)


def _text(key: str) -> str:
    return f"set {key}"
