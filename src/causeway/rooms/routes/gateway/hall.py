"""Wiring of Gateway API: what is followed for it, the parts put to the router, what is written."""

import asyncio
import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    TLS_ROUTES,
    AnyRoute,
    Gateway,
    GatewayClass,
)
from causeway.kube.informers import Informers
from causeway.kube.objects import Cached, Service, key_of
from causeway.kube.resource import Resource
from causeway.kube.store import Change
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.gateway.deriving import Derived, World, derive
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import secrets_of
from causeway.rooms.routes.gateway.rules import kind_of, named
from causeway.rooms.routes.gateway.statuses import class_status, gateway_status, parents, usable
from causeway.rooms.routes.gateway.writing import Objects, Status, write
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import Rule
from causeway.rooms.routes.router import Router
from causeway.rooms.routes.secrets import Secrets, SourceOfSecret

_TOGETHER = 0.02  # seconds in which changes come that are taken in together

_Seen = dict[str, Gateway | AnyRoute]
_RESOURCES = {each.kind: each for each in (HTTP_ROUTES, TLS_ROUTES)}


class Hall:
    """Gateways that are ours, and what is attached to them, as parts among the routes of ``router``.

    ``allowed`` says of a namespace whether its Gateways may be ours; ``canonical`` is the router's name or
    address, "" if it is not known.
    """

    def __init__(
        self,
        client: Objects,
        informers: Informers,
        router: Router,
        *,
        secret: SourceOfSecret,
        labels: str | None,
        allowed: Callable[[str], bool],
        canonical: str,
    ) -> None:
        self._client, self._router, self._allowed, self._canonical = client, router, allowed, canonical
        self._classes, self._gateways = informers.gateway_classes, informers.gateways(labels)
        self._http_routes, self._tls_routes = informers.http_routes, informers.tls_routes
        self._grants = informers.grants
        self._services, self._namespaces = informers.services, informers.namespaces
        self._secrets = Secrets(secret, lambda _: self.look())
        self._derived = Derived({}, {}, {})
        self._seen: _Seen = {}  # what it was derived from, by key of the queue
        self._routes_of: dict[str, list[str]] = {}  # by table
        self._changed = asyncio.Event()
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self.controller = Controller("gateways", self, workers=2, kind="gateway", subject=_subject)
        self._follow(self._classes, GATEWAY_CLASSES)
        self._follow(self._gateways, GATEWAYS)
        self._follow(self._http_routes, HTTP_ROUTES)
        self._follow(self._tls_routes, TLS_ROUTES)
        self._grants.follow(self._any_changed)
        self._namespaces.follow(self._any_changed)
        self._services.follow(self._service_changed)

    # what is followed

    def _follow(self, informer: Any, resource: Resource) -> None:
        def changed(change: Change[Any]) -> None:
            old, new = change.old, change.new
            if old is None or new is None or _version(old) != _version(new):
                self.look()
            if new is not None:  # somebody may have written its status
                self.controller.queue.add(f"{resource.kind} {change.key}")

        informer.follow(changed)

    def _any_changed(self, _change: Change[Any]) -> None:
        self.look()

    def _service_changed(self, change: Change[Service]) -> None:
        if change.old is None or change.new is None or change.old.spec != change.new.spec:
            self.look()

    def look(self) -> None:
        """Have everything looked at again."""
        self._changed.set()

    def told(self, key: str) -> None:
        """Take in that something may have come of a part."""
        self._news.set()
        if self._begun.is_set():
            for route in self._routes_of.get(key, ()):
                self.controller.queue.add(route)

    # the work

    async def begin(self) -> None:
        """Put all parts there are to the router; returns once it is known what all Secrets are.

        Needs ``run`` meanwhile. A router that began earlier would take away what a HAProxy that runs has.
        """
        for each in (self._classes, self._gateways, self._http_routes, self._tls_routes, self._grants):
            await each.synced.wait()
        await self._services.synced.wait()
        await self._namespaces.synced.wait()
        while not self._secrets_known(self._ours()):
            self._changed.clear()
            await self._changed.wait()
        self._changed.clear()
        seen = self._look_around()
        derived = self._derive(seen)
        for part in derived.parts.values():
            self._router.put(part)
        self._keep(derived, seen)
        self._begun.set()

    async def run(self) -> None:
        """Follow everything until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._secrets.run())
            await self._begun.wait()
            group.create_task(self.controller.run())
            while True:
                await self._changed.wait()
                await asyncio.sleep(_TOGETHER)
                self._changed.clear()
                if self._secrets_known(self._ours()):  # else what they are is news
                    seen = self._look_around()
                    derived = self._derive(seen)
                    await self._put(derived)
                    self._keep(derived, seen)

    def _ours(self) -> list[Gateway]:
        classes = {each.metadata.name for each in self._classes.store.all() if is_ours(each)}
        return [
            each
            for each in self._gateways.store.all()
            if each.spec.gateway_class_name in classes and self._allowed(each.metadata.namespace)
        ]

    def _secrets_known(self, gateways: Iterable[Gateway]) -> bool:
        """Follow the Secrets of gateways, and no others; return whether it is known what all are."""
        wanted = {key_of(each): secrets_of(each) for each in gateways}
        for gone in self._derived.listeners.keys() - wanted.keys():
            self._secrets.want(gone, frozenset())
        for gateway, keys in wanted.items():
            self._secrets.want(gateway, keys)
        return all(self._secrets.known(each) for each in wanted)

    def _look_around(self) -> _Seen:
        """Return everything to derive from, by key of the queue."""
        routes: list[AnyRoute] = [*self._http_routes.store.all(), *self._tls_routes.store.all()]
        seen: _Seen = {f"{GATEWAYS.kind} {key_of(each)}": each for each in self._ours()}
        return seen | {named(each): each for each in routes}

    def _derive(self, seen: _Seen) -> Derived:
        return derive(
            World(
                gateways=tuple(each for each in seen.values() if isinstance(each, Gateway)),
                routes=tuple(each for each in seen.values() if not isinstance(each, Gateway)),
                namespaces={each.metadata.name: each for each in self._namespaces.store.all()},
                services=self._services.store.get,
                secrets=self._secrets.get,
                grants=Grants(self._grants.store.all()),
            )
        )

    async def _put(self, derived: Derived) -> None:
        """Put what changed to the router: new rules first, and once they are there what leads to them."""
        before, now = self._derived.parts, derived.parts
        changed = [part for key, part in now.items() if before.get(key) != part]
        rules = [each for each in changed if isinstance(each, Rule)]
        for rule in rules:
            self._router.put(rule)
        while any(self._router.outcome(key_of(each)) is False for each in rules):
            self._news.clear()
            await self._news.wait()
        for part in changed:
            if not isinstance(part, Rule):
                self._router.put(part)
        for key in before.keys() - now.keys():
            self._router.remove(key)

    def _keep(self, derived: Derived, seen: _Seen) -> None:
        """Have what is derived told of everything that changed, or of which it says something else."""
        before, self._derived = self._derived, derived
        known, self._seen = self._seen, seen
        self._routes_of = {}
        for key, attached in derived.attached.items():
            for table in {each for one in attached for each in one.tables}:
                self._routes_of.setdefault(table, []).append(key)
        for key, thing in seen.items():
            old, name = known.get(key), key.partition(" ")[2]
            if (
                old is None
                or _version(old) != _version(thing)
                or before.attached.get(key) != derived.attached.get(key)
                or (isinstance(thing, Gateway) and before.listeners.get(name) != derived.listeners.get(name))
            ):
                self.controller.queue.add(key)

    # what is written

    async def reconcile(self, key: str) -> Result:
        """Write what came of a class, a gateway or a route into its status."""
        kind, _, name = key.partition(" ")
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if kind == GATEWAY_CLASSES.kind:
            found = self._classes.store.get(name)
            if found is not None and is_ours(found):
                generation = found.metadata.generation
                await write(
                    self._client, GATEWAY_CLASSES, found, lambda status: class_status(status, generation, now)
                )
        elif kind == GATEWAYS.kind:
            await self._write_gateway(name, now)
        else:
            await self._write_route(key, now)
        return DONE

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing more: the log has it."""

    async def _write_gateway(self, name: str, now: str) -> None:
        gateway, listeners = self._seen.get(f"{GATEWAYS.kind} {name}"), self._derived.listeners.get(name)
        if not isinstance(gateway, Gateway) or listeners is None:
            return
        generation = gateway.metadata.generation
        asked = [(each.type, each.value) for each in gateway.spec.addresses]
        unusable = not usable(asked, self._canonical)
        address = self._canonical
        await write(
            self._client,
            GATEWAYS,
            gateway,
            lambda status: gateway_status(status, listeners, address, generation, now, unusable=unusable),
        )

    async def _write_route(self, name: str, now: str) -> None:
        route = self._seen.get(name)
        if route is None or isinstance(route, Gateway):
            return
        attached = self._derived.attached.get(name, ())
        outcomes = {table: self._router.outcome(table) for each in attached for table in each.tables}
        if any(each is False for each in outcomes.values()):
            return  # what comes of them is told
        told = [(each, _claimed(each.tables, outcomes)) for each in attached]
        generation = route.metadata.generation

        def status(existing: Status) -> dict[str, Any]:
            return {"parents": parents(existing.get("parents") or (), told, generation, now)}

        if told or any(
            each.get("controllerName") == CONTROLLER for each in route.status.get("parents") or ()
        ):
            await write(self._client, _RESOURCES[kind_of(route)], route, status)


def is_ours(found: GatewayClass) -> bool:
    """Return whether gateways of a class are the router's."""
    return found.spec.controller_name == CONTROLLER


def _claimed(tables: Iterable[str], outcomes: Mapping[str, Refusal | bool]) -> Refusal | None:
    """Return why a route has none of its hosts, None if it has one, or needs none."""
    refusals = [outcomes[each] for each in tables]
    first = next((each for each in refusals if isinstance(each, Refusal)), None)
    return first if all(isinstance(each, Refusal) for each in refusals) else None


def _version(thing: Cached) -> tuple[str, int, bool]:
    meta = thing.metadata
    return meta.uid, meta.generation, meta.deletion_timestamp is not None


def _subject(key: str) -> str:
    return key.partition(" ")[2]
