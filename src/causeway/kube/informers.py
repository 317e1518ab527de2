"""What is followed of Kubernetes, for all who want to know: listed, watched, decoded and kept once.

The idea is that of client-go's shared informers. Whoever needs a resource is given its informer to read and
to be told of changes by; who is told first is nobody's to rely on.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Protocol, Self, TypeVar

from causeway.kube.client import Client
from causeway.kube.defined import WhereDefined
from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    GRANTS,
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
    Gateway,
    GatewayClass,
    Grant,
    HTTPRoute,
    TCPRoute,
    TLSRoute,
)
from causeway.kube.ingresses import INGRESSES, Ingress, IngressClass
from causeway.kube.interfaces import ATTACHMENT_DEFINITIONS, AttachmentDefinition
from causeway.kube.objects import (
    SERVICE_OF_SLICE,
    Cached,
    EndpointSlice,
    Namespace,
    NetworkPolicy,
    Node,
    Pod,
    PortPool,
    Service,
)
from causeway.kube.podnetwork import PORT
from causeway.kube.reflector import ApiSource, Handler, Reflector, Source
from causeway.kube.resource import (
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    PORT_POOLS,
    SERVICES,
    Resource,
)
from causeway.kube.routes import ROUTES, Route
from causeway.kube.store import Index, Store

T = TypeVar("T", bound=Cached)


class Lister(Protocol[T]):
    """A store that is not the reader's to write to."""

    def get(self, key: str) -> T | None:
        """Return the object of ``key``, if there is one."""
        ...

    def all(self) -> list[T]:
        """Return every object."""
        ...

    def by(self, index: str, value: str) -> list[T]:
        """Return the objects the index ``index`` finds under ``value``."""
        ...


class Informer(Protocol[T]):
    """The objects of one resource, which somebody else keeps; all are there once ``synced`` is set."""

    @property
    def store(self) -> Lister[T]:
        """The objects."""
        ...

    @property
    def synced(self) -> asyncio.Event:
        """Set after the first complete list."""
        ...

    def follow(self, handler: Handler[T]) -> None:
        """Tell ``handler`` of every change, after it is in the store."""
        ...


class OptionalInformer(Informer[T], Protocol[T]):
    """The objects of a kind that need not be defined: without ``defined`` nothing is known of it."""

    @property
    def defined(self) -> bool:
        """Whether the kind is defined at present, and all its objects are in the store."""
        ...

    def when_defined(self, call: Callable[[], None]) -> None:
        """Call each time ``defined`` comes true."""
        ...


class SourceOf(Protocol):
    """Says where the objects of a resource come from."""

    def __call__(
        self, resource: Resource, of: type[T], *, labels: str | None = None, fields: str | None = None
    ) -> Source[T]:
        """Return the source of the objects that selectors match."""
        ...


