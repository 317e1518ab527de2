"""Objects that have names, as short as can be."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from tests.models.designate import ModelDesignate

from causeway.cloud.designate import NewRecordSet
from causeway.kube.gateways import (
    Gateway,
    GatewaySpec,
    HTTPRoute,
    HTTPRouteSpec,
    Listener,
    ParentReference,
    TLSRoute,
    TLSRouteSpec,
)
from causeway.kube.ingresses import Ingress, IngressRule, IngressSpec, IngressStatus, IngressTLS
from causeway.kube.objects import (
    IngressAddress,
    LoadBalancerStatus,
    Meta,
    Node,
    NodeAddress,
    NodeStatus,
    Service,
    ServiceSpec,
    ServiceStatus,
)
from causeway.kube.routes import (
    Route,
    RouteCondition,
    RouteIngress,
    RouteSpec,
    RouteStatus,
    RouteTarget,
)
from causeway.rooms.names.model import Create, Delete, Planned, Setting, Source, Update
from causeway.rooms.names.plan import Zone

ZONE = "example.org."
OWNER = "platform-1"
SETTING = Setting("0d5b6bd2-9d7f-4d26-8f4e-5a8a63d3a001", (ZONE,), OWNER)
OLD = "external-dns.alpha.kubernetes.io/"
EDGE = ParentReference("edge")

T = TypeVar("T", bound=Service | Route | Ingress | HTTPRoute | TLSRoute)


def service(
    name: str = "web",
    *addresses: str,
    namespace: str = "shop",
    kind: str = "LoadBalancer",
    created: str = "2026-01-01T00:00:00Z",
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Service:
    """Return a service; ``annotations`` by their names without a prefix."""
    said = {OLD + key: value for key, value in (annotations or {}).items()}
    ingress = tuple(
        IngressAddress(hostname=each) if each[-1].isalpha() else IngressAddress(each) for each in addresses
    )
    meta = Meta(name, namespace, f"uid-{namespace}-{name}", creation_timestamp=created, annotations=said)
    spec = {"cluster_ip": "172.30.0.9", **spec}
    return Service(meta, ServiceSpec(kind, **spec), ServiceStatus(LoadBalancerStatus(ingress)))


def node(name: str = "worker-1", *addresses: tuple[str, str], **annotations: str) -> Node:
    """Return a node with addresses of (type, address)."""
    found = tuple(NodeAddress(kind, address) for kind, address in addresses)
    said = {OLD + key: value for key, value in annotations.items()}
    return Node(Meta(name, "", f"uid-{name}", annotations=said), status=NodeStatus(found))


def route(
    name: str = "shop",
    *admitted: tuple[str, str],
    refused: tuple[str, ...] = (),
    reason: str = "HostAlreadyClaimed",
    policy: str = "None",
    **annotations: str,
) -> Route:
    """Return a route that routers took in as (host, the router's own name), or refused as host."""
    said = {OLD + key.replace("_", "-"): value for key, value in annotations.items()}
    entries = [
        RouteIngress(host, f"router-{place}", (RouteCondition("Admitted", "True"),), policy, canonical)
        for place, (host, canonical) in enumerate(admitted)
    ]
    entries += [
        RouteIngress(host, "strict", (RouteCondition("Admitted", "False", reason),), policy, "r.example.org")
        for host in refused
    ]
    meta = Meta(name, "one", f"uid-one-{name}", annotations=said)
    return Route(meta, RouteSpec(RouteTarget("web")), RouteStatus(tuple(entries)))


def ingress(
    name: str = "shop",
    *addresses: str,
    hosts: tuple[str, ...] = (),
    tls: tuple[str, ...] = (),
    namespace: str = "one",
    **annotations: str,
) -> Ingress:
    """Return an Ingress with rules for ``hosts``, certificates for ``tls``, served at ``addresses``."""
    said = {OLD + key.replace("_", "-"): value for key, value in annotations.items()}
    places = tuple(
        IngressAddress(hostname=each) if each[-1].isalpha() else IngressAddress(each) for each in addresses
    )
    return Ingress(
        Meta(name, namespace, f"uid-{namespace}-{name}", annotations=said),
        IngressSpec(rules=tuple(map(IngressRule, hosts)), tls=(IngressTLS(tls),) if tls else ()),
        IngressStatus(LoadBalancerStatus(places)),
    )


def gateway(
    *addresses: str,
    name: str = "edge",
    namespace: str = "one",
    listeners: Sequence[Listener] = (),
    **said: str,
) -> Gateway:
    """Return a Gateway at addresses; without ``listeners`` it has one, HTTP for every host."""
    listeners = listeners or (Listener("http", 80, "HTTP"),)
    places = [
        {"type": "Hostname" if each[-1].isalpha() else "IPAddress", "value": each} for each in addresses
    ]
    meta = Meta(name, namespace, annotations={OLD + key: value for key, value in said.items()})
    return Gateway(meta, GatewaySpec("any", tuple(listeners)), {"addresses": places})


def attached(
    *hosts: str,
    name: str = "shop",
    namespace: str = "one",
    kind: type[HTTPRoute] | type[TLSRoute] = HTTPRoute,
    parent: ParentReference = EDGE,
    accepted: bool = True,
    **annotations: str,
) -> HTTPRoute | TLSRoute:
    """Return a route of Gateway API for hosts, which its parent accepted, or did not."""
    said = {OLD + key.replace("_", "-"): value for key, value in annotations.items()}
    meta = Meta(name, namespace, f"uid-{namespace}-{name}", annotations=said)
    entry = {
        "parentRef": msgspec.to_builtins(parent),
        "conditions": [{"type": "Accepted", "status": str(accepted)}],
    }
    spec = HTTPRouteSpec if kind is HTTPRoute else TLSRouteSpec
    return kind(meta, spec((parent,), hosts), {"parents": [entry]})  # type: ignore[arg-type]  # each its own


def of(namespace: str, created: str, found: T) -> T:
    """Return an object as one of a namespace, made then."""
    meta = msgspec.structs.replace(
        found.metadata,
        namespace=namespace,
        uid=f"uid-{namespace}-{found.metadata.name}",
        creation_timestamp=created,
    )
    return msgspec.structs.replace(found, metadata=meta)


def source(name: str = "web", namespace: str = "shop", created: str = "") -> Source:
    """Return a service as a source."""
    return Source("service", namespace, name, f"uid-{namespace}-{name}", created)


def claim(resource: str = "service/shop/web", owner: str = OWNER, *more: str) -> str:
    """Return the text of a TXT of external-dns."""
    tokens = ["heritage=external-dns", f"external-dns/owner={owner}", f"external-dns/resource={resource}"]
    return '"' + ",".join([*tokens, *more]) + '"'


async def carry_out(planned: Planned, model: ModelDesignate, zone_id: str, setting: Setting) -> None:
    """Take all steps of a plan on a model of the cloud."""
    for chain in planned.chains:
        for step in chain:
            match step:
                case Create():
                    new = NewRecordSet(step.name, step.type, step.records, step.ttl, setting.mark)
                    await model.create_record_set(zone_id, new)
                case Update():
                    await model.update_record_set(zone_id, step.id, step.records, step.ttl, setting.mark)
                case Delete():
                    await model.delete_record_set(zone_id, step.id)


def zone_of(model: ModelDesignate, zone_id: str, setting: Setting = SETTING) -> Zone:
    """Return a zone of the model as the plan reads it."""
    return Zone(model.zones[zone_id].name, model.sets[zone_id].values(), setting)
