"""Wiring of this room: what is followed, when a zone is planned, and what users are told.

A key is the name of a zone, or ``REVERSE`` for the names floating IPs answer with. Whatever changes, the zone
is planned as a whole: who gets a name depends on all who want it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import structlog

from causeway.cloud import errors
from causeway.cloud.designate import Designate
from causeway.engine.controller import Controller
from causeway.engine.pace import Pace
from causeway.engine.reconciler import DONE, Result
from causeway.engine.steps import doing
from causeway.kube.events import Recorder
from causeway.kube.gateways import HTTP_ROUTES, TLS_ROUTES, Gateway, HTTPRoute, TLSRoute
from causeway.kube.informers import Informer, Lister, OptionalInformer
from causeway.kube.ingresses import INGRESSES, Ingress
from causeway.kube.objects import Cached, Meta, Namespace, Node, Service
from causeway.kube.resource import NODES, SERVICES
from causeway.kube.routes import ROUTES, Route
from causeway.kube.store import Change
from causeway.rooms.names import reading
from causeway.rooms.names.actual import Zones
from causeway.rooms.names.addresses import Addresses
from causeway.rooms.names.apply import Hands
from causeway.rooms.names.attached import Gateways
from causeway.rooms.names.desired import desired
from causeway.rooms.names.model import (
    HTTP_ROUTE,
    INGRESS,
    NODE,
    ROUTE,
    SERVICE,
    TLS_ROUTE,
    Chain,
    Desired,
    Note,
    Record,
    Setting,
    Source,
)
from causeway.rooms.names.plan import Zone, plan
from causeway.rooms.names.told import ACTION

T = TypeVar("T", bound=Cached)

_log = structlog.get_logger(__name__)

REVERSE = "reverse"
_REVERSE_AGAIN = 300.0  # seconds between two looks at reverse records nothing is known to have changed of
_RESOURCES = {
    SERVICE: SERVICES,
    NODE: NODES,
    ROUTE: ROUTES,
    INGRESS: INGRESSES,
    HTTP_ROUTE: HTTP_ROUTES,
    TLS_ROUTE: TLS_ROUTES,
}
_PASSING = (errors.Fenced, errors.RateLimited, errors.Conflict)
"""Nobody is told of these: they are over at the next attempt, or the next plan tells more."""


class Sources(Protocol):
    """What this room follows."""

    @property
    def services(self) -> Informer[Service]:
        """All Services."""
        ...

    @property
    def nodes(self) -> Informer[Node]:
        """All Nodes."""
        ...

    def routes(self, labels: str | None) -> Informer[Route]:
        """Return those Routes that ``labels`` select."""
        ...

    def ingresses(self, labels: str | None) -> Informer[Ingress]:
        """Return those Ingresses that ``labels`` select."""
        ...

    @property
    def http_routes(self) -> OptionalInformer[HTTPRoute]:
        """All HTTPRoutes; like all of Gateway API none as long as it is not installed."""
        ...

    @property
    def tls_routes(self) -> OptionalInformer[TLSRoute]:
        """All TLSRoutes."""
        ...

    def gateways(self, labels: str | None) -> OptionalInformer[Gateway]:
        """Return those Gateways that ``labels`` select."""
        ...

    @property
    def namespaces(self) -> Informer[Namespace]:
        """All namespaces."""
        ...


class Names:
    """The room at work: give ``run`` to the process that holds the lease."""

    def __init__(
        self, setting: Setting, designate: Designate, recorder: Recorder, *, sources: Sources
    ) -> None:
        self._setting = setting
        self._recorder = recorder
        routes, ingresses = sources.routes(None), sources.ingresses(None)
        self._services, self._nodes = sources.services.store, sources.nodes.store
        self._routes, self._ingresses = routes.store, ingresses.store
        self._gateways, self._namespaces = sources.gateways(None), sources.namespaces.store
        self._http_routes, self._tls_routes = sources.http_routes, sources.tls_routes
        self.controller = Controller("names", self, workers=2, kind="Zone")
        self.zones = Zones(designate, setting.zones, self.controller.queue.add)
        self.controller.watch(sources.services, self._where(reading.of_service))
        self.controller.watch(sources.nodes, self._where(reading.of_node))
        self.controller.watch(routes, self._where(reading.of_route))
        self.controller.watch(ingresses, self._where(reading.of_ingress))
        self.controller.watch(sources.http_routes, self._where(reading.of_attached))
        self.controller.watch(sources.tls_routes, self._where(reading.of_attached))
        self.controller.watch(self._gateways, self._where(reading.of_gateway))
        self.controller.watch(sources.namespaces, self._where(reading.of_namespace))
        for each in (sources.http_routes, sources.tls_routes, self._gateways):
            each.when_defined(self._all)
        self._hands = Hands(designate, self.zones, setting)
        self._addresses = Addresses(setting, designate, self._hands)
        self._pace = Pace()
        self._told: dict[str, frozenset[Note]] = {}
        self._records: dict[str, tuple[Record, ...]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.zones.run())
            group.create_task(self.controller.run())

    async def reconcile(self, key: str) -> Result:
        """Bring a zone, or the names of floating IPs, to what is wanted."""
        if key == REVERSE:
            return await self._reverse()
        wanted = self._desired()
        for resource, error in wanted.defects.items():
            _log.error("names of an object could not be read", of=resource, exc_info=error)
        known = self.zones.get(key)
        if known.trouble is not None and not known.listed:
            await self._tell(key, _zone_silent(known.trouble, wanted, key, self._setting))
        if not known.listed:
            return DONE  # the poller wakes us
        if known.zone is None:
            await self._tell(key, _zone_missing(wanted, key, self._setting))
            return DONE  # as above
        planned = plan(wanted, Zone(key, known.sets.values(), self._setting), self._setting)
        notes = [each for each in wanted.notes if key == self._setting.zones[0]]
        chains = [self._carry_out(chain, key, known.zone.id) for chain in planned.chains]
        failed = [each for each in await asyncio.gather(*chains) if each is not None]
        notes += [note for error, chain in failed for note in _failed(error, chain)]
        await self._tell(key, [*notes, *planned.notes])
        if self._records.get(key) != planned.records:
            self._records[key] = planned.records
            self.controller.queue.add(REVERSE)
        if failed:
            error = failed[0][0]
            if isinstance(error, errors.Conflict | errors.NotFound | errors.Timeout | errors.ServerError):
                await self.zones.refresh(key)  # somebody was faster, or the call took effect: look first
            raise error
        return DONE

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing: who is concerned has been told, and the queue has logged it."""

    async def _carry_out(
        self, chain: Chain, zone: str, zone_id: str
    ) -> tuple[errors.CloudError, Chain] | None:
        """Do the steps of a chain, up to the first that fails."""
        for number, step in enumerate(chain):
            try:
                async with self._pace.turn():
                    with doing(step):
                        await self._hands.do(step, zone, zone_id)
            except errors.CloudError as error:
                return error, chain[number:]
        return None

    async def _reverse(self) -> Result:
        """Give floating IPs the names that lead to them, once all zones are known."""
        if any(zone not in self._records for zone in self._setting.zones):
            return DONE
        records = [each for zone in self._setting.zones for each in self._records[zone]]
        await self._addresses.answer(records)
        return Result(requeue_after=_REVERSE_AGAIN)

    def _desired(self) -> Desired:
        http, tls = _defined(self._http_routes), _defined(self._tls_routes)
        return desired(
            self._services.all(),
            self._nodes.all(),
            self._setting,
            self._routes.all(),
            self._ingresses.all(),
            gateways=Gateways.of(
                {HTTP_ROUTE: http, TLS_ROUTE: tls},
                _defined(self._gateways),
                self._namespaces.all(),
            ),
        )

    async def _tell(self, zone: str, notes: Iterable[Note]) -> None:
        """Record what is new; what was told stays told until it is over."""
        now = frozenset(notes)
        for note in sorted(now - self._told.get(zone, frozenset())):
            meta = self._about(note.source)
            text = f"{note.cause}. {note.remedy}"
            if meta is None:
                _log.warning("name not served", of=note.source.resource, reason=note.reason, cause=text)
                continue
            await self._recorder.record(
                _RESOURCES[note.source.kind], meta, reason=note.reason, note=text, action=ACTION
            )
        self._told[zone] = now

    def _about(self, source: Source) -> Meta | None:
        stores: dict[str, Lister[Any]] = {
            SERVICE: self._services,
            NODE: self._nodes,
            ROUTE: self._routes,
            INGRESS: self._ingresses,
            HTTP_ROUTE: self._http_routes.store,
            TLS_ROUTE: self._tls_routes.store,
        }
        store = stores.get(source.kind)
        key = f"{source.namespace}/{source.name}" if source.namespace else source.name
        found = store.get(key) if store is not None else None
        return found.metadata if found is not None else None

    def _all(self) -> None:
        """Plan every zone: deleting has waited for a kind to be known."""
        for zone in self._setting.zones:
            self.controller.queue.add(zone)

    def _where(self, read: Callable[[T], object]) -> Callable[[Change[T]], Iterable[str]]:
        """Return what tells the zones to plan again: all, where ``read`` finds another thing than before."""

        def keys(change: Change[T]) -> Iterable[str]:
            old, new = (read(each) if each is not None else None for each in (change.old, change.new))
            return self._setting.zones if old != new else ()

        return keys


