"""What is told of services that are asked for and lack something: pure."""

from causeway.kube.objects import Service
from causeway.rooms.routes.model import listed


def lacking(name: str, service: Service, port: int | str | None) -> str:
    """Return that a service, called ``name``, has no such port, and which ports it has."""
    there = [f"{each.port} ({each.name})" if each.name else str(each.port) for each in service.spec.ports]
    return f"service {name} has no port {port}: it has {listed(there) or 'none'}"
