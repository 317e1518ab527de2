"""Wiring: what of Kubernetes is followed, and what is written back into routes."""

import asyncio
import datetime
from collections.abc import Iterable
from typing import Any

import msgspec

from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kube.client import Client
from causeway.kube.errors import Conflict, NotFound
from causeway.kube.events import Recorder
from causeway.kube.informers import Informer, Informers, services_of
from causeway.kube.objects import EndpointSlice, Namespace, Service, key_of, split_key
from causeway.kube.routes import ROUTES, Route
from causeway.kube.store import Change
from causeway.rooms.routes.admission import generated_host
from causeway.rooms.routes.backing import unbacked
from causeway.rooms.routes.compiling import Offer
from causeway.rooms.routes.config import Front
from causeway.rooms.routes.entrance import Entrance
from causeway.rooms.routes.external import ExternalCertificates
from causeway.rooms.routes.gateway.hall import Hall
from causeway.rooms.routes.gateway.listeners import Offered
from causeway.rooms.routes.lasting import Lasting
from causeway.rooms.routes.model import Refusal
from causeway.rooms.routes.parts import ingress_of, of_gateways
from causeway.rooms.routes.router import Proxy, Router
from causeway.rooms.routes.secrets import SourceOfSecret
from causeway.rooms.routes.statuses import Identity, Written, entry, merged

_GENERATED = "openshift.io/host.generated"


class Selection(msgspec.Struct, frozen=True):
    """Which routes are this router's, by labels of their own and of their namespaces; "" for all."""

    routes: str = ""
    namespaces: str = ""


