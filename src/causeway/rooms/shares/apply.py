"""Shares: made, deleted and found as ``orders`` does it; enlarged, and opened to nodes, in the same way."""

from causeway.cloud import errors
from causeway.cloud.manila import Manila
from causeway.cloud.manila_objects import Share
from causeway.cloud.nova import Addresses
from causeway.engine.storage.capacity import gigabytes
from causeway.engine.storage.model import Capacity, Reason, Refused
from causeway.engine.storage.orders import PATIENCE, Calls, Orders
from causeway.engine.storage.steps import Step
from causeway.rooms.shares import creation
from causeway.rooms.shares.finding import find, remember
from causeway.rooms.shares.grants import Grants, Wait
from causeway.rooms.shares.model import PASSING, Clients, Entry, Wish, is_ours


class Shares(Orders[Share, Wish]):
    """The shares of one cluster, in the project of the cloud's credentials."""

    kind = "share"
    deletable_when = "Delete its snapshots first; look at its status."

    def __init__(
        self, manila: Manila, addresses: Addresses, cluster: str, *, patience: float = PATIENCE
    ) -> None:
        calls = Calls(
            manila.get_share,
            manila.list_shares,
            manila.shares_named,
            self._remove,
            manila.messages_about,
        )
        super().__init__(cluster, calls, patience)
        self._manila = manila
        self._grants = Grants(manila, addresses, cluster)

    async def find(self, handle: str) -> Share:
        """Return the share Kubernetes knows by a handle; raises ``NotFound``, ``Refused``."""
        return await find(self._manila, handle)

    async def expand(self, handle: str, capacity: Capacity) -> Share:
        """Return the share, enlarged if it is too small; raises ``Refused``, ``CloudError``."""
        return await self._run(handle, ("expand", capacity), lambda: self._expand(handle, capacity))

    async def publish(self, handle: str, node: str, clients: Clients, *, share: str = "") -> Entry:
        """Open a share to a node, and return how it is mounted; raises ``Refused``, ``CloudError``.

        ``share`` is its id or name where the ``handle``, by which Kubernetes knows it, is neither.
        ``clients`` are let in instead of the node alone where a StorageClass says so.
        """
        work = (handle, node, clients, share)
        return await self._run(f"{handle} at {node}", work, lambda: self._publish(*work))

    async def unpublish(self, handle: str, node: str) -> None:
        """Close a share to a node ("": to all nodes); raises as ``publish`` does."""
        await self._run(f"{handle} at {node}", "close", lambda: self._unpublish(handle, node))

    def _is_ours(self, it: Share) -> bool:
        return is_ours(it.metadata, self._cluster)

    def _judge(self, wish: Wish, it: Share) -> Step[Share]:
        return creation.judge(wish, it)

    async def _create(self, wish: Wish) -> Share:
        gigabytes(wish.capacity, f"share {wish.name}")
        return await super()._create(wish)

    async def _order(self, wish: Wish) -> Share:
        source = None
        if wish.snapshot_id:
            place = f"snapshot {wish.snapshot_id}"
            try:
                source = await self._manila.get_snapshot(wish.snapshot_id)
            except errors.NotFound as error:
                cause = "there is no such snapshot to make a share of"
                raise Refused(Reason.NOT_FOUND, place, cause, "Name one that exists.") from error
            if source.status != "available":
                reason = Reason.PRECONDITION if "error" in source.status else Reason.PENDING
                cause = f"its status is {source.status}"
                raise Refused(reason, place, cause, "A share is made of it when it is available.")
        return await self._manila.create_share(creation.request_for(wish, self._cluster, source))

    def _failure(self, place: str, told: str) -> Refused:
        return Refused(
            _why_failed(told),
            place,
            told or "Manila could not make it and gives no reason",
            "Ask for another size, type, protocol or zone, or ask the cloud's administrator.",
        )

    async def _remove(self, identifier: str) -> None:
        try:
            share = await self._manila.get_share(identifier)
        except errors.NotFound:
            return
        await self._manila.delete_share(identifier, share.share_group_id or "")

    async def _delete(self, identifier: str) -> None:
        if nodes := await self._grants.holders(identifier):
            cause = f"it is open to {', '.join(nodes)}"
            remedy = (
                "It is deleted when no node has it. Of a platform that is gone, take the rule away: "
                f"openstack share access delete {identifier} RULE."
            )
            raise Refused(Reason.PRECONDITION, f"share {identifier}", cause, remedy)
        await super()._delete(identifier)

    async def _expand(self, handle: str, capacity: Capacity) -> Share:
        place = f"share {handle}"
        size = gigabytes(capacity, place)
        until = self._until()
        asked = False
        while True:
            share = await find(self._manila, handle)
            if share.size >= size and share.status != "extending":
                gigabytes(capacity, place, at_least=share.size)
                return share
            if share.status == "extending_error" or (asked and share.status not in PASSING):
                told = next(iter(await self._manila.messages_about(share.id)), "Manila gives no reason")
                reason = Reason.FAILED if share.status == "extending_error" else _why_failed(told)
                raise Refused(reason, place, told, "Have the cloud's administrator look at it.")
            if share.status not in PASSING:
                try:
                    await self._manila.extend_share(share.id, size)
                except errors.BadRequest as error:
                    raise Refused(Reason.PRECONDITION, place, error.cause, "Look at its status.") from error
                asked = True
            await self._wait(share.id, _has_settled, until)

    async def _publish(self, handle: str, node: str, clients: Clients, named: str) -> Entry:
        share = await find(self._manila, named or handle)
        await remember(self._manila, share, handle)
        return await self._grants.open(share, handle, node, clients, self._waiting())

    async def _unpublish(self, handle: str, node: str) -> None:
        try:
            share = await find(self._manila, handle)
        except errors.NotFound:
            return
        await self._grants.close(share.id, handle, node, self._waiting())

    def _waiting(self) -> Wait:
        until = self._until()
        return lambda share, condition: self._wait(share, condition, until)


def _why_failed(told: str) -> Reason:
    full = any(word in told.lower() for word in ("no storage", "capacity", "valid host"))
    return Reason.EXHAUSTED if full else Reason.FAILED


def _has_settled(share: Share | None) -> bool:
    return share is None or share.status not in PASSING
