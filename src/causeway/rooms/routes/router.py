"""Holding HAProxy to what all routes want, change by change.

A round takes every change that is there, works out what it concerns and sends that difference, so that a
change costs the same among ten routes and ten thousand. When anything is in doubt (an answer that was not
expected, no answer, somebody else's reload) HAProxy is asked for all it runs, and the difference is sent.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from causeway.kit.errors import Problem
from causeway.kube.routes import Route
from causeway.rooms.routes.admission import PLATFORM
from causeway.rooms.routes.commands import BUSY, Command, Files, commands, questions, state_of
from causeway.rooms.routes.compiling import Offer, compile_route, wishes
from causeway.rooms.routes.config import Front, backend_names, backends_of_kinds, base, contents
from causeway.rooms.routes.endpoints import SlicesOf, services_of
from causeway.rooms.routes.kinds import Kinds, kind_of, write
from causeway.rooms.routes.model import AuthorityKey, Entry, Item, Kind, MapKey, Refusal, Wish, stumbled
from causeway.rooms.routes.plan import Step, plan
from causeway.rooms.routes.registry import Registry
from causeway.rooms.routes.site import Running, Slots, Wanted, among

log = structlog.get_logger()

_LOOK = 2.0  # seconds between two looks at whether HAProxy runs on
_AGAIN = 1.0  # seconds until a server that could not go yet is tried again
# Seconds a server retires at least: as long as a connection to it may take to fail, and the second after that
# in which HAProxy waits with the request.
_REST = 7.0
_CALM = 2.0  # seconds between two reloads, so that many new routes share one
_BATCH = 400  # steps in one conversation


class Proxy(Protocol):
    """The part of ``host.haproxy.Haproxy`` that is needed."""

    async def ask(self, commands: Sequence[str]) -> list[str]:
        """Return the answers to commands."""
        ...

    async def about(self) -> dict[str, str]:
        """Return what HAProxy says of itself."""
        ...

    async def check(self, configuration: Path) -> str:
        """Return what is wrong with a configuration."""
        ...

    async def run(self, mark: str) -> None:
        """Have the configuration run in place of what runs."""
        ...


class Doubt(Problem):
    """HAProxy answered otherwise than it would if it ran what we think it runs."""


class Router:
    """All routes of one HAProxy. ``told`` is called with the key of a route whose outcome may be news.

    ``clock`` gives seconds, by which servers retire and loads keep apart.
    """

    def __init__(
        self,
        proxy: Proxy,
        offer: Offer,
        front: Front,
        slices: SlicesOf,
        *,
        spares: int,
        told: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._proxy, self._offer, self._front, self._slices = proxy, offer, front, slices
        self._spares, self._told = spares, told
        self._files = Files(offer.directory)
        self._base = base(front, self._files)
        self._kinds = Kinds(front, self._files, proxy.check)
        self.registry = Registry(offer.rules)
        self._services: dict[str, set[str]] = {}  # routes by service
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._entries: dict[str, Entry] = {}
        self._refusals: dict[str, Refusal] = {}
        self._placed: set[str] = set()
        self._untold: set[str] = set()
        self._wanted, self._slots = Wanted(), Slots()
        self._running: Running | None = None
        self._left: set[Item] = set()  # authorities that could not go yet
        self._mark = ""
        self._grown = -_CALM
        self.reloads = 0

    # what changes

    def put(self, route: Route) -> None:
        """Take a route in, or as it is now."""
        key = f"{route.metadata.namespace}/{route.metadata.name}"
        self._forget_services(key)
        self.registry.put(route)
        for service in services_of(route):
            self._services.setdefault(service, set()).add(key)
        # What came of it before says nothing of it as it is now, nor does a round that is under way.
        self._placed.discard(key)
        self._refusals.pop(key, None)
        self._dirty.add(key)
        self._wake.set()

    def remove(self, key: str) -> None:
        """Forget a route."""
        self._forget_services(key)
        self.registry.remove(key)
        self._dirty.add(key)
        self._wake.set()

    def touch(self, service: str) -> None:
        """Look again at the endpoints of a service, by its key."""
        routes = self._services.get(service)
        if routes:
            self._dirty |= routes
            self._wake.set()

    def _forget_services(self, key: str) -> None:
        route = self.registry.get(key)
        for service in services_of(route) if route is not None else ():
            keys = self._services.get(service, set())
            keys.discard(key)
            if not keys:
                self._services.pop(service, None)

    # what came of it

    @property
    def ready(self) -> bool:
        """Return whether HAProxy runs what is wanted, as far as is known."""
        return self._running is not None

    @property
    def refused(self) -> int:
        """Return how many routes are refused."""
        return len(self._refusals)

    def outcome(self, key: str) -> Refusal | bool:
        """Return why a route is refused as it was put last, or whether it is in HAProxy like that."""
        return self._refusals.get(key) or key in self._placed

    def backends(self) -> dict[str, str]:
        """Return the route each backend is given to, by backend."""
        return {backend: owner for owner, backend in self._slots.owners()}

    # the work

    async def run(self) -> None:
        """Work until cancelled."""
        pause = 0.1
        while True:
            try:
                await self.round()
            except Problem as error:
                log.warning("HAProxy is asked anew", cause=str(error), again_in=pause)
                self.distrust()
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)
                continue
            pause = 0.1
            await self._rest()

    def distrust(self) -> None:
        """Begin the next round by asking HAProxy for all it runs."""
        self._running = None

    async def _rest(self) -> None:
        """Wait for the next change, or for the time to look after what is left."""
        left = self._running is not None and self._running.retiring()
        try:
            async with asyncio.timeout(_AGAIN if left else _LOOK):
                await self._wake.wait()
        except TimeoutError:
            try:
                about = await self._proxy.about()
            except Problem:
                about = {}
            if about.get("description") != self._mark:
                log.warning("HAProxy does not run what it should", runs=about.get("description"))
                self.distrust()

    async def round(self) -> None:
        """Take all changes there are and bring HAProxy to what is wanted; raises ``Problem``."""
        self._wake.clear()
        keys = self.registry.settle() | self._dirty
        self._dirty = set()
        self._untold |= keys
        self._compile(keys)
        if self._running is None:
            await self._begin()
        else:
            touched, short = self._place(keys)
            soon = self._grown + _CALM - self._clock()
            if short and soon > 0:
                self._dirty |= short
                asyncio.get_running_loop().call_later(soon, self._wake.set)
            if short and soon <= 0:
                await self._grow()
            else:
                await self._send(touched)
        untold, self._untold = self._untold, set()
        self._placed |= {key for key in untold if key in self._entries} - self._dirty
        for key in untold:
            self._told(key)

    def _compile(self, keys: Iterable[str]) -> None:
        for key in keys:
            route = self.registry.get(key)
            self._entries.pop(key, None)
            self._refusals.pop(key, None)
            if route is None:
                continue
            verdict = self.registry.verdict(key) or self._compiled(key, route)
            if isinstance(verdict, Entry) and (wrong := self._kinds.wrong(kind_of(verdict))):
                verdict = Refusal("ExtendedValidationFailed", wrong)
            if isinstance(verdict, Entry):
                self._entries[key] = verdict
            else:
                self._refusals[key] = verdict

    def _compiled(self, key: str, route: Route) -> Entry | Refusal:
        """Compile a route; whatever fails in doing so is this route's, and not the others'."""
        try:
            return compile_route(route, self._slices, self._offer)
        except Exception as error:
            log.exception("a route could not be compiled", route=key)
            return Refusal("ExtendedValidationFailed", stumbled(error))

    def _place(self, keys: Iterable[str]) -> tuple[set[Item], set[str]]:
        """Give routes their backends; return the items that may have changed, and who got none."""
        touched: set[Item] = set()
        short: set[str] = set()
        for key in keys:
            entry = self._entries.get(key)
            kind = kind_of(entry)
            if entry is None or kind is None:
                self._slots.take(key)
                touched |= self._wanted.put(key, dict(wishes(entry, "")) if entry else {})
                if entry is None:
                    self._placed.discard(key)
                continue
            backend = self._slots.give(key, self._kinds.name(kind))
            if backend is None:
                short.add(key)  # what it had, it keeps until there is one of the other kind
                continue
            touched |= self._wanted.put(key, dict(wishes(entry, backend)))
        return touched, short

    async def _begin(self) -> None:
        """Find out what runs, or start it, and bring it to what is wanted."""
        self._wanted = Wanted()
        reserved = self._offer.rules.reserved
        self._wanted.put("", {MapKey("held", host): Wish(PLATFORM) for host in reserved})
        try:
            mark = (await self._proxy.about()).get("description", "")
        except Problem:
            mark = ""
        if mark.partition(".")[0] != self._base:
            self._slots.lay_out({}, {})
            await self._grow()
            return
        # Kinds nobody needs any more, too: their servers must go.
        counts = backends_of_kinds((await self._proxy.ask(["show backend"]))[0].split())
        running = await self._read(mark, counts)
        held = {
            item.key: str(value)
            for item, value in running.items.items()
            if isinstance(item, MapKey) and item.map == "owner"
        }
        self._slots.lay_out(counts, held, running)
        gone = [owner for owner, _ in self._slots.owners() if owner not in self._entries]
        for owner in gone:
            self._slots.take(owner)
        _, short = self._place(self._entries)
        log.info("HAProxy adopted", mark=mark, routes=len(self._entries), held=len(held))
        if short:
            await self._grow()
        else:
            await self._send(self._wanted.items.keys() | running.items.keys())

    async def _grow(self) -> None:
        """Load a configuration with backends for all routes, for as many that rest as do now, and spare ones.

        So changes that go on at their pace, whatever that is, cost a few loads and then none.
        """
        kinds = self._kinds.wanted(self._entries.values())
        if await self._kinds.leave_out_bad(kinds, self._slots.counts):
            self._refuse_bad()
        needed: dict[str, int] = dict.fromkeys(kinds, 0)
        for kind in filter(None, map(kind_of, self._entries.values())):
            needed[self._kinds.name(kind)] += 1
        resting = self._slots.resting
        main = self._kinds.name(Kind("http", self._offer.balance, self._front.cookie))
        counts = {
            name: max(
                self._slots.counts.get(name, 0),
                count + resting.get(name, 0) + max(self._spares_of(name, main), count // 4),
            )
            for name, count in needed.items()
            if count or not kinds[name].lines
        }
        self._slots.lay_out(counts, {backend: owner for owner, backend in self._slots.owners()})
        self._place(self._entries)
        layout = {kinds[name]: count for name, count in counts.items()}
        self._mark = f"{self._base}.{time.time_ns():x}"
        files = contents(self._front, self._files, layout, self._wanted.items, self._mark)
        await asyncio.to_thread(write, files)
        started = time.monotonic()
        await self._proxy.run(self._mark)
        self.reloads += 1
        self._grown = self._clock()
        log.info("HAProxy loaded", backends=counts, seconds=round(time.monotonic() - started, 2))
        running = await self._read(self._mark, counts)
        await self._send(self._wanted.items.keys() | running.items.keys())

    def _spares_of(self, name: str, main: str) -> int:
        return self._spares if name == main else max(2, self._spares // 8)

    def _refuse_bad(self) -> None:
        """Refuse routes whose kind HAProxy would not accept: they must not keep the others waiting."""
        bad = [key for key, entry in self._entries.items() if self._kinds.wrong(kind_of(entry))]
        self._compile(bad)
        self._place(bad)
        for key in bad:
            self._told(key)

    async def _read(self, mark: str, counts: dict[str, int]) -> Running:
        """Take in, and return, what HAProxy runs."""
        ours = frozenset(each for name, count in counts.items() for each in backend_names(name, count))
        state = state_of(await self._proxy.ask(questions(self._files)), ours, self._files)
        running = Running(state, self._clock())
        self._running, self._mark = running, mark
        return running

    async def _send(self, touched: Iterable[Item]) -> None:
        running = self._running
        if running is None:
            return
        rested = frozenset(running.retiring(since=self._clock() - _REST))
        items = {*touched, *rested, *self._left}
        if any(isinstance(item, AuthorityKey) for item in items):
            items.update(running.retiring())  # these are what it may have to wait for
        wanted = {item: self._wanted.items[item] for item in items if item in self._wanted.items}
        steps = plan(among(items, running.items), wanted, rested)
        for begin in range(0, len(steps), _BATCH):
            part = [(step, commands(step, self._files)) for step in steps[begin : begin + _BATCH]]
            answers = iter(await self._proxy.ask([each.text for _, asked in part for each in asked]))
            for step, asked in part:
                replies = [(each, next(answers)) for each in asked]
                if _done(step, replies):
                    running.apply(step, self._clock())
        self._left = {
            item
            for item in items
            if isinstance(item, AuthorityKey) and item in running.items and item not in wanted
        }
        self._slots.sweep(running)


def _done(step: Step, replies: Sequence[tuple[Command, str]]) -> bool:
    """Return whether a step was done; False if it must wait. Raises ``Doubt``."""
    for command, answer in replies:
        if not command.succeeded(answer):
            if step.verb == "drop" and BUSY in answer:
                return False
            first = command.text.partition("\n")[0]
            raise Doubt.of("HAProxy", f"answered {answer.strip()!r} to {first!r}", "It is asked anew.")
    return True
