"""What of each object this room reads: only where that changed may a zone have to change. Pure."""

from causeway.kube.gateways import Gateway
from causeway.kube.ingresses import Ingress
from causeway.kube.objects import Meta, Namespace, Node, Service
from causeway.kube.routes import Route
from causeway.rooms.names.annotations import relevant
from causeway.rooms.names.attached import Attached, accepted, addresses


def of_service(service: Service) -> object:
    """Return what is read of a Service."""
    spec = service.spec
    return (
        _of_meta(service.metadata),
        (spec.type, spec.cluster_ip, spec.cluster_ips, spec.external_name, spec.external_ips),
        service.status.load_balancer,
    )


def of_node(node: Node) -> object:
    """Return what is read of a node; kubelets report much else."""
    return node.metadata.uid, relevant(node.metadata.annotations), node.status.addresses


def of_route(route: Route) -> object:
    """Return what is read of a Route; it has names only once a router admitted it."""
    return (_of_meta(route.metadata), route.status.ingress) if route.status.ingress else None


def of_ingress(ingress: Ingress) -> object:
    """Return what is read of an Ingress."""
    spec = ingress.spec
    hosts = ([rule.host for rule in spec.rules], [each.hosts for each in spec.tls])
    return _of_meta(ingress.metadata), hosts, ingress.status


def of_attached(route: Attached) -> object:
    """Return what is read of a route of Gateway API; it has names only once it is attached."""
    attached = accepted(route)
    return (_of_meta(route.metadata), route.spec.hostnames, attached) if attached else None


def of_gateway(gateway: Gateway) -> object:
    """Return what is read of a Gateway."""
    return relevant(gateway.metadata.annotations), gateway.spec.listeners, addresses(gateway)


def of_namespace(namespace: Namespace) -> object:
    """Return what is read of a namespace: by its labels Gateways choose whose routes they take."""
    return namespace.metadata.labels


def _of_meta(meta: Meta) -> object:
    return meta.uid, bool(meta.deletion_timestamp), relevant(meta.annotations)
