"""Objects of Kubernetes -> the records they want. Pure.

Another kind of object that is reached by name joins here: a function of it that yields wishes and notes, and
its kind in ``model.RANKS``, which also lets this room take over its records from external-dns.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from causeway.kube.objects import Node, Service, key_of
from causeway.rooms.names.annotations import Annotations, absolute, read, record_type
from causeway.rooms.names.model import NODE, PLATFORM, SERVICE, Desired, Note, Setting, Source, Wish

NODES = "nodes"
"""Nodes are named NODE.nodes.ZONE."""

_BALANCED, _INSIDE, _ELSEWHERE = "LoadBalancer", "ClusterIP", "ExternalName"
_HEADLESS = "None"


def desired(services: Iterable[Service], nodes: Iterable[Node], setting: Setting) -> Desired:
    """Return what all want together."""
    services = [each for each in services if not each.metadata.deletion_timestamp]
    found = [
        *of_platform(setting),
        *(each for service in services for each in of_service(service, setting)),
        *(each for node in nodes for each in of_node(node, setting)),
    ]
    wishes = [each for each in found if isinstance(each, Wish)]
    notes = [each for each in found if isinstance(each, Note)]
    outside = [
        Note(
            each.source,
            "NotInZone",
            f"{each.name} is in no zone of the platform",
            f"The platform writes into {', '.join(setting.zones)}; see spec.names in its file.",
        )
        for each in wishes
        if setting.zone_of(each.name) is None
    ]
    return Desired(
        tuple(each for each in wishes if setting.zone_of(each.name) is not None),
        tuple(dict.fromkeys([*notes, *outside])),
        frozenset(source_of(each).resource for each in services if _published_elsewhere(each)),
    )


def source_of(service: Service) -> Source:
    """Return a service as a source of wishes."""
    meta = service.metadata
    return Source(SERVICE, meta.namespace, meta.name, meta.uid, meta.creation_timestamp or "")


def source_of_node(node: Node) -> Source:
    """Return a node as a source of wishes."""
    meta = node.metadata
    return Source(NODE, "", meta.name, meta.uid, meta.creation_timestamp or "")


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
    yield from _errors(source, said)
    if _published_otherwise(service):
        kind = "headless" if service.spec.cluster_ip == _HEADLESS else service.spec.type
        remedy = "Use type LoadBalancer, or give the addresses in the annotation target."
        yield Note(source, "NoAddress", f"names of {kind} services are not published", remedy)
        return
    names = list(said.hostnames)
    if service.spec.type == _BALANCED and not said.given:
        default = absolute(f"{service.metadata.name}.{service.metadata.namespace}.{setting.zones[0]}")
        names = [default] if default else []
    yield from _wishes(names, said.targets or _outside(service), source, said.ttl)
    inside = _inside(service) if service.spec.type in (_BALANCED, _INSIDE) else ()
    yield from _wishes(said.internal, inside, source, said.ttl, first=len(names))
    if service.spec.type == _INSIDE and said.hostnames and not said.targets:
        remedy = "Use internal-hostname for its address inside the cloud, or type LoadBalancer."
        yield Note(source, "NoAddress", f"service {key_of(service)} has no address outside", remedy)


def of_node(node: Node, setting: Setting) -> Iterator[Wish | Note]:
    """Yield the name of a node: at its addresses outside, without such at those inside the cloud."""
    said, source = read(node.metadata.annotations), source_of_node(node)
    if not said.ours:
        return
    yield from _errors(source, said)
    name = absolute(f"{node.metadata.name}.{NODES}.{setting.zones[0]}")
    outside = [each.address for each in node.status.addresses if each.type == "ExternalIP"]
    inside = [each.address for each in node.status.addresses if each.type == "InternalIP"]
    targets = said.targets or (*outside, *(each for each in inside if ":" in each or not outside))
    yield from _wishes([name] if name else [], targets, source, said.ttl)


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


def _errors(source: Source, said: Annotations) -> Iterator[Note]:
    for each in said.errors:
        yield Note(source, "BadAnnotation", each, "Correct the annotation; the rest of it is followed.")


def _outside(service: Service) -> tuple[str, ...]:
    spec = service.spec
    if spec.type == _ELSEWHERE:
        name = absolute(spec.external_name)
        return (name,) if name else ()
    if spec.type != _BALANCED:
        return ()
    if spec.external_ips:
        return spec.external_ips
    ingress = service.status.load_balancer.ingress
    named = [absolute(each.hostname) for each in ingress if not each.ip and each.hostname]
    return (*(each.ip for each in ingress if each.ip), *(each for each in named if each))


def _inside(service: Service) -> tuple[str, ...]:
    addresses = service.spec.cluster_ips or (service.spec.cluster_ip,)
    return tuple(each for each in addresses if each and each != _HEADLESS)


def _wishes(
    names: Iterable[str], targets: Iterable[str], source: Source, ttl: int | None, first: int = 0
) -> Iterator[Wish]:
    by_type: dict[str, set[str]] = {}
    for target in targets:
        kind = record_type(target)
        by_type.setdefault(kind, set()).add(target if kind == "CNAME" else str(ip_address(target)))
    for order, name in enumerate(names, first):
        for kind, found in sorted(by_type.items()):
            yield Wish(name, kind, tuple(sorted(found)), source, ttl, order)