class Informers:
    """The informers of one process. One that nobody has asked for before ``run`` is not kept."""

    def __init__(self, source: SourceOf) -> None:
        self._source = source
        self._kept: list[Reflector[Any]] = []

    @classmethod
    def at(cls, client: Client) -> Self:
        """Return informers of the API that ``client`` reaches."""

        def source(
            resource: Resource, of: type[T], *, labels: str | None = None, fields: str | None = None
        ) -> Source[T]:
            return ApiSource(client, resource, of, labels=labels, fields=fields)

        return cls(source)

    async def run(self) -> None:
        """Keep what was asked for until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._kept:
                group.create_task(each.run())

    @cached_property
    def pods(self) -> Reflector[Pod]:
        """Pods that are bound to a node and have a network of their own; by "uid", "node", "namespace".

        Those that ask for a prepared port are found by "wish", under "".
        """
        fields = "spec.nodeName!=,spec.hostNetwork=false"  # no others are of interest, nor kept
        source = self._source(PODS, Pod, fields=fields)
        return self._keep(source, uid=_uid, node=_node, namespace=_namespace, wish=_wish)

    @cached_property
    def pools(self) -> Reflector[PortPool]:
        """PortPools; by "port", the id of one they list, and "lent", the uid of a pod with a prepared one."""
        return self._keep(self._source(PORT_POOLS, PortPool), port=_ports, lent=_lent)

    @cached_property
    def nodes(self) -> Reflector[Node]:
        """Nodes."""
        return self._keep(self._source(NODES, Node))

    @cached_property
    def policies(self) -> Reflector[NetworkPolicy]:
        """NetworkPolicies; by "namespace"."""
        return self._keep(self._source(NETWORK_POLICIES, NetworkPolicy), namespace=_namespace)

    @cached_property
    def namespaces(self) -> Reflector[Namespace]:
        """Namespaces; by "uid"."""
        return self._keep(self._source(NAMESPACES, Namespace), uid=_uid)

    @cached_property
    def services(self) -> Reflector[Service]:
        """Services; by "uid", "namespace"."""
        return self._keep(self._source(SERVICES, Service), uid=_uid, namespace=_namespace)

    @cached_property
    def slices(self) -> Reflector[EndpointSlice]:
        """EndpointSlices of services; by "service", the key of theirs."""
        source = self._source(ENDPOINT_SLICES, EndpointSlice, labels=SERVICE_OF_SLICE)
        return self._keep(source, service=services_of)

    @cached_property
    def definitions(self) -> Reflector[AttachmentDefinition]:
        """NetworkAttachmentDefinitions."""
        return self._keep(self._source(ATTACHMENT_DEFINITIONS, AttachmentDefinition))

    def routes(self, labels: str | None) -> Reflector[Route]:
        """Return an informer of the Routes that ``labels`` select; by "service", the keys of theirs."""
        return self._keep(self._source(ROUTES, Route, labels=labels), service=_targets)

    def ingresses(self, labels: str | None) -> Reflector[Ingress]:
        """Return an informer of the Ingresses that ``labels`` select; by "service", the keys of theirs."""
        return self._keep(self._source(INGRESSES, Ingress, labels=labels), service=_backends)

    @cached_property
    def ingress_classes(self) -> Reflector[IngressClass]:
        """IngressClasses."""
        return self._keep(self._source(INGRESS_CLASSES, IngressClass))

    @cached_property
    def gateway_classes(self) -> Reflector[GatewayClass]:
        """GatewayClasses; like all of Gateway API none as long as it is not installed."""
        return self._keep(WhereDefined(self._source(GATEWAY_CLASSES, GatewayClass)))

    def gateways(self, labels: str | None) -> Reflector[Gateway]:
        """Return an informer of the Gateways that ``labels`` select."""
        return self._keep(WhereDefined(self._source(GATEWAYS, Gateway, labels=labels)))

    @cached_property
    def http_routes(self) -> Reflector[HTTPRoute]:
        """HTTPRoutes."""
        return self._keep(WhereDefined(self._source(HTTP_ROUTES, HTTPRoute)))

    @cached_property
    def tls_routes(self) -> Reflector[TLSRoute]:
        """TLSRoutes."""
        return self._keep(WhereDefined(self._source(TLS_ROUTES, TLSRoute)))

    @cached_property
    def tcp_routes(self) -> Reflector[TCPRoute]:
        """TCPRoutes."""
        return self._keep(WhereDefined(self._source(TCP_ROUTES, TCPRoute)))

    @cached_property
    def grants(self) -> Reflector[Grant]:
        """ReferenceGrants."""
        return self._keep(WhereDefined(self._source(GRANTS, Grant)))

    def selected_namespaces(self, labels: str) -> Reflector[Namespace]:
        """Return an informer of the namespaces that ``labels`` select."""
        return self._keep(self._source(NAMESPACES, Namespace, labels=labels))

    def _keep(self, source: Source[T], **indexes: Index[T]) -> Reflector[T]:
        reflector = Reflector(source, Store(indexes))
        self._kept.append(reflector)
        return reflector


def services_of(part: EndpointSlice) -> Iterable[str]:
    """Return the key of the service a slice is of; none if it names none."""
    name = part.metadata.labels.get(SERVICE_OF_SLICE)
    return [f"{part.metadata.namespace}/{name}"] if name else []


def _backends(ingress: Ingress) -> Iterable[str]:
    return {f"{ingress.metadata.namespace}/{name}" for name in ingress.spec.services()}


def _targets(route: Route) -> Iterable[str]:
    spec = route.spec
    return {f"{route.metadata.namespace}/{each.name}" for each in (spec.to, *spec.alternate_backends)}


def _uid(thing: Cached) -> Iterable[str]:
    return [thing.metadata.uid]


def _namespace(thing: Cached) -> Iterable[str]:
    return [thing.metadata.namespace]


def _node(pod: Pod) -> Iterable[str]:
    return [pod.spec.node_name]


def _ports(pool: PortPool) -> Iterable[str]:
    return [entry.port_id for entry in pool.spec.ports]


def _wish(pod: Pod) -> Iterable[str]:
    return [""] if PORT in pod.metadata.annotations else []


def _lent(pool: PortPool) -> Iterable[str]:
    lent = {entry.port_id for entry in pool.spec.ports if entry.prepared}
    return [claim.pod_uid for claim in pool.status.claims if claim.port_id in lent] if lent else []
