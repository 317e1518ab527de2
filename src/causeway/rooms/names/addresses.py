"""Floating IPs brought to the names they answer with, and a memory of those that have one from us.

The memory is for those that are released before we looked again: Designate lists them no more and keeps the
name of their address. The first look fills it, so only what goes while nobody leads is missed, and what an
earlier floating IP of the same address had written; Designate drops that when the address is given to another
project.
"""

from collections.abc import Iterable

import structlog

from causeway.cloud import errors
from causeway.cloud.designate import Designate
from causeway.engine.steps import doing
from causeway.rooms.names.apply import Hands
from causeway.rooms.names.model import Record, Setting
from causeway.rooms.names.reverse import SetReverse, plan_reverse

_log = structlog.get_logger(__name__)

_NOT_HERE = (errors.NotFound, errors.Forbidden, errors.BadRequest)
"""Answers of a Designate that does not know floating IPs, or does not let us: asking soon again is no use."""


class Addresses:
    """The project's floating IPs as Designate knows them."""

    def __init__(self, setting: Setting, designate: Designate, hands: Hands) -> None:
        self._setting = setting
        self._designate = designate
        self._hands = hands
        self._named: dict[str, str] = {}  # addresses of those that have a name from us, by id

    async def answer(self, records: Iterable[Record]) -> None:
        """Let floating IPs answer the names that lead to them; one that cannot keeps no other from it.

        A cloud that has no such names is logged. Raises ``CloudError``, after the rest, where a retry helps.
        """
        try:
            floating = await self._designate.list_floating_ips()
        except _NOT_HERE as error:
            _log.warning("addresses have no names", cause=str(error))
            return
        listed = {each.id for each in floating}
        released = {key: address for key, address in self._named.items() if key not in listed}
        ours = {each.id: each.address for each in floating if each.description == self._setting.mark}
        self._named = released | ours
        failed: list[errors.CloudError] = []
        for step in plan_reverse(records, floating, self._setting, released):
            if isinstance(step, SetReverse):
                self._named[step.id] = step.address  # before the call: its answer may be lost
            try:
                with doing(step):
                    await self._hands.turn(step)
            except _NOT_HERE as error:
                _log.warning("address is not named", step=str(step), cause=str(error))
            except errors.CloudError as error:
                failed.append(error)
            else:
                if not isinstance(step, SetReverse):
                    del self._named[step.id]
        if failed:
            raise failed[0]
