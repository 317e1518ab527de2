"""How much of a node's pool is used: what a person, a figure and an explanation are told alike."""

from dataclasses import dataclass

from causeway.kube.objects import PortPool


@dataclass(frozen=True, slots=True)
class Levels:
    """Numbers of ports: ``free`` for any pod that may have them, ``awaited`` by the one pod each is made for,
    ``claimed`` by a pod, ``retiring`` without one.
    """

    free: int = 0
    awaited: int = 0
    claimed: int = 0
    retiring: int = 0


def levels_of(pool: PortPool) -> Levels:
    """Return how much of a pool is used, as far as its node has told."""
    claimed = {claim.port_id for claim in pool.status.claims}
    rest = [port for port in pool.spec.ports if port.port_id not in claimed]
    ready = [port for port in rest if not port.retiring]
    return Levels(
        free=sum(not port.pod_uid for port in ready),
        awaited=sum(bool(port.pod_uid) for port in ready),
        claimed=len(pool.spec.ports) - len(rest),
        retiring=len(rest) - len(ready),
    )
