"""Who answers for a rule: references to services, and which of them can be followed. Pure."""

from collections.abc import Callable, Iterable

import msgspec

from causeway.kube.gateways import BackendReference
from causeway.kube.objects import Service
from causeway.rooms.routes.backing import lacking
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.model import Refusal, Refused
from causeway.rooms.routes.parts import Target

ServiceOf = Callable[[str], Service | None]
"""Returns a service by its key."""


class Backends(msgspec.Struct, frozen=True):
    """The targets of a rule, the share of those that cannot be had, and why the first of them cannot."""

    targets: tuple[Target, ...] = ()
    lost: int = 0
    wrong: Refusal | None = None


def resolve(
    kind: str, namespace: str, references: Iterable[BackendReference], services: ServiceOf, grants: Grants
) -> Backends:
    """Return who answers for a rule of a route of ``kind``; raises ``Refused`` for what is not supported."""
    targets: list[Target] = []
    lost, wrong = 0, None
    for each in references:
        if each.filters:
            raise Refused("backendRefs: filters of a backend are not supported")
        found = _target(kind, namespace, each, services, grants)
        if isinstance(found, Target):
            targets.append(found)
        else:
            lost += each.weight
            wrong = wrong or found
    return Backends(tuple(targets), lost, wrong)


def service_of(reference: BackendReference, namespace: str) -> str:
    """Return the key of the service a reference means, "" if it means none."""
    if (reference.group, reference.kind) != ("", "Service"):
        return ""
    return f"{reference.namespace or namespace}/{reference.name}"


def _target(
    kind: str, namespace: str, reference: BackendReference, services: ServiceOf, grants: Grants
) -> Target | Refusal:
    key = service_of(reference, namespace)
    if not key:
        return Refusal("InvalidKind", f"{reference.kind} {reference.name} is no Service")
    if not grants.allow(kind, namespace, "", "Service", key):
        return Refusal("RefNotPermitted", f"no ReferenceGrant allows service {key}")
    service = services(key)
    if service is None:
        return Refusal("BackendNotFound", f"service {key} does not exist")
    for port in service.spec.ports:
        if port.port == reference.port:
            return Target(key, port.name or None, reference.weight)
    return Refusal("BackendNotFound", lacking(key, service, reference.port))
