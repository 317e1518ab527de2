"""The run side by side: which cases there are, in which order, and who is asked to perform them.

Kind by kind, not contender by contender: what is compared is measured minutes apart on a machine that may be
busy with other things too.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import cni, pods, services
from bench.contender import Contender, Pools, Stage
from bench.contenders import kuryr
from bench.contenders.causeway import Causeway
from bench.processes import share, usage
from bench.result import FLOOR, Case
from bench.services import Shape
from bench.stage import clear, set_up
from causeway.lab.settings import Settings

_WATCHED = 10.0  # seconds over which a controller's processor time is watched
_SHAPES_OF_NINE = (Shape(1, 1), Shape(1, 9), Shape(3, 3), Shape(9, 1))
COLD, WARM = "pods, no pool", "pods, warm pool"
Tell = Callable[[Case], None]


@dataclass(frozen=True)
class Plan:
    """What is measured: numbers of pods and services at once, shapes of services, contenders, kinds.

    ``one_by_one`` is the number of CNI calls made in turn; ``max(pods)`` are made at once.
    """

    pods: tuple[int, ...]
    services: tuple[int, ...]
    shapes: tuple[Shape, ...]
    who: tuple[str, ...]
    what: tuple[str, ...]
    one_by_one: int = 20

    def told(self) -> dict[str, Any]:
        """Return the plan as a record keeps it."""
        return asdict(self)


def shape_of(text: str) -> Shape:
    """Return the shape written as ``3x3``."""
    ports, _, members = text.partition("x")
    return Shape(int(ports), int(members))


async def run(lab: Settings, directory: Path, plan: Plan, console: Console, cases: list[Case]) -> None:
    """Set the stage, let everybody perform, and append what was found to ``cases`` as it comes."""
    contenders: list[Contender] = []
    definitions: list[dict[str, Any]] = []
    if "causeway" in plan.who:
        contenders.append(Causeway())
    if "kuryr" in plan.who:
        console.print("[dim]preparing kuryr[/]")
        other = kuryr.Kuryr(kuryr.installed(lab.cache))
        definitions = other.definitions()
        contenders.append(other)

    def tell(case: Case) -> None:
        cases.append(case)
        took = f"{case.seconds:.2f} s" if case.seconds is not None else f"{case.done} done"
        console.print(f"[dim]{case.what}: {case.count} by {case.who}: {took}[/]")

    kinds = {
        "pods": _pods,
        "pools": _pools,
        "services": _services,
        "members": _members,
        "memory": _memory,
        "cni": _cni,
    }
    async with set_up(lab, directory, nodes=2, definitions=definitions) as stage:
        for kind in plan.what:
            await kinds[kind](stage, plan, contenders, tell)


async def _pods(stage: Stage, plan: Plan, contenders: Sequence[Contender], tell: Tell) -> None:
    if FLOOR in plan.who:
        for count in plan.pods:
            tell(await pods.floor(stage, count, what=COLD))
    for who in contenders:
        async with who.running(stage, Pools()) as pid:
            for count in plan.pods:
                tell(await pods.measure(stage, who, pid, count, what=COLD))
        await clear(stage, who.kinds)


async def _pools(stage: Stage, plan: Plan, contenders: Sequence[Contender], tell: Tell) -> None:
    size = max(plan.pods)
    for who in contenders:
        async with who.running(stage, Pools(size)) as pid:
            for count in plan.pods:
                await pods.fill_pool(stage, who, size)
                tell(await pods.measure(stage, who, pid, count, what=WARM, pooled=True))
        await clear(stage, who.kinds)


async def _services(stage: Stage, plan: Plan, contenders: Sequence[Contender], tell: Tell) -> None:
    for shape in plan.shapes:
        what = f"services of {shape} (ports x members)"
        if FLOOR in plan.who:
            for count in plan.services:
                tell(await services.floor(stage, shape, count, what=what))
        for who in contenders:
            counts = [*plan.services]
            while counts:
                async with who.running(stage, Pools()) as pid:
                    removed: float | None = 0.0
                    while counts and removed is not None:  # what is stuck would be counted among the next
                        case = await services.measure(stage, who, pid, shape, counts.pop(0), what=what)
                        tell(case)
                        removed = case.removed
                await clear(stage, who.kinds)


async def _members(stage: Stage, _plan: Plan, _contenders: Sequence[Contender], tell: Tell) -> None:
    """Find what a member costs the cloud itself, by load balancers that differ in ports and members."""
    for shape in _SHAPES_OF_NINE:
        tell(await services.floor(stage, shape, 1, what=f"one load balancer of {shape} (ports x members)"))


async def _memory(stage: Stage, plan: Plan, contenders: Sequence[Contender], tell: Tell) -> None:
    """Measure what a controller takes that has nothing to do, before and after it has been given all."""
    shape = plan.shapes[0]
    for who in contenders:
        async with who.running(stage, Pools()) as pid:
            tell(await _resting("controller, nothing there", who, pid))
            what = f"controller, {max(plan.pods)} pods and {max(plan.services)} services asked for"
            there = {
                "pods there": await pods.bring(stage, who, max(plan.pods)),
                "services there": await services.bring(stage, who, shape, max(plan.services)),
            }
            tell(await _resting(what, who, pid, **there))
        await clear(stage, who.kinds)


async def _resting(what: str, who: Contender, pid: int, **more: float) -> Case:
    more["percent of a core"] = await share(pid, _WATCHED)
    return Case(what, who.name, 0, None, 0, memory=usage(pid).rss, more=more)


async def _cni(stage: Stage, plan: Plan, contenders: Sequence[Contender], tell: Tell) -> None:
    for who in contenders:
        if who.name != Causeway.name:
            continue
        size = max(plan.pods)
        async with who.running(stage, Pools(size, played=False)) as pid:
            for case in await cni.measure(stage, who, pid, size, one_by_one=min(size, plan.one_by_one)):
                tell(case)
        await clear(stage, who.kinds)
