"""Making one call of many small ones: requests that come while a call is under way go together in the next.

An idle batcher waits a few milliseconds for company before the first call, so that a burst is one call. One
request that is still alone after a quarter of that is sent: what comes in a burst has company by then.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from causeway.kit import trace

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_ALONE = 0.25  # of the time a request waits for company, when none has come by then


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Request, Answer]):
    request: Request
    answer: "asyncio.Future[Answer]"
    mark: trace.Mark | None


class Batcher(Generic[Request, Answer]):
    """Sends requests in groups of at most ``most`` by ``send``, with at most ``flights`` calls under way.

    ``send`` returns an answer for every request, in order. A group that fails with one of ``divisible``
    (errors that one request may have caused) is sent again in halves, so that the others succeed; after a
    ``final`` error of a single request (something is used up) the rest of its group is not sent any more.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        flights: int = 1,
        linger: float = 0.02,
        divisible: tuple[type[Exception], ...] = (),
        final: tuple[type[Exception], ...] = (),
    ) -> None:
        self._send = send
        self._name = getattr(send, "__name__", "send").strip("_")
        self._most = most
        self._flights = flights
        self._linger = linger
        self._divisible = divisible
        self._final = final
        self._waiting: list[_Entry[Request, Answer]] = []
        self._flying: set[asyncio.Task[None]] = set()

    async def ask(self, request: Request) -> Answer:
        """Send ``request`` with others and return its answer; raises what its group raised."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(request, answer, trace.mark()))
        self._launch()
        return await answer

    def close(self) -> None:
        """Break off the calls under way; whether they take effect is not known."""
        for flight in list(self._flying):
            flight.cancel()

    def _launch(self) -> None:
        if self._waiting and len(self._flying) < self._flights:
            # In a context of its own: the call is not only the work of who happened to ask first.
            flight = asyncio.create_task(self._fly(), context=contextvars.Context())
            self._flying.add(flight)
            flight.add_done_callback(self._landed)

    def _landed(self, flight: "asyncio.Task[None]") -> None:
        self._flying.discard(flight)
        if not flight.cancelled():
            self._launch()

    async def _fly(self) -> None:
        await asyncio.sleep(self._linger * _ALONE)
        if len(self._waiting) > 1:
            await asyncio.sleep(self._linger * (1 - _ALONE))
        # Who was cancelled while waiting does not want the call any more.
        group = [entry for entry in self._waiting if not entry.answer.done()]
        self._waiting = group[self._most :]
        group = group[: self._most]
        if self._waiting:
            self._launch()
        if group:
            await self._deliver(group)

    async def _deliver(self, group: "list[_Entry[Request, Answer]]") -> Exception | None:
        """Send a group; return the error after which it is pointless to send more."""
        try:
            with trace.shared(f"batch {self._name}", [entry.mark for entry in group]):
                answers = await self._send([entry.request for entry in group])
        except Exception as error:
            if len(group) > 1 and isinstance(error, self._divisible):
                first, second = group[: len(group) // 2], group[len(group) // 2 :]
                stop = await self._deliver(first)
                if stop is None:
                    return await self._deliver(second)
                _fail(second, stop)
                return stop
            _fail(group, error)
            return error if isinstance(error, self._final) else None
        for entry, answer in zip(group, answers, strict=True):
            if not entry.answer.done():
                entry.answer.set_result(answer)
        return None


def _fail(group: "list[_Entry[Request, Answer]]", error: Exception) -> None:
    for entry in group:
        if not entry.answer.done():
            entry.answer.set_exception(error)