def _defined(informer: OptionalInformer[T]) -> list[T] | None:
    return informer.store.all() if informer.defined else None


def _zone_missing(wanted: Desired, zone: str, setting: Setting) -> list[Note]:
    cause = f"zone {zone} does not exist in the project"
    remedy = f"openstack zone create --email ADDRESS {zone}; or correct spec.names in the platform's file."
    return [Note(each, "ZoneMissing", cause, remedy) for each in _sources(wanted, zone, setting)]


def _zone_silent(error: errors.CloudError, wanted: Desired, zone: str, setting: Setting) -> list[Note]:
    cause = f"zone {zone} cannot be read: {error.service}: {error.cause}"
    reason = type(error).__name__
    return [Note(each, reason, cause, error.remedy) for each in _sources(wanted, zone, setting)]


def _sources(wanted: Desired, zone: str, setting: Setting) -> list[Source]:
    wishes = [each for each in wanted.wishes if each.targets and setting.zone_of(each.name) == zone]
    return sorted({each.source for each in wishes})


def _failed(error: errors.CloudError, chain: Chain) -> list[Note]:
    if isinstance(error, _PASSING):
        return []
    step, sources = chain[0], {source for each in chain for source in each.sources}
    cause = f"{step}: {error.service}: {error.cause}"
    return [Note(each, type(error).__name__, cause, error.remedy) for each in sorted(sources)]
