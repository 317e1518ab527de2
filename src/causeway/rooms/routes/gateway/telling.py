"""Telling what came of Gateway API: its statuses, written from what was derived last."""

import datetime
from functools import partial
from typing import Any

from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kube.attaching import parent_of
from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
    AnyRoute,
    Gateway,
    GatewayClass,
    ParentReference,
)
from causeway.kube.informers import Informers
from causeway.kube.objects import Cached
from causeway.rooms.routes.classes import CONTROLLER
from causeway.rooms.routes.gateway.deriving import Derived
from causeway.rooms.routes.gateway.listeners import Offered
from causeway.rooms.routes.gateway.rules import kind_of
from causeway.rooms.routes.gateway.statuses import class_status, gateway_status, left_status, parents
from causeway.rooms.routes.gateway.writing import Objects, Status, write
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.router import Router

Seen = dict[str, Gateway | AnyRoute]
"""What was derived from, by key of the queue: kind and key of the object."""
_RESOURCES = {each.kind: each for each in (HTTP_ROUTES, TLS_ROUTES, TCP_ROUTES)}


class Teller:
    """Holds what was ``derived`` last, and from what (``seen``), and has it written where it is news."""

    def __init__(
        self,
        client: Objects,
        informers: Informers,
        router: Router,
        *,
        labels: str | None,
        offered: Offered,
    ) -> None:
        self._client, self._router, self._offered = client, router, offered
        self.classes, self.gateways = informers.gateway_classes, informers.gateways(labels)
        self.all_gateways = informers.gateways(None) if labels else self.gateways
        self.derived = Derived({}, {}, {})
        self.seen: Seen = {}
        self._routes_of: dict[str, list[str]] = {}  # by table
        self._left: set[str] = set()  # gateways that were ours, and are there
        self.controller = Controller("gateways", self, workers=2, kind="gateway", subject=_subject)

    def told(self, table: str) -> None:
        """Have routes written of one of whose hosts something came."""
        for route in self._routes_of.get(table, ()):
            self.controller.queue.add(route)

    def keep(self, derived: Derived, seen: Seen) -> None:
        """Have what is derived told of everything that changed, or of which it says something else."""
        before, self.derived = self.derived, derived
        known, self.seen = self.seen, seen
        left = {
            key.partition(" ")[2] for key in known.keys() - seen.keys() if isinstance(known[key], Gateway)
        }
        self._left = {
            each
            for each in self._left | left
            if f"{GATEWAYS.kind} {each}" not in seen and self.gateways.store.get(each) is not None
        }
        for each in self._left:
            self.controller.queue.add(f"{GATEWAYS.kind} {each}")
        self._routes_of = {}
        for key, attached in derived.attached.items():
            for table in {each for one in attached for each in one.tables}:
                self._routes_of.setdefault(table, []).append(key)
        for key, thing in seen.items():
            old, name = known.get(key), key.partition(" ")[2]
            if (
                old is None
                or version(old) != version(thing)
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
            found = self.classes.store.get(name)
            if found is not None and is_ours(found):
                generation, ports = found.metadata.generation, self._offered.ports
                await write(
                    self._client,
                    GATEWAY_CLASSES,
                    found,
                    lambda status: class_status(status, ports, generation, now),
                )
        elif kind == GATEWAYS.kind:
            await self._write_gateway(name, now)
        else:
            await self._write_route(key, now)
        return DONE

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing more: the log has it."""

    async def _write_gateway(self, name: str, now: str) -> None:
        gateway, listeners = self.seen.get(f"{GATEWAYS.kind} {name}"), self.derived.listeners.get(name)
        if name in self._left:
            await self._write_left(name, now)
        if not isinstance(gateway, Gateway) or listeners is None:
            return
        generation, address = gateway.metadata.generation, self._offered.canonical
        await write(
            self._client,
            GATEWAYS,
            gateway,
            lambda status: gateway_status(status, listeners, address, generation, now),
        )

    async def _write_left(self, name: str, now: str) -> None:
        """Tell that a gateway's class is gone; one that is somebody else's now is told by them."""
        gateway = self.gateways.store.get(name)
        if gateway is None or self.classes.store.get(gateway.spec.gateway_class_name) is not None:
            return
        its_class, generation = gateway.spec.gateway_class_name, gateway.metadata.generation
        await write(
            self._client, GATEWAYS, gateway, lambda status: left_status(status, its_class, generation, now)
        )

    async def _write_route(self, name: str, now: str) -> None:
        route = self.seen.get(name)
        if route is None or isinstance(route, Gateway):
            return
        attached = self.derived.attached.get(name, ())
        outcomes = {table: self._router.outcome(table) for each in attached for table in each.tables}
        if any(each is False for each in outcomes.values()):
            return  # what comes of them is told
        refused = {table: each for table, each in outcomes.items() if isinstance(each, Refusal)}
        meta, elsewhere = route.metadata, partial(self._elsewhere, route)

        def status(existing: Status) -> dict[str, Any]:
            entries = existing.get("parents") or ()
            return {"parents": parents(entries, attached, refused, meta.generation, now, elsewhere=elsewhere)}

        if attached or any(
            each.get("controllerName") == CONTROLLER for each in route.status.get("parents") or ()
        ):
            await write(self._client, _RESOURCES[kind_of(route)], route, status)

    def _elsewhere(self, route: AnyRoute, reference: ParentReference) -> bool:
        """Return whether a gateway a route names is of a class of ours, but of another of our routers."""
        key = parent_of(reference, route.metadata.namespace)
        found = self.all_gateways.store.get(key) if key and reference in route.spec.parent_refs else None
        if found is None or f"{GATEWAYS.kind} {key}" in self.seen:
            return False
        its_class = self.classes.store.get(found.spec.gateway_class_name)
        return its_class is not None and is_ours(its_class)


def is_ours(found: GatewayClass) -> bool:
    """Return whether gateways of a class are the router's."""
    return found.spec.controller_name == CONTROLLER


def version(thing: Cached) -> tuple[str, int, bool]:
    """Return what tells that somebody asks for something else, and not only tells something."""
    meta = thing.metadata
    return meta.uid, meta.generation, meta.deletion_timestamp is not None


def _subject(key: str) -> str:
    return key.partition(" ")[2]
