"""Listing the cloud out of turn: after a call of which nobody knows what it did, before anything is decided.

Many who doubt at once are settled by one list, and a doubt that comes while a list is under way by the next.
"""

import asyncio
from abc import ABC, abstractmethod


class Listed(ABC):
    """What is known of the cloud by lists, never two at a time."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._doubted = 0
        self._settled = -1  # the doubts up to this one are settled

    def doubt(self) -> None:
        """Say that what is known may be wrong."""
        self._doubted += 1

    async def settle(self) -> None:
        """List if there is doubt or never was a list. Raises ``CloudError``; the doubt then remains."""
        if self._settled < self._doubted:
            async with self._lock:
                if self._settled < self._doubted:
                    await self._list_now()

    async def refresh(self) -> None:
        """List everything. Raises ``CloudError``."""
        async with self._lock:
            await self._list_now()

    async def _list_now(self) -> None:
        doubted = self._doubted
        await self._list()
        self._settled = doubted

    @abstractmethod
    async def _list(self) -> None:
        """List everything and take it in. Raises ``CloudError``."""