class Room:
    """Follows routes and their endpoints, holds HAProxy to them and writes what came of it.

    ``secret`` is where a Secret comes from that a Route, an Ingress or a Gateway names.
    """

    def __init__(
        self,
        client: Client,
        proxy: Proxy,
        informers: Informers,
        recorder: Recorder,
        *,
        offer: Offer,
        front: Front,
        selection: Selection,
        identity: Identity,
        spares: int,
        secret: SourceOfSecret,
    ) -> None:
        self._client, self._recorder, self._offer, self._identity = client, recorder, offer, identity
        self._written = Written()
        self._routes = informers.routes(selection.routes or None)
        self._slices, self._services = informers.slices, informers.services
        self._lasting = Lasting()
        self._namespaces: Informer[Namespace] | None = None
        if selection.namespaces:
            self._namespaces = informers.selected_namespaces(selection.namespaces)
            self._namespaces.follow(self._namespace_changed)
        self.controller = Controller("routes", self, workers=4, kind="route")
        self.router = Router(proxy, offer, front, self._slices_of, spares=spares, told=self._tell)
        self._external = ExternalCertificates(secret, self._secret_changed)
        self.entrance = Entrance(
            client,
            informers,
            recorder,
            self.router,
            secret=secret,
            labels=selection.routes or None,
            allowed=self._allowed,
            canonical=identity.canonical,
        )
        self.hall = Hall(
            client,
            informers,
            self.router,
            secret=secret,
            labels=selection.routes or None,
            allowed=self._allowed,
            offered=Offered(identity.canonical, front.further),
        )
        self._routes.follow(self._route_changed)
        self._slices.follow(self._slice_changed)
        self._services.follow(self._service_changed)

    async def run(self) -> None:
        """Work until cancelled; begins once all that is followed has been listed."""
        await self._routes.synced.wait()
        await self._slices.synced.wait()
        if self._namespaces is not None:
            await self._namespaces.synced.wait()
            for route in self._routes.store.all():
                self._take(route)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._external.run())
            group.create_task(self.entrance.run())
            group.create_task(self.hall.run())
            async with asyncio.TaskGroup() as beginning:  # beside each other: each may wait for a while
                beginning.create_task(self._external.settled())
                beginning.create_task(self.entrance.begin())
                beginning.create_task(self.hall.begin())
            group.create_task(self.router.run())
            group.create_task(self.controller.run())

    def _tell(self, key: str) -> None:
        """Have what came of a route, or of a part of an Ingress, written."""
        ingress = ingress_of(key)
        if of_gateways(key):
            self.hall.told(key)
        elif ingress:
            self.entrance.told(ingress)
        else:
            self._written.forget(key)
            self.controller.queue.add(key)

    # what is followed

    def _slices_of(self, namespace: str, service: str) -> Iterable[EndpointSlice]:
        return self._slices.store.by("service", f"{namespace}/{service}")

    def _allowed(self, namespace: str) -> bool:
        return self._namespaces is None or self._namespaces.store.get(namespace) is not None

    def _take(self, route: Route) -> None:
        if not self._allowed(route.metadata.namespace):
            self._forget(key_of(route))
        elif (whole := self._external.fill(route)) is not None:
            self.router.put(whole)

    def _forget(self, key: str) -> None:
        self._external.forget(key)
        self._lasting.forget(key)
        self.router.remove(key)

    def _route_changed(self, change: Change[Route]) -> None:
        if change.new is None:
            self._forget(change.key)
            return
        old, new = change.old, change.new
        annotations_and_spec = (new.spec, new.metadata.annotations, new.metadata.uid)
        if old is None or annotations_and_spec != (old.spec, old.metadata.annotations, old.metadata.uid):
            self._take(new)
        else:
            self.controller.queue.add(change.key)  # somebody may have written over our part of its status

    def _secret_changed(self, key: str) -> None:
        route = self._routes.store.get(key)
        if route is not None:
            self._take(route)

    def _slice_changed(self, change: Change[EndpointSlice]) -> None:
        for part in (change.old, change.new):
            for service in services_of(part) if part is not None else ():
                self.router.touch(service)

    def _service_changed(self, change: Change[Service]) -> None:
        if change.old is None or change.new is None:
            for route in self._routes.store.by("service", change.key):
                self.controller.queue.add(key_of(route))

    def _namespace_changed(self, change: Change[Namespace]) -> None:
        if change.old is not None and change.new is not None:
            return
        for route in self._routes.store.all():
            if route.metadata.namespace == change.key:
                self._take(route)
        self.entrance.look_at_all(change.key)
        self.hall.look()

    # what is written

    async def reconcile(self, key: str) -> Result:
        """Write what came of a route into its status, and tell by Events what it lacks."""
        route, outcome = self._routes.store.get(key), self.router.outcome(key)
        if route is None or outcome is False or route.metadata.deletion_timestamp is not None:
            return DONE
        refusal = outcome if isinstance(outcome, Refusal) else None
        again = await self._tell_lacking(route, served=refusal is None)
        if refusal is not None and refusal.reason == "NoHostValue":
            host = generated_host(route, self._offer.rules)
            if host:
                await self._give_host(route, host)
                return DONE
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ours = entry(route, refusal, self._identity, self._offer.rules, now)
        if merged(msgspec.to_builtins(route.status.ingress or ()), ours) is None:
            return again
        if rest := self._written.rest(key):
            return Result(requeue_after=rest)
        await self._write(key, route, ours)
        if refusal is not None:
            await self._recorder.record(
                ROUTES, route.metadata, reason=refusal.reason, note=refusal.message, action="Admit"
            )
        return again

    async def _tell_lacking(self, route: Route, *, served: bool) -> Result:
        """Tell by Events what lacks behind a route once it has lasted; return when to look again."""
        notes = unbacked(route, self._services.store.get, self._slices_of) if served else ()
        due, rest = self._lasting.due(key_of(route), notes, asyncio.get_running_loop().time())
        for each in due:
            await self._recorder.record(
                ROUTES, route.metadata, reason=each.reason, note=each.message, action="Admit"
            )
        return Result(requeue_after=rest) if rest else DONE

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing more: an Event could not be written either, and the log has it."""

    async def _give_host(self, route: Route, host: str) -> None:
        meta = route.metadata
        body = {
            "metadata": {"annotations": {_GENERATED: "true"}, "resourceVersion": meta.resource_version},
            "spec": {"host": host},
        }
        try:
            await self._client.patch(ROUTES, meta.name, body, meta.namespace)
        except (Conflict, NotFound):
            return  # its next version comes, or another router of ours was first

    async def _write(self, key: str, route: Route, ours: dict[str, Any]) -> None:
        """Put our entry beside those of others; raises ``Conflict`` if somebody was faster."""
        namespace, name = split_key(key)
        try:
            whole = await self._client.get(ROUTES, name, namespace)
            if whole["metadata"]["uid"] != route.metadata.uid:
                return
            status = whole.get("status") or {}
            entries = merged(status.get("ingress") or (), ours)
            if entries is not None:
                whole["status"] = status | {"ingress": entries}
                await self._client.replace(ROUTES, whole, subresource="status")
                self._written.add(key)
        except NotFound:
            return
