"""Why a Service cannot have its ports on a load balancer others use too. Pure."""

from collections.abc import Iterator

from causeway.rooms.services.model import Desired, Note, Role, Wanted
from causeway.rooms.services.present import Actual, Balancer


def conflicts(desired: Desired, wanted: Wanted, actual: Actual, balancer: Balancer | None) -> Iterator[Note]:
    """Yield a note for a load balancer that cannot be shared, and for every port that is taken on it."""
    if wanted.sharing is None:
        return
    if wanted.sharing.id and balancer is None:
        yield _unusable(wanted.sharing.id, actual)
        return
    if balancer is not None and balancer.broken:
        yield Note(
            "LoadBalancerError",
            f"the shared load balancer {listener_place(balancer)} is in ERROR",
            "Have whoever made it repair it, or name another.",
            closes=True,
        )
    for listener in balancer.listeners if balancer else ():
        if listener.front in wanted.fronts and listener.uid != desired.uid:
            front = listener.front
            yield Note(
                "PortTaken",
                f"port {front.port}/{front.protocol} of the shared load balancer {listener_place(balancer)}"
                " belongs to somebody else",
                "Choose another port, or another load balancer.",
                closes=True,
            )


def listener_place(balancer: Balancer | None) -> str:
    """Return how a person finds a load balancer."""
    return f"{balancer.name or balancer.id} ({balancer.id})" if balancer else ""


def _unusable(identifier: str, actual: Actual) -> Note:
    found = next((one for one in actual.balancers if one.id == identifier), None)
    if found is None:
        return Note(
            "NoSuchLoadBalancer",
            f"load-balancer-id: there is no load balancer {identifier} in this project",
            "Name one that exists, or remove the annotation and the Service gets its own.",
            closes=True,
        )
    if not found.alien and found.role != Role.OUTSIDE:
        return Note(
            "NotShareable",
            f"load-balancer-id: load balancer {identifier} is at the ClusterIP of a Service and goes with it",
            "Give both Services the annotation causeway.dev/load-balancer with one name.",
            closes=True,
        )
    return Note(
        "NotShareable",
        f"load-balancer-id: load balancer {identifier} belongs to another platform",
        "Name one of this platform or one made by a person.",
        closes=True,
    )
