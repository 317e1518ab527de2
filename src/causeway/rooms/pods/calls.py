"""The calls under way, beside each other, and what becomes of those that fail.

A call that ends is struck from the node's work, and the node is looked at again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from causeway.cloud.errors import (
    CloudError,
    Conflict,
    NoAddresses,
    NotFound,
    Quota,
    ServerError,
    Timeout,
    Unreachable,
)
from causeway.kit import trace
from causeway.kit.errors import Finding
from causeway.rooms.pods.actual import Poller
from causeway.rooms.pods.apply import Applier
from causeway.rooms.pods.entries import name_of
from causeway.rooms.pods.known import Known
from causeway.rooms.pods.model import (
    Attach,
    Bind,
    Create,
    Delete,
    Detach,
    SetGroups,
    Slot,
    Step,
    Unbind,
)
from causeway.rooms.pods.work import Work, Works, rest_key

log = structlog.get_logger()

# After these it is not known what the cloud looks like.
_DOUBTFUL = (Timeout, ServerError, Unreachable, NotFound, Conflict)


class Calls:
    """Makes the calls of all nodes; ``wake`` is called with the node of each that ends."""

    def __init__(
        self, known: Known, works: Works, *, poller: Poller, applier: Applier, wake: Callable[[str], None]
    ) -> None:
        self._known = known
        self._works = works
        self._poller = poller
        self._applier = applier
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = wake

    def close(self) -> None:
        """Break off the calls under way."""
        for task in self._tasks:
            task.cancel()

    def start(self, node: str, step: Step) -> None:
        """Make the calls of a step for a node, or for none (""), and return at once."""
        work = self._works.of(node)
        log.info("step", node=node, step=str(step))
        match step:
            case Create(node=name, network=network, count=count, special=special):
                slot = special.slot if special else network.namespace
                work.coming[slot] += count
                for _ in range(count):
                    call = self._applier.create(name, network, special)
                    self._run(node, work, step, call, slot=slot)
            case Attach():
                work.trunk_busy = True
                ports = [port_id for port_id, _ in step.ports]
                self._run(node, work, step, self._applier.attach(step), ports=ports)
            case Detach():
                work.trunk_busy = True
                self._run(node, work, step, self._applier.detach(step), ports=step.ports)
            case Delete(port_id):
                self._run(node, work, step, self._applier.delete(port_id), ports=[port_id])
            case SetGroups():
                self._run(node, work, step, self._applier.set_groups(step), ports=[step.port_id])
            case Bind():
                self._run(node, work, step, self._applier.bind(step), ports=[step.port_id])
            case Unbind(port_id):
                self._run(node, work, step, self._applier.unbind(port_id), ports=[port_id])

    def _run(
        self,
        node: str,
        work: Work,
        step: Step,
        call: Awaitable[None],
        *,
        slot: Slot | str | None = None,
        ports: Iterable[str] = (),
    ) -> None:
        work.busy.update(ports)

        async def run() -> None:
            try:
                facts = {"causeway.step": str(step), "causeway.pods": self._pods_of(step, ports)}
                with trace.span(f"step {type(step).__name__}", facts):
                    await call
                for key in keys_of(step):
                    work.pauses.pop(key, None)
            except CloudError as error:
                self._call_failed(node, work, step, error)
            finally:
                work.busy.difference_update(ports)
                if slot is not None:
                    work.coming[slot] -= 1
                if isinstance(step, Attach | Detach):
                    work.trunk_busy = False
                self._wake(node)
                if isinstance(step, Detach | Unbind):  # somebody may have waited for such a port
                    for name in self._known.nodes_of_wishes():
                        self._wake(name)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pods_of(self, step: Step, ports: Iterable[str]) -> list[str]:
        if isinstance(step, Create) and step.special is not None:
            return [name_of(step.special.namespace, step.special.name)]
        return self._known.pods_with(ports)

    def _call_failed(self, node: str, work: Work, step: Step, error: CloudError) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(error, _DOUBTFUL):
            self._poller.doubt()
        blamed = self._applier.to_blame(step) if isinstance(step, Attach) else []
        keys = [rest_key(port_id) for port_id in blamed] or [key_of(step)]
        first = not any(work.waits(key, now) for key in keys)
        cause = f"{error.service}: {error.cause}"  # without the request id: it is ever new
        finding = Finding(f"node {node}", cause, error.remedy)
        pause, reason = getattr(error, "retry_after", 0.0), type(error).__name__
        delay = max(work.failed(key, reason, finding, now=now, at_least=pause) for key in keys)
        if first:
            log.warning("call failed", node=node, step=str(step), cause=str(error), again_in=round(delay, 1))
        lacks = isinstance(error, Quota | NoAddresses) and self._known.waiting(node)
        if isinstance(step, Create) and lacks and self._works.ran_out(step.network.network_id, now):
            for name in self._known.everything():
                self._wake(name)


def key_of(step: Step) -> str:
    """Return the kind of call a step is: those of a kind fail, and wait, together."""
    match step:
        case Create(network=network, special=special):
            return f"create {special.slot}" if special else f"create {network.network_id}"
        case Attach():
            return "attach"
        case Detach():
            return "detach"
        case Bind(port_id=port_id):
            return rest_key(port_id)
        case Delete(port_id) | SetGroups(port_id=port_id) | Unbind(port_id):
            return f"{type(step).__name__} {port_id}"


def keys_of(step: Step) -> list[str]:
    """Return all kinds of calls that a step is, with those of single prepared ports."""
    ports = step.ports if isinstance(step, Attach) else ()
    return [key_of(step), *(rest_key(port_id) for port_id, _ in ports)]
