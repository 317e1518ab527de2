"""Waiting for Heat: what it is at work on, until it is done."""

import asyncio
import time
from collections.abc import Callable, Sequence

import keystoneauth1.exceptions as auth
from openstack import exceptions as sdk
from openstack.proxy import Proxy

from causeway.kit.errors import Problem
from causeway.kit.progress import Phase
from causeway.rooms.platforms import stack
from causeway.rooms.platforms.stack import LiveStack, StackResource

_PAUSE = 1.0  # seconds between two looks at the stack
_DETAIL_EVERY = 4.0  # seconds between two looks at its resources, which cost the cloud more
_PATIENCE = 60.0  # seconds an API may be out of reach
SECONDS = stack.TIMEOUT_MINUTES * 60 + 60.0  # Heat's own limit comes first


def _unseen(_: Sequence[StackResource]) -> None:
    return


async def settled(
    heat: Proxy,
    live: LiveStack,
    phase: Phase,
    *,
    seen: Callable[[Sequence[StackResource]], None] = _unseen,
    seconds: float = SECONDS,
) -> LiveStack:
    """Wait until Heat is done with the stack; return it as it is then, complete or failed.

    ``seen`` is told the resources whenever they were looked at.
    """
    found = await _watch(heat, live, phase, seen, seconds)
    if found is None:
        raise Problem.of(
            f"stack {live.name}", "was deleted by somebody while it was waited for", "Run apply again."
        )
    return found


async def gone(heat: Proxy, live: LiveStack, phase: Phase, seconds: float = SECONDS) -> LiveStack | None:
    """Wait until the stack is deleted; return None, or the stack if Heat could not delete it."""
    return await _watch(heat, live, phase, _unseen, seconds)


async def _watch(
    heat: Proxy,
    live: LiveStack,
    phase: Phase,
    seen: Callable[[Sequence[StackResource]], None],
    seconds: float,
) -> LiveStack | None:
    deadline = time.monotonic() + seconds
    detail_at, answered_at = 0.0, time.monotonic()
    while time.monotonic() < deadline:
        now = time.monotonic()
        try:
            found = stack.find(heat, live.id, outputs=False)
            if found is None:
                return None
            if now >= detail_at or not found.busy:
                resources = stack.resources(heat, live)
                seen(resources)
                phase.waiting_for(told(resources))
                detail_at = time.monotonic() + _DETAIL_EVERY
            if not found.busy:
                return stack.find(heat, live.id)
            answered_at = now
        except (sdk.SDKException, auth.ClientException):
            if now - answered_at > _PATIENCE:
                raise
        await asyncio.sleep(_PAUSE)
    raise Problem.of(
        f"stack {live.name}",
        f"Heat is not done after {seconds / 60:.0f} minutes",
        "See `openstack stack event list`; run apply again to go on.",
    )


def told(resources: Sequence[StackResource]) -> str:
    """Return in one line how far Heat is and what it is at."""
    real = [each for each in resources if not each.nested]
    done = sum(each.status.endswith("_COMPLETE") and not each.status.startswith("INIT") for each in real)
    at_work = sorted("/".join(each.path) for each in real if each.status.endswith("_IN_PROGRESS"))
    failed = sorted("/".join(each.path) for each in real if each.status.endswith("_FAILED"))
    parts = [f"{done} of {len(real)} resources"]
    if failed:
        parts.append(f"failed: {', '.join(failed[:2])}")
    elif at_work:
        parts.append(", ".join(at_work[:3]) + (" and others" if len(at_work) > 3 else ""))
    return "; ".join(parts)
