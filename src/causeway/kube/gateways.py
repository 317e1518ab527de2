"""Gateway API: gateways, their classes, the routes attached to them, and grants for references.

Only what the router reads; ``docs/reference/gateway-api.md`` tells what it makes of it.
"""

from typing import Any

import msgspec

from causeway.kube.objects import LabelSelector, Meta
from causeway.kube.resource import Resource

GROUP = "gateway.networking.k8s.io"
GATEWAY_CLASSES = Resource(GROUP, "v1", "gatewayclasses", "GatewayClass", namespaced=False)
GATEWAYS = Resource(GROUP, "v1", "gateways", "Gateway")
HTTP_ROUTES = Resource(GROUP, "v1", "httproutes", "HTTPRoute")
TLS_ROUTES = Resource(GROUP, "v1", "tlsroutes", "TLSRoute")
TCP_ROUTES = Resource(GROUP, "v1", "tcproutes", "TCPRoute")
GRANTS = Resource(GROUP, "v1beta1", "referencegrants", "ReferenceGrant")


class GatewayCondition(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A condition with what it was observed at."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class GatewayClassSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Whose the gateways of a class are."""

    controller_name: str = ""


class GatewayClass(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A class of gateways."""

    metadata: Meta
    spec: GatewayClassSpec = GatewayClassSpec()
    status: dict[str, Any] = {}


class KindReference(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A kind of routes."""

    kind: str
    group: str = GROUP


class FromNamespaces(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The namespaces routes may come from: ``origin`` All, Same or Selector."""

    origin: str = msgspec.field(default="Same", name="from")
    selector: LabelSelector | None = None


class AllowedRoutes(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The routes that may attach to a listener."""

    namespaces: FromNamespaces = FromNamespaces()
    kinds: tuple[KindReference, ...] = ()


class SecretReference(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """An object with a certificate; "" for the namespace of the gateway."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str = ""


class ListenerTLS(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """How TLS ends: ``mode`` Terminate or Passthrough."""

    mode: str = "Terminate"
    certificate_refs: tuple[SecretReference, ...] = ()
    options: dict[str, str] = {}


class Listener(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a gateway listens to; "" as ``hostname`` for every host."""

    name: str
    port: int = 0
    protocol: str = ""
    hostname: str = ""
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewayAddress(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """An address that is asked for."""

    value: str = ""
    type: str = "IPAddress"


class GatewaySpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a gateway asks for."""

    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()


class Gateway(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A gateway."""

    metadata: Meta
    spec: GatewaySpec = GatewaySpec()
    status: dict[str, Any] = {}


class ParentReference(msgspec.Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    """What a route attaches to, as it was written: what is not said is None."""

    name: str
    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class BackendReference(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A service that gets a share of requests, and which of its ports."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str = ""
    port: int = 0
    weight: int = 1
    filters: tuple[dict[str, Any], ...] = ()


class PathMatch(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which paths: ``type`` PathPrefix, Exact or RegularExpression."""

    type: str = "PathPrefix"
    value: str = "/"


class ValueMatch(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A header, or a parameter of the query, and its value."""

    name: str
    value: str = ""
    type: str = "Exact"


class HTTPMatch(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which requests: all that is said must hold."""

    path: PathMatch = PathMatch()
    headers: tuple[ValueMatch, ...] = ()
    query_params: tuple[ValueMatch, ...] = ()
    method: str = ""


class NameValue(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A header and its value."""

    name: str
    value: str = ""


class HeaderFilter(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What is done to headers."""

    set: tuple[NameValue, ...] = ()
    add: tuple[NameValue, ...] = ()
    remove: tuple[str, ...] = ()


class PathModifier(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Another path: ``type`` ReplaceFullPath or ReplacePrefixMatch."""

    type: str = ""
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class RedirectFilter(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Where clients are sent; what is not said is as in the request."""

    scheme: str = ""
    hostname: str = ""
    path: PathModifier | None = None
    port: int = 0
    status_code: int = 302


class RewriteFilter(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What the application sees in place of what was asked for."""

    hostname: str = ""
    path: PathModifier | None = None


class HTTPFilter(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Something done to requests or answers; ``type`` says which field counts."""

    type: str
    request_header_modifier: HeaderFilter | None = None
    response_header_modifier: HeaderFilter | None = None
    request_redirect: RedirectFilter | None = None
    url_rewrite: RewriteFilter | None = None


class Timeouts(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """How long a request may take, as durations ("10s"); "" for none said."""

    request: str = ""
    backend_request: str = ""


class HTTPRule(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who answers which requests, and how."""

    matches: tuple[HTTPMatch, ...] = (HTTPMatch(),)
    filters: tuple[HTTPFilter, ...] = ()
    backend_refs: tuple[BackendReference, ...] = ()
    timeouts: Timeouts = Timeouts()
    name: str = ""


class HTTPRouteSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What an HTTPRoute asks for."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRule, ...] = (HTTPRule(),)


class HTTPRoute(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A route of HTTP requests."""

    metadata: Meta
    spec: HTTPRouteSpec = HTTPRouteSpec()
    status: dict[str, Any] = {}


class TLSRule(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who gets connections."""

    backend_refs: tuple[BackendReference, ...] = ()


class TLSRouteSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a TLSRoute asks for."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[TLSRule, ...] = ()


class TLSRoute(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A route of TLS connections by the name they ask for."""

    metadata: Meta
    spec: TLSRouteSpec = TLSRouteSpec()
    status: dict[str, Any] = {}


class TCPRouteSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a TCPRoute asks for."""

    parent_refs: tuple[ParentReference, ...] = ()
    rules: tuple[TLSRule, ...] = ()

    @property
    def hostnames(self) -> tuple[str, ...]:
        """Return the hosts it is for: connections name none."""
        return ()


class TCPRoute(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A route of the connections to a port."""

    metadata: Meta
    spec: TCPRouteSpec = TCPRouteSpec()
    status: dict[str, Any] = {}


AnyRoute = HTTPRoute | TLSRoute | TCPRoute


class GrantFrom(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who may refer."""

    kind: str
    namespace: str
    group: str = ""


class GrantTo(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What may be referred to; "" as name for all of the kind."""

    kind: str
    group: str = ""
    name: str = ""


class GrantSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """References that are allowed into the namespace of the grant."""

    origins: tuple[GrantFrom, ...] = msgspec.field(default=(), name="from")
    to: tuple[GrantTo, ...] = ()


class Grant(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A ReferenceGrant."""

    metadata: Meta
    spec: GrantSpec = GrantSpec()
