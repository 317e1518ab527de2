"""Steps as calls to Designate: the only place of this room that writes."""

from causeway.cloud import errors
from causeway.cloud.designate import Designate, NewRecordSet
from causeway.rooms.names.actual import Zones
from causeway.rooms.names.model import Create, Delete, Setting, Step, Update
from causeway.rooms.names.reverse import SetReverse, Turn, UnsetReverse


class Hands:
    """Takes steps and tells the snapshot what came of them."""

    def __init__(self, designate: Designate, zones: Zones, setting: Setting) -> None:
        self._designate = designate
        self._zones = zones
        self._mark = setting.mark

    async def do(self, step: Step, zone: str, zone_id: str) -> None:
        """Take one step in a zone; raises ``CloudError``."""
        match step:
            case Create():
                new = NewRecordSet(step.name, step.type, step.records, step.ttl, self._mark)
                self._zones.put(zone, await self._designate.create_record_set(zone_id, new))
            case Update():
                changed = await self._designate.update_record_set(
                    zone_id, step.id, step.records, step.ttl, self._mark
                )
                self._zones.put(zone, changed)
            case Delete():
                await self._designate.delete_record_set(zone_id, step.id)
                self._zones.leave(zone, step.id)

    async def turn(self, step: Turn) -> None:
        """Take one step about the name of a floating IP's address; raises ``CloudError``."""
        match step:
            case SetReverse():
                await self._designate.set_reverse(step.id, step.name, step.ttl, self._mark)
            case UnsetReverse():
                await self._unset(step)

    async def _unset(self, step: UnsetReverse) -> None:
        try:
            await self._designate.unset_reverse(step.id)
        except errors.NotFound:
            if step.name is None:
                return
            # Listed by its address, kept by the id of the floating IP that had the address before this one:
            # once this one has written it, it can take it away.
            await self._designate.set_reverse(step.id, step.name, None, self._mark)
            await self._designate.unset_reverse(step.id)
