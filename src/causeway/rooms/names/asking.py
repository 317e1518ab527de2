"""Who asks for which names, whether he gets them or not. Pure.

What is wanted (``desired``) lacks the names that lead nowhere yet; who looks for one of those looks here.
"""

from collections.abc import Iterable, Iterator

from causeway.kube.ingresses import Ingress
from causeway.kube.objects import Node, Service
from causeway.kube.routes import Route
from causeway.rooms.names.annotations import GATEWAY_HOSTS, Annotations, absolute, read
from causeway.rooms.names.attached import Attached, source_of_attached
from causeway.rooms.names.desired import NODES, source_of, source_of_ingress, source_of_node, source_of_route
from causeway.rooms.names.model import INGRESS, NODE, ROUTE, SERVICE, Setting, Source

Asking = Service | Node | Route | Ingress | Attached


def asking(objects: Iterable[Asking], setting: Setting) -> dict[Source, frozenset[str]]:
    """Return by object the names that its annotations, its hosts or its own name ask for."""
    found: dict[Source, frozenset[str]] = {}
    for each in objects:
        source, said, hosts = _read(each, setting)
        if said.ours and not each.metadata.deletion_timestamp:
            names = [*said.hostnames, *said.internal, *map(absolute, hosts)]
            found[source] = frozenset(name for name in names if name is not None)
    return found


def lacking(source: Source, name: str) -> tuple[str, str]:
    """Return why who asks for a name has no record of it, and what to do, if nothing else is told."""
    key = "/".join(part for part in (source.namespace, source.name) if part)
    look = describe(source)
    if source.kind in (SERVICE, NODE):
        return f"it asks for {name} and has no address yet", f"causeway explain {source.kind} {key}"
    if source.kind == ROUTE:
        return f"no router has admitted it with {name}", look
    if source.kind == INGRESS:
        return f"it asks for {name}, and its status has no address: nobody serves it", look
    return f"it asks for {name}, and no Gateway with an address has accepted it with that host", look


def describe(source: Source) -> str:
    """Return the command that shows an object with its Events."""
    where = f"-n {source.namespace} " if source.namespace else ""
    return f"kubectl {where}describe {source.kind} {source.name}"


def _read(each: Asking, setting: Setting) -> tuple[Source, Annotations, Iterable[str]]:
    said = each.metadata.annotations
    match each:
        case Service():
            return source_of(each), read(said), _own(each, read(said), setting)
        case Node():
            return source_of_node(each), read(said), [f"{each.metadata.name}.{NODES}.{setting.zones[0]}"]
        case Route():
            told = [one.host for one in each.status.ingress or ()]
            return source_of_route(each), read(said), [each.spec.host, *told]
        case Ingress():
            return source_of_ingress(each), read(said), _hosts(each) if read(said).hosts else ()
        case _:
            chosen = read(said, GATEWAY_HOSTS)
            return source_of_attached(each), chosen, each.spec.hostnames if chosen.hosts else ()


def _own(service: Service, said: Annotations, setting: Setting) -> Iterator[str]:
    if service.spec.type == "LoadBalancer" and not said.given:
        yield f"{service.metadata.name}.{service.metadata.namespace}.{setting.zones[0]}"


def _hosts(ingress: Ingress) -> Iterator[str]:
    yield from (each.host for each in ingress.spec.rules)
    yield from (host for each in ingress.spec.tls for host in each.hosts)
