"""The router beside the way OpenShift's configures the same HAProxy: the same applications, one run."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.result import Case
from bench.router.changes import KINDS, changes
from bench.router.contenders import CONTENDERS, Contender, Ours
from bench.router.growth import grown, resident
from bench.router.load import CONNECTIONS, NOTHING, OK, Asked, asked_during, first_answer, latencies, rate
from causeway.host.haproxy import Haproxy

_BETWEEN = 10  # requests between two changes, at least: who changes must not take the clients' processor


@dataclass(frozen=True)
class Plan:
    """What is measured: numbers of routes, seconds of load, changes under load."""

    routes: Sequence[int]
    seconds: float
    changes: int


@contextlib.asynccontextmanager
async def application(directory: Path, port: int) -> AsyncIterator[None]:
    """A HAProxy that answers every request itself: what a router has behind it, and never the slowest."""
    text = f"""global
  description app
  stats socket {directory}/haproxy.sock mode 600 level admin
  maxconn 2000
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend app
  bind 127.0.0.1:{port},127.0.0.2:{port}
  http-request return status 200 content-type text/plain string "ok"
"""
    await asyncio.to_thread((directory / "haproxy.cfg").write_text, text)
    haproxy = Haproxy(directory)
    await haproxy.run("app")
    try:
        yield
    finally:
        await haproxy.stop(0)


async def _worker(haproxy: Haproxy) -> str:
    """Return the process of HAProxy that serves."""
    return (await haproxy.about())["Pid"]


async def _processor(haproxy: Haproxy) -> float:
    """Return the seconds of processor time the worker has used: other than the clock's, nobody else's."""
    pid = await _worker(haproxy)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # noqa: ASYNC240  # no disk
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(directory: Path, port: int, plan: Plan, console: Console, cases: list[Case]) -> None:
    """Measure both, one after the other, at every number of routes."""
    (directory / "app").mkdir()
    async with application(directory / "app", port):
        for count in plan.routes:
            seconds = 0.0
            for place, kind in enumerate(CONTENDERS):
                home = directory / f"{count}-{place}"
                home.mkdir()
                console.print(f"{count} routes by {kind.name}")
                contender = kind(home, port + 10, port)
                try:
                    cases += await _measured(contender, count, plan)
                    cases.append(await _changed(contender, count, plan, seconds))
                    seconds = cases[-1].more["seconds in all"]
                finally:
                    await contender.haproxy.stop(0)


async def _measured(contender: Contender, count: int, plan: Plan) -> list[Case]:
    def case(what: str, seconds: float, **more: float) -> Case:
        return Case(f"router: {what}", contender.name, count, seconds, count, more=more)

    started = time.monotonic()
    await contender.begin(count)
    begun = time.monotonic() - started
    memory = resident(await _worker(contender.haproxy))
    taken = {"KiB a route": round(memory * 1024 / count, 1)}
    if isinstance(contender, Ours):
        home = contender.haproxy.directory.with_suffix(".growth")
        home.mkdir()
        growth = await asyncio.to_thread(grown, home, contender.port + 10, contender.port - 10, count)
        taken["KiB a route of the router's own process"] = round(growth * 1024 / count, 1)
    found = [case("all routes from nothing", begun, **taken)]
    found[0].memory = round(memory, 1)
    await rate(contender.port, count, min(1.0, plan.seconds))  # once through, so that all is warm
    found.append(await _rated(contender, "a request, unique URLs", count, plan))
    found.append(await _waited(contender, count, plan))
    found.append(await _rated(contender, "a lookup that finds nothing", count, plan, NOTHING))
    times = []
    for number in range(count, count + 3):
        started = time.monotonic()
        adding = asyncio.create_task(contender.add(number))
        await first_answer(contender.port, number)
        times.append(time.monotonic() - started)
        await adding
    found.append(case("a new route to its first answer", sorted(times)[1], **{"worst": round(max(times), 4)}))
    return found


async def _rated(
    contender: Contender, what: str, count: int, plan: Plan, expected: re.Pattern[bytes] = OK
) -> Case:
    before = await _processor(contender.haproxy)
    per_second, wrong = await rate(contender.port, count, plan.seconds, expected)
    used = await _processor(contender.haproxy) - before
    more = {
        "a second": round(per_second),
        "a second of HAProxy's processor": round(per_second * plan.seconds / used) if used else 0,
        "not as expected": wrong,
    }
    return Case(
        f"router: {what}", contender.name, count, 1 / per_second, count, processor=round(used, 2), more=more
    )


async def _waited(contender: Contender, count: int, plan: Plan) -> Case:
    took, wrong = await latencies(contender.port, count, plan.seconds)
    more = {
        "a second": round(len(took) / plan.seconds),
        "median ms": round(took[len(took) // 2] * 1000, 2),
        "p99 ms": round(took[len(took) * 99 // 100] * 1000, 2),
        "not as expected": wrong,
    }
    what = f"router: {CONNECTIONS} clients that wait, 99th percentile"
    return Case(what, contender.name, count, took[len(took) * 99 // 100], count, more=more)


async def _changed(contender: Contender, count: int, plan: Plan, seconds: float) -> Case:
    """Measure changes during load: the plan's, or those of about ``seconds``, one of each kind at least."""
    made, changing = 0, 0.0

    async def work(asked: Asked) -> None:
        nonlocal made, changing
        for change in changes(count):
            enough = seconds and made >= len(KINDS) and time.monotonic() - started > seconds
            if enough or made >= plan.changes:
                return
            began = time.monotonic()
            await contender.change(change)
            changing += time.monotonic() - began
            made += 1
            await asked.more(_BETWEEN)

    loads, started = contender.loads, time.monotonic()
    asked = await asked_during(contender.port, count, work)
    took = time.monotonic() - started
    more = {
        "changes": made,
        "seconds in all": round(took, 1),
        "loads of a configuration": contender.loads - loads,
        "requests": asked.all,
        "of them by a connection of their own": asked.fresh,
        "failed": asked.wrong.total(),
    } | {f"of them {how}": number for how, number in asked.wrong.items()}
    return Case("router: a change under load", contender.name, count, changing / made, count, more=more)
