"""Routes: how an application is reached by its host name."""

import msgspec

from causeway.kube.objects import Meta
from causeway.kube.resource import ROUTES

__all__ = ("ROUTES", "Route", "RouteCondition", "RouteIngress", "RouteSpec", "RouteTarget")


class RouteTarget(msgspec.Struct, gc=False, frozen=True):
    """A service that gets a share of a route's requests: ``weight`` of the sum of all weights, 0 to 256."""

    name: str
    kind: str = "Service"
    weight: int | None = None


class RoutePort(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The port of the endpoints, by name or number."""

    target_port: int | str


class LocalReference(msgspec.Struct, gc=False, frozen=True):
    """An object of the same namespace."""

    name: str = ""


class RouteTLS(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """How TLS ends; certificates are PEM text, "" for none."""

    termination: str = ""
    certificate: str = ""
    key: str = ""
    ca_certificate: str = msgspec.field(default="", name="caCertificate")
    destination_ca_certificate: str = msgspec.field(default="", name="destinationCACertificate")
    insecure_edge_termination_policy: str = ""
    external_certificate: LocalReference | None = None


class HeaderValue(msgspec.Struct, gc=False, frozen=True):
    """What a header is set to."""

    value: str = ""


class HeaderAction(msgspec.Struct, gc=False, frozen=True):
    """``type`` is "Set" or "Delete"."""

    type: str
    set: HeaderValue | None = None


class Header(msgspec.Struct, gc=False, frozen=True):
    """What is done to a header."""

    name: str
    action: HeaderAction


class HeaderActions(msgspec.Struct, gc=False, frozen=True):
    """Done in this order, to requests and to responses."""

    request: tuple[Header, ...] = ()
    response: tuple[Header, ...] = ()


class RouteHeaders(msgspec.Struct, gc=False, frozen=True):
    """The headers a route changes."""

    actions: HeaderActions = HeaderActions()


class RouteSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a route asks for."""

    to: RouteTarget
    host: str = ""
    subdomain: str = ""
    path: str = ""
    alternate_backends: tuple[RouteTarget, ...] = ()
    port: RoutePort | None = None
    tls: RouteTLS | None = None
    wildcard_policy: str = ""
    http_headers: RouteHeaders | None = None


class RouteCondition(msgspec.Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    """What one router says of a route; ``type`` "Admitted"."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class RouteIngress(msgspec.Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    """One router's part of a route's status."""

    host: str = ""
    router_name: str = ""
    conditions: tuple[RouteCondition, ...] = ()
    wildcard_policy: str = ""
    router_canonical_hostname: str = ""


class RouteStatus(msgspec.Struct, gc=False, frozen=True):
    """What routers say of a route."""

    ingress: tuple[RouteIngress, ...] | None = ()


class Route(msgspec.Struct, gc=False, frozen=True):
    """A route."""

    metadata: Meta
    spec: RouteSpec
    status: RouteStatus = RouteStatus()
