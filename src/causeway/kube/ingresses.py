"""Ingresses, their classes, and the Secrets with certificates they name."""

from collections.abc import Iterator

import msgspec

from causeway.kube.objects import LoadBalancerStatus, Meta
from causeway.kube.resource import Resource

INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")


class IngressPort(msgspec.Struct, gc=False, frozen=True):
    """A port of a service, by name or by number: the other is "" or 0."""

    name: str = ""
    number: int = 0


class IngressService(msgspec.Struct, gc=False, frozen=True):
    """A service and which of its ports."""

    name: str
    port: IngressPort = IngressPort()


class ObjectReference(msgspec.Struct, gc=False, frozen=True):
    """An object of the same namespace that is no service."""

    kind: str = ""
    name: str = ""


class IngressBackend(msgspec.Struct, gc=False, frozen=True):
    """Who takes requests: exactly one of both is there."""

    service: IngressService | None = None
    resource: ObjectReference | None = None


class IngressPath(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A path and how it is meant: ``path_type`` Exact, Prefix or ImplementationSpecific."""

    backend: IngressBackend
    path: str = ""
    path_type: str = "ImplementationSpecific"


class IngressHTTP(msgspec.Struct, gc=False, frozen=True):
    """The paths of a host."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(msgspec.Struct, gc=False, frozen=True):
    """A host, "" for every one; one that begins with ``*.`` is any label in front of the rest."""

    host: str = ""
    http: IngressHTTP | None = None


class IngressTLS(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The hosts a Secret's certificate is for."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What an Ingress asks for."""

    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()

    def backends(self) -> Iterator[IngressBackend]:
        """Yield every backend."""
        if self.default_backend is not None:
            yield self.default_backend
        for rule in self.rules:
            for path in rule.http.paths if rule.http else ():
                yield path.backend

    def services(self) -> set[str]:
        """Return the names of the services that are backends."""
        return {each.service.name for each in self.backends() if each.service is not None}


class IngressStatus(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Where an Ingress is served."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Ingress(msgspec.Struct, gc=False, frozen=True):
    """An Ingress."""

    metadata: Meta
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassSpec(msgspec.Struct, gc=False, frozen=True):
    """Whose the Ingresses of a class are."""

    controller: str = ""


class IngressClass(msgspec.Struct, gc=False, frozen=True):
    """A class of Ingresses."""

    metadata: Meta
    spec: IngressClassSpec = IngressClassSpec()


class Secret(msgspec.Struct, gc=False, frozen=True):
    """A Secret; ``data`` is decoded from base64. Never in a log, nor in a message."""

    metadata: Meta
    type: str = "Opaque"
    data: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name})"
