"""Objects of Kubernetes -> the records they want. Pure.

Another kind of object that is reached by name joins here: a function of it that yields wishes and notes, and
its kind in ``model.RANKS``. Its place in ``Desired.known`` lets this room delete its records, also those
taken over from external-dns.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from causeway.kube.ingresses import Ingress
from causeway.kube.objects import LoadBalancerStatus, Node, Service, key_of
from causeway.kube.routes import Route, RouteIngress
from causeway.rooms.names.annotations import absolute, read, record_type, target
from causeway.rooms.names.attached import NONE, Gateways, of_attached, source_of_attached
from causeway.rooms.names.model import (
    ALWAYS_KNOWN,
    INGRESS,
    NODE,
    PLATFORM,
    ROUTE,
    SERVICE,
    Desired,
    Note,
    Setting,
    Source,
    Wish,
)
from causeway.rooms.names.wishes import by_wildcard, places_of, source_from, unread, wishes

T = TypeVar("T")
_Read = Callable[[T, Setting], Iterator[Wish | Note]]

NODES = "nodes"
"""Nodes are named NODE.nodes.ZONE."""

_BALANCED, _INSIDE, _ELSEWHERE = "LoadBalancer", "ClusterIP", "ExternalName"
_HEADLESS = "None"
_KEEPING = ("ExternalCertificateValidationFailed", "ExtendedValidationFailed")
"""Why a router refuses a route that has its host: something else is wrong, and can be mended."""


def desired(
    services: Iterable[Service],
    nodes: Iterable[Node],
    setting: Setting,
    routes: Iterable[Route] = (),
    ingresses: Iterable[Ingress] = (),
    *,
    gateways: Gateways = NONE,
) -> Desired:
    """Return what all want together."""
    services = [each for each in services if not each.metadata.deletion_timestamp]
    defects: dict[str, Exception] = {}

    def of(things: Iterable[T], read: _Read[T], source: Callable[[T], Source]) -> Iterator[Wish | Note]:
        """Yield what objects want; one of them that fails is told, and does not take the others along."""
        for each in things:
            try:
                found = list(read(each, setting))
            except Exception as error:
                defects[source(each).resource] = error
                found = [_stumbled(source(each), error)]
            yield from found

    found = [
        *of_platform(setting),
        *of(services, of_service, source_of),
        *of(nodes, of_node, source_of_node),
        *of(routes, of_route, source_of_route),
        *of(ingresses, of_ingress, source_of_ingress),
        *of(gateways.routes, lambda each, setting: of_attached(each, gateways, setting), source_of_attached),
    ]
    legible = [each for each in services if source_of(each).resource not in defects]
    elsewhere = {source_of(each).resource for each in legible if _published_elsewhere(each)}
    wanted = [each for each in found if isinstance(each, Wish)]
    notes = [each for each in found if isinstance(each, Note)]
    outside = [
        Note(
            each.source,
            "NotInZone",
            f"{each.name} is in no zone of the platform",
            f"The platform writes into {', '.join(setting.zones)}; see spec.names in its file.",
        )
        for each in wanted
        if setting.zone_of(each.name) is None
    ]
    return Desired(
        tuple(each for each in wanted if setting.zone_of(each.name) is not None),
        tuple(dict.fromkeys([*notes, *outside])),
        frozenset(elsewhere | defects.keys()),
        ALWAYS_KNOWN | gateways.known,
        defects,
    )


def source_of(service: Service) -> Source:
    """Return a service as a source of wishes."""
    return source_from(SERVICE, service.metadata)


def source_of_node(node: Node) -> Source:
    """Return a node as a source of wishes."""
    return source_from(NODE, node.metadata)


def source_of_route(route: Route) -> Source:
    """Return a route as a source of wishes."""
    return source_from(ROUTE, route.metadata)


def source_of_ingress(ingress: Ingress) -> Source:
    """Return an Ingress as a source of wishes."""
    return source_from(INGRESS, ingress.metadata)


def of_platform(setting: Setting) -> Iterator[Wish]:
    """Yield the names of the platform itself."""
    for name, address in setting.fixed.items():
        yield Wish(name, record_type(address), (address,), Source(PLATFORM, "", name.rstrip(".")))


def of_service(service: Service, setting: Setting) -> Iterator[Wish | Note]:
    """Yield what a service wants: names at its load balancer, or at its own address inside the cloud.

    A load balancer without a name in its annotations is SERVICE.NAMESPACE.ZONE.
    """
    said, source = read(service.metadata.annotations), source_of(service)
    if not said.ours:
        return
    yield from unread(source, said)
    if _published_otherwise(service):
        kind = "headless" if service.spec.cluster_ip == _HEADLESS else service.spec.type
        remedy = "Use type LoadBalancer, or give the addresses in the annotation target."
        yield Note(source, "NoAddress", f"names of {kind} services are not published", remedy)
        return
    names = list(said.hostnames)
    if service.spec.type == _BALANCED and not said.given:
        default = absolute(f"{service.metadata.name}.{service.metadata.namespace}.{setting.zones[0]}")
        names = [default] if default else []
    yield from wishes(names, said.targets or _outside(service), source, said.ttl)
    yield from wishes(said.internal, said.targets or _inside(service), source, said.ttl, first=len(names))
    if service.spec.type == _INSIDE and said.hostnames and not said.targets:
        remedy = "Use internal-hostname for its address inside the cloud, or type LoadBalancer."
        yield Note(source, "NoAddress", f"service {key_of(service)} has no address outside", remedy)


def of_node(node: Node, setting: Setting) -> Iterator[Wish | Note]:
    """Yield the name of a node: at its addresses outside, without such at those inside the cloud."""
    said, source = read(node.metadata.annotations), source_of_node(node)
    if not said.ours:
        return
    yield from unread(source, said)
    name = absolute(f"{node.metadata.name}.{NODES}.{setting.zones[0]}")
    outside = [each.address for each in node.status.addresses if each.type == "ExternalIP"]
    inside = [each.address for each in node.status.addresses if each.type == "InternalIP"]
    targets = said.targets or _usable([*outside, *(each for each in inside if ":" in each or not outside)])
    yield from wishes([name] if name else [], targets, source, said.ttl)


def of_route(route: Route, setting: Setting) -> Iterator[Wish | Note]:
    """Yield the names of a route, aliases of the routers that admitted it.

    Its host counts only in a zone of ours: whoever has a host elsewhere has a zone for it, too. A host that
    the router's wildcard answers for needs no record of its own, and is the route's as long as the router
    keeps it; a name that only its annotation says is not.
    """
    said, source = read(route.metadata.annotations), source_of_route(route)
    if route.metadata.deletion_timestamp or not said.ours:
        return
    yield from unread(source, said)
    routers = sorted(route.status.ingress or (), key=lambda each: each.router_name)
    for each in routers:
        host, place = _name_of(each), absolute(each.router_canonical_hostname)
        if host and place and (_admitted(each) or _kept(each)):
            yield from by_wildcard([host], [place], setting, source)
    admitted = [each for each in routers if _admitted(each)]
    places = [absolute(each.router_canonical_hostname) for each in admitted]
    aliases = [each for each in places if each is not None][:1]  # an alias has one target
    hosts = dict.fromkeys(host for each in admitted if (host := _name_of(each)) is not None)
    names = dict.fromkeys([*(each for each in hosts if setting.zone_of(each)), *said.hostnames])
    for order, name in enumerate(names):
        targets = said.targets or places_of(name, aliases, setting)
        yield from wishes([name], targets, source, said.ttl, first=order)


def of_ingress(ingress: Ingress, setting: Setting) -> Iterator[Wish | Note]:
    """Yield the names of an Ingress at where its status says that it is served, whoever serves it.

    As of a route, its hosts count only in a zone of ours, and need nothing where a wildcard answers for them.
    """
    said, source = read(ingress.metadata.annotations), source_of_ingress(ingress)
    if ingress.metadata.deletion_timestamp or not said.ours:
        return
    yield from unread(source, said)
    spec = ingress.spec
    given = [*(rule.host for rule in spec.rules), *(host for each in spec.tls for host in each.hosts)]
    hosts = dict.fromkeys(name for host in given if (name := absolute(host)) is not None)
    places = _balanced(ingress.status.load_balancer)
    yield from by_wildcard(hosts, places, setting, source)
    own = [each for each in hosts if said.hosts and setting.zone_of(each)]
    names = dict.fromkeys([*own, *said.hostnames])
    for order, name in enumerate(names):
        targets = said.targets or places_of(name, places, setting)
        yield from wishes([name], targets, source, said.ttl, first=order)


def _stumbled(source: Source, error: Exception) -> Note:
    cause = f"what is asked for could not be read ({type(error).__name__}), which is a defect"
    remedy = "Its records stay as they are. Report it, with what the log says."
    return Note(source, "NotRead", cause, remedy)


def _admitted(ingress: RouteIngress) -> bool:
    return any(each.type == "Admitted" and each.status == "True" for each in ingress.conditions)


def _kept(ingress: RouteIngress) -> bool:
    """Return whether a router keeps a host for a route it refuses: nobody else gets it there."""
    return any(each.type == "Admitted" and each.reason in _KEEPING for each in ingress.conditions)


def _name_of(ingress: RouteIngress) -> str | None:
    """Return the host a router serves; of a wildcard the name that stands for all."""
    host = ingress.host
    return absolute(f"*.{host.partition('.')[2]}" if ingress.wildcard_policy == "Subdomain" else host)


def _published_otherwise(service: Service) -> bool:
    """Return whether external-dns would publish names of a service that this room does not know how to."""
    said = read(service.metadata.annotations)
    headless = service.spec.type == _INSIDE and service.spec.cluster_ip == _HEADLESS
    return said.ours and said.given and not said.targets and (headless or service.spec.type == "NodePort")


def _published_elsewhere(service: Service) -> bool:
    """Return whether external-dns may have published names of a service that nobody can tell here."""
    said = read(service.metadata.annotations)
    inside = service.spec.type == _INSIDE and said.hostnames and not said.internal and not said.targets
    return _published_otherwise(service) or (said.ours and bool(inside))


def _outside(service: Service) -> tuple[str, ...]:
    spec = service.spec
    if spec.type not in (_BALANCED, _ELSEWHERE):
        return ()
    elsewhere = (spec.external_name,) if spec.type == _ELSEWHERE else ()
    return _usable(spec.external_ips) or _usable(elsewhere) or _balanced(service.status.load_balancer)


def _balanced(status: LoadBalancerStatus) -> tuple[str, ...]:
    named = [each.hostname for each in status.ingress if not each.ip]
    return _usable([*(each.ip for each in status.ingress), *named])


def _inside(service: Service) -> tuple[str, ...]:
    """Return where names inside the cloud lead; of what is outside of it these are no others."""
    spec = service.spec
    if spec.type == _ELSEWHERE:
        return _outside(service)
    if spec.type not in (_BALANCED, _INSIDE):
        return ()
    addresses = spec.cluster_ips or (spec.cluster_ip,)
    return _usable(each for each in addresses if each != _HEADLESS)


def _usable(places: Iterable[str]) -> tuple[str, ...]:
    """Return those that a record can lead to: the API lets addresses be that no name service takes."""
    return tuple(found for each in places if (found := target(each)) is not None)
