"""What is told of services that are asked for and lack something: pure."""

from collections.abc import Callable, Iterable

from causeway.kube.objects import EndpointSlice, Service
from causeway.kube.routes import Route
from causeway.rooms.routes.endpoints import SlicesOf, is_meant, targets
from causeway.rooms.routes.model import Refusal, listed


def lacking(name: str, service: Service, port: int | str | None) -> str:
    """Return that a service, called ``name``, has no such port, and which ports it has."""
    there = [f"{each.port} ({each.name})" if each.name else str(each.port) for each in service.spec.ports]
    return f"service {name} has no port {port}: it has {listed(there) or 'none'}"


def unbacked(route: Route, services: Callable[[str], Service | None], slices: SlicesOf) -> list[Refusal]:
    """Return why nothing answers for services of a Route that are to have requests.

    Which ports there are the slices say: of a service's port whose target has a name, only they know the
    number. As long as they know none, nothing is said of ports.
    """
    namespace, found = route.metadata.namespace, list[Refusal]()
    asked = route.spec.port.target_port if route.spec.port else None
    for name, weight in targets(route.spec).items():
        if not weight:
            continue
        if services(f"{namespace}/{name}") is None:
            cause = f"service {name} does not exist: nothing answers for it until it is made"
            found.append(Refusal("ServiceNotFound", cause))
        elif asked is not None and (there := _elsewhere(slices(namespace, name), asked)):
            cause = (
                f"service {name} has no port {asked}: its endpoints have {listed(there)}, and "
                "spec.port.targetPort must be the name or the number of one"
            )
            found.append(Refusal("PortNotFound", cause))
    return found


def _elsewhere(slices: Iterable[EndpointSlice], asked: int | str) -> list[str]:
    """Return the ports of endpoints if none of them is the one that is asked for."""
    ports = [each for part in slices for each in part.ports or () if is_meant(each, None)]
    if any(is_meant(each, asked) for each in ports):
        return []
    return sorted({f"{each.port} ({each.name})" if each.name else str(each.port) for each in ports})
