"""Wiring of Gateway API: what is followed for it, and the parts put to the router."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
    AnyRoute,
    Gateway,
)
from causeway.kube.informers import Informers
from causeway.kube.objects import Service, key_of
from causeway.kube.resource import Resource
from causeway.kube.store import Change
from causeway.rooms.routes.gateway.deriving import Derived, World, derive
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.gateway.listeners import Offered, secrets_of
from causeway.rooms.routes.gateway.rules import named
from causeway.rooms.routes.gateway.telling import Seen, Teller, is_ours, version
from causeway.rooms.routes.gateway.writing import Objects
from causeway.rooms.routes.parts import Rule
from causeway.rooms.routes.router import Router
from causeway.rooms.routes.secrets import PATIENCE, Secrets, SourceOfSecret

log = structlog.get_logger()

_TOGETHER = 0.02  # seconds in which changes come that are taken in together


class Hall:
    """Gateways that are ours, and what is attached to them, as parts among the routes of ``router``.

    ``allowed`` says of a namespace whether its Gateways may be ours; ``offered`` is what the router has for
    them; ``patience`` is how many seconds all Gateways wait at the beginning for one whose Secrets are not
    known.
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
        offered: Offered,
        patience: float = PATIENCE,
    ) -> None:
        self._router, self._allowed, self._offered = router, allowed, offered
        self._patience = patience
        self._teller = Teller(client, informers, router, labels=labels, offered=offered)
        self._classes, self._gateways = self._teller.classes, self._teller.gateways
        self._http_routes, self._tls_routes = informers.http_routes, informers.tls_routes
        self._tcp_routes = informers.tcp_routes
        self._grants = informers.grants
        self._services, self._namespaces = informers.services, informers.namespaces
        self._secrets = Secrets(secret, lambda _: self.look())
        self._changed = asyncio.Event()
        self._news = asyncio.Event()
        self._begun = asyncio.Event()
        self._follow(self._classes, GATEWAY_CLASSES)
        self._follow(self._gateways, GATEWAYS)
        self._follow(self._http_routes, HTTP_ROUTES)
        self._follow(self._tls_routes, TLS_ROUTES)
        self._follow(self._tcp_routes, TCP_ROUTES)
        self._grants.follow(self._any_changed)
        self._namespaces.follow(self._any_changed)
        self._services.follow(self._service_changed)

    # what is followed

    def _follow(self, informer: Any, resource: Resource) -> None:
        def changed(change: Change[Any]) -> None:
            old, new = change.old, change.new
            if old is None or new is None or version(old) != version(new):
                self.look()
            if new is not None:  # somebody may have written its status
                self._teller.controller.queue.add(f"{resource.kind} {change.key}")

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
            self._teller.told(key)

    # the work

    async def begin(self) -> None:
        """Put all parts there are to the router; returns once it is known what all Secrets are.

        Needs ``run`` meanwhile. A router that began earlier would take away what a HAProxy that runs has. It
        waits for so long and no longer: then it begins without Gateways that wait.
        """
        for gateways in (self._classes, self._gateways, self._teller.all_gateways, self._grants):
            await gateways.synced.wait()
        for routes in (self._http_routes, self._tls_routes, self._tcp_routes):
            await routes.synced.wait()
        for targets in (self._services, self._namespaces):
            await targets.synced.wait()
        try:
            async with asyncio.timeout(self._patience):
                while self._waiting(self._ours()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            waiting = sorted(self._waiting(self._ours()))
            log.warning("Gateways are not served before their Secrets are known", gateways=waiting)
        self._changed.clear()
        seen = self._look_around()
        derived = self._derive(seen)
        for part in derived.parts.values():
            self._router.put(part)
        self._teller.keep(derived, seen)
        self._begun.set()

    async def run(self) -> None:
        """Follow everything until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._secrets.run())
            await self._begun.wait()
            group.create_task(self._teller.controller.run())
            while True:
                await self._changed.wait()
                await asyncio.sleep(_TOGETHER)
                self._changed.clear()
                seen = self._look_around()
                derived = self._derive(seen)
                await self._put(derived)
                self._teller.keep(derived, seen)

    def _ours(self) -> list[Gateway]:
        classes = {each.metadata.name for each in self._classes.store.all() if is_ours(each)}
        return [
            each
            for each in self._gateways.store.all()
            if each.spec.gateway_class_name in classes and self._allowed(each.metadata.namespace)
        ]

    def _waiting(self, gateways: Iterable[Gateway]) -> set[str]:
        """Follow the Secrets of gateways, and no others; return the gateways of which one is not known yet.

        Until all of a gateway's are, it is served as it was: so its former ones are followed, too.
        """
        wanted = {key_of(each): secrets_of(each) for each in gateways}
        waiting: set[str] = set()
        for gone in self._teller.derived.listeners.keys() - wanted.keys():
            self._secrets.want(gone, frozenset())
        for gateway, keys in wanted.items():
            former = self._teller.seen.get(f"{GATEWAYS.kind} {gateway}")
            before = secrets_of(former) if isinstance(former, Gateway) else frozenset[str]()
            self._secrets.want(gateway, keys | before)
            if self._secrets.known(gateway):
                self._secrets.want(gateway, keys)
            else:
                waiting.add(gateway)
        return waiting

    def _look_around(self) -> Seen:
        """Return everything to derive from, by key of the queue."""
        gateways = {key_of(each): each for each in self._ours()}
        seen: Seen = {}
        waiting = self._waiting(gateways.values())  # what they are is news
        for key, gateway in gateways.items():
            name = f"{GATEWAYS.kind} {key}"
            if key not in waiting:
                seen[name] = gateway
            elif name in self._teller.seen:
                seen[name] = self._teller.seen[name]
        routes: list[AnyRoute] = [*self._http_routes.store.all(), *self._tls_routes.store.all()]
        routes += self._tcp_routes.store.all()
        return seen | {named(each): each for each in routes}

    def _derive(self, seen: Seen) -> Derived:
        world = World(
            gateways=tuple(each for each in seen.values() if isinstance(each, Gateway)),
            routes=tuple(each for each in seen.values() if not isinstance(each, Gateway)),
            namespaces={each.metadata.name: each for each in self._namespaces.store.all()},
            services=self._services.store.get,
            secrets=self._secrets.get,
            grants=Grants(self._grants.store.all()),
            offered=self._offered,
        )
        try:
            derived = derive(world)
        except Exception:  # must not end Routes and Ingresses along with it
            log.exception("Gateway API could not be read: what is served for it stays as it is")
            return self._teller.derived
        for name, error in derived.defects.items():
            log.error("an object of Gateway API could not be read", of=name, exc_info=error)
        return derived

    async def _put(self, derived: Derived) -> None:
        """Put what changed to the router: new rules first, and once they are there what leads to them."""
        before, now = self._teller.derived.parts, derived.parts
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
