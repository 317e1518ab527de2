"""Wiring of Ingresses: what is followed for them, the parts put to the router, what is written."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from causeway.engine.controller import Controller
from causeway.engine.reconciler import DONE, Result
from causeway.kube.errors import NotFound, Object
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.kube.ingresses import INGRESSES, Ingress, IngressClass
from causeway.kube.objects import Service, key_of
from causeway.kube.resource import Resource
from causeway.kube.store import Change
from causeway.rooms.routes.classes import is_ours
from causeway.rooms.routes.endings import secrets_of
from causeway.rooms.routes.ingresses import Derived, derive
from causeway.rooms.routes.model import Refusal, stumbled
from causeway.rooms.routes.router import Router
from causeway.rooms.routes.secrets import PATIENCE, Secrets, SourceOfSecret
from causeway.rooms.routes.statuses import Written

log = structlog.get_logger()


class Objects(Protocol):
    """The part of the client that is needed."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """Return an object."""
        ...

    async def replace(self, resource: Resource, body: Object, *, subresource: str | None = None) -> Object:
        """Write an object, or a part of it."""
        ...


class Entrance:
    """Ingresses that are ours, as parts among the routes of ``router``.

    ``allowed`` says of a namespace whether its Ingresses may be ours; ``canonical`` is the name or the
    address to point DNS at, "" if it is not known; ``patience`` is how many seconds all Ingresses wait at the
    beginning for one whose Secrets are not known.
    """

    def __init__(
        self,
        client: Objects,
        informers: Informers,
        recorder: Recorder,
        router: Router,
        *,
        secret: SourceOfSecret,
        labels: str | None,
        allowed: Callable[[str], bool],
        canonical: str,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._client, self._recorder, self._router = client, recorder, router
        self._allowed, self._canonical = allowed, canonical
        self._ingresses = informers.ingresses(labels)
        self._classes, self._services = informers.ingress_classes, informers.services
        self._secrets = Secrets(secret, self._secret_changed)
        self._derived: dict[str, Derived] = {}
        self._waiting: set[str] = set()  # for what their Secrets are
        self._told: dict[str, frozenset[Refusal]] = {}
        self._written = Written()
        self._begun = False
        self._late: frozenset[str] = frozenset()
        self._nobody_waits = asyncio.Event()
        self.controller = Controller("ingresses", self, workers=4, kind="ingress")
        self._ingresses.follow(self._ingress_changed)
        self._classes.follow(self._class_changed)
        self._services.follow(self._service_changed)

    async def begin(self) -> None:
        """Put all parts there are to the router; returns once it is known what their Secrets are.

        Needs ``run`` meanwhile. A router that began earlier would take certificates from a HAProxy that runs.
        It waits for so long and no longer: then Ingresses that wait are taken as if they had no such Secrets,
        and hold their hosts.
        """
        for each in (self._ingresses, self._classes, self._services):
            await each.synced.wait()
        self._begun = True
        self.look_at_all()
        try:
            async with asyncio.timeout(self._patience):
                await self._nobody_waits.wait()
        except TimeoutError:
            self._late = frozenset(self._waiting)
            log.warning("Secrets of Ingresses are not known", ingresses=sorted(self._late))
            for key in self._late:
                self._look(key)

    async def run(self) -> None:
        """Follow Secrets and write what came of Ingresses, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._secrets.run())
            group.create_task(self.controller.run())

    # what is followed

    def _ingress_changed(self, change: Change[Ingress]) -> None:
        old, new = change.old, change.new
        if old is not None and new is not None and _asks(old) == _asks(new):
            self.controller.queue.add(change.key)  # somebody may have written its status
        else:
            self._look(change.key)
            self._settle()

    def _class_changed(self, _change: Change[IngressClass]) -> None:
        self.look_at_all()

    def _service_changed(self, change: Change[Service]) -> None:
        if change.old is not None and change.new is not None and change.old.spec == change.new.spec:
            return
        for ingress in self._ingresses.store.by("service", change.key):
            self._look(key_of(ingress))

    def _secret_changed(self, ingress: str) -> None:
        self._look(ingress)
        self._settle()

    def _settle(self) -> None:
        if self._begun and not self._waiting:
            self._nobody_waits.set()

    def look_at_all(self, namespace: str = "") -> None:
        """Look again at all Ingresses, or at those of a namespace."""
        for ingress in self._ingresses.store.all():
            if not namespace or ingress.metadata.namespace == namespace:
                self._look(key_of(ingress))
        self._settle()

    def _look(self, key: str) -> None:
        """Put the parts of an Ingress as they are now to the router."""
        if not self._begun:
            return
        ingress = self._ingresses.store.get(key)
        classes = {each.metadata.name: each for each in self._classes.store.all()}
        namespace = key.partition("/")[0]
        if ingress is None or not self._allowed(namespace) or not is_ours(ingress, classes):
            self._secrets.want(key, frozenset())
            self._waiting.discard(key)
            self._put(key, None)
            return
        self._secrets.want(key, frozenset(f"{namespace}/{name}" for name in secrets_of(ingress)))
        if not self._secrets.known(key) and key not in self._late:
            self._waiting.add(key)
            return
        self._waiting.discard(key)
        self._put(key, self._derive(key, ingress))

    def _derive(self, key: str, ingress: Ingress) -> Derived:
        """Derive the parts of an Ingress; whatever fails in doing so is its own, and not the others'."""
        namespace = ingress.metadata.namespace
        try:
            return derive(
                ingress,
                lambda name: self._secrets.get(f"{namespace}/{name}"),
                lambda name: self._services.store.get(f"{namespace}/{name}"),
            )
        except Exception as error:
            log.exception("an Ingress could not be read", ingress=key)
            return Derived((), (Refusal("ExtendedValidationFailed", stumbled(error)),))

    def _put(self, key: str, derived: Derived | None) -> None:
        before = {key_of(part): part for part in self._derived[key].parts} if key in self._derived else {}
        now = {key_of(part): part for part in derived.parts} if derived else {}
        for each in before.keys() - now.keys():
            self._router.remove(each)
        for each, part in now.items():
            if before.get(each) != part:
                self._router.put(part)
        if derived is None:
            self._derived.pop(key, None)
            self._told.pop(key, None)
        else:
            self._derived[key] = derived
            self.told(key)

    def told(self, key: str) -> None:
        """Take in that something may have come of a part of an Ingress."""
        self._written.forget(key)
        self.controller.queue.add(key)

    # what is written

    async def reconcile(self, key: str) -> Result:
        """Tell by Events what of an Ingress is not served, and write into its status where it is."""
        ingress, derived = self._ingresses.store.get(key), self._derived.get(key)
        if ingress is None or derived is None or ingress.metadata.deletion_timestamp is not None:
            return DONE
        outcomes = [self._router.outcome(key_of(part)) for part in derived.parts]
        notes = dict.fromkeys([*derived.notes, *(each for each in outcomes if isinstance(each, Refusal))])
        new = [each for each in notes if each not in self._told.get(key, ())]
        self._told[key] = frozenset(notes)
        for each in new:
            await self._recorder.record(
                INGRESSES, ingress.metadata, reason=each.reason, note=each.message, action="Admit"
            )
        served = any(each is True for each in outcomes)
        if self._canonical and not any(each is False for each in outcomes):  # all is decided
            entries = msgspec.to_builtins(ingress.status.load_balancer.ingress)
            if addresses(entries, self._canonical, served=served) is not None:
                if rest := self._written.rest(key):
                    return Result(requeue_after=rest)
                await self._write(ingress, served=served)
        return DONE

    async def failed(self, key: str, error: Exception) -> None:
        """Do nothing more: an Event could not be written either, and the log has it."""

    async def _write(self, ingress: Ingress, *, served: bool) -> None:
        """Put our name into the status, or take it out; raises ``Conflict`` if somebody was faster."""
        with contextlib.suppress(NotFound):
            whole = await self._client.get(INGRESSES, ingress.metadata.name, ingress.metadata.namespace)
            status = whole.get("status") or {}
            balancer = status.get("loadBalancer") or {}
            entries = addresses(balancer.get("ingress") or (), self._canonical, served=served)
            if whole["metadata"]["uid"] == ingress.metadata.uid and entries is not None:
                whole["status"] = status | {"loadBalancer": balancer | {"ingress": entries}}
                await self._client.replace(INGRESSES, whole, subresource="status")
                self._written.add(key_of(ingress))


def addresses(
    existing: Sequence[Mapping[str, Any]], canonical: str, *, served: bool
) -> list[Mapping[str, Any]] | None:
    """Return the entries of a status with ours among them, or without it; None if they are so already."""
    try:
        ours = {"ip": str(ipaddress.ip_address(canonical))}
    except ValueError:
        ours = {"hostname": canonical}
    (kind, text), *_ = ours.items()
    there = any(each.get(kind) == text for each in existing)
    if there == served:
        return None
    return [*existing, ours] if served else [each for each in existing if each.get(kind) != text]


def _asks(ingress: Ingress) -> tuple[object, ...]:
    meta = ingress.metadata
    return ingress.spec, meta.annotations, meta.uid
