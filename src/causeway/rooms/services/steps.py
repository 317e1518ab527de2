"""The steps a plan consists of. Each says in plain words what it does, which is what ``explain`` prints.

``balancer`` is the load balancer a step needs settled; ``changes`` whether it makes it busy.
"""

from dataclasses import dataclass
from typing import ClassVar

from causeway.rooms.services.model import Backend, Desired, Front, Verdict


@dataclass(frozen=True)
class Step:
    """One call to the cloud or to Kubernetes."""

    changes: ClassVar[bool] = True

    @property
    def balancer(self) -> str | None:
        """The load balancer the step is about, if it exists already."""
        value = getattr(self, "balancer_id", None)
        return str(value) if value else None


@dataclass(frozen=True)
class AddFinalizer(Step):
    """Keep the Service until its load balancer is gone."""

    changes: ClassVar[bool] = False

    def __str__(self) -> str:
        return "put the finalizer on the Service"


@dataclass(frozen=True)
class RemoveFinalizer(Step):
    """Let go of the Service: nothing of it is left in the cloud. Possible only when that is so."""

    changes: ClassVar[bool] = False

    def __str__(self) -> str:
        return "take the finalizer off the Service"


@dataclass(frozen=True)
class CreateBalancer(Step):
    """Create the load balancer with all listeners, pools and members, in one call."""

    desired: Desired

    def __str__(self) -> str:
        members = sum(len(backend.members) for backend in self.desired.listeners.values())
        return (
            f"create load balancer {self.desired.service} at {self.desired.vip}"
            f" with {len(self.desired.listeners)} listeners and {members} members"
        )


@dataclass(frozen=True)
class DeleteBalancer(Step):
    """Delete a load balancer with all its children."""

    balancer_id: str
    why: str
    repair: bool = False  # it will be created again: not at once, time after time

    def __str__(self) -> str:
        return f"delete load balancer {self.balancer_id}: {self.why}"


@dataclass(frozen=True)
class CreateListener(Step):
    """Create a listener without a pool."""

    balancer_id: str
    service: str
    front: Front

    def __str__(self) -> str:
        return f"create listener {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class DeleteListener(Step):
    """Delete a listener; its pool must have gone before."""

    balancer_id: str
    listener_id: str
    repair: bool = False

    def __str__(self) -> str:
        return f"delete listener {self.listener_id}"


@dataclass(frozen=True)
class CreatePool(Step):
    """Create a listener's pool, still without members."""

    balancer_id: str
    service: str
    listener_id: str
    front: Front
    backend: Backend

    def __str__(self) -> str:
        return f"create the pool of listener {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class DeletePool(Step):
    """Delete a pool with its members."""

    balancer_id: str
    pool_id: str
    repair: bool = False

    def __str__(self) -> str:
        return f"delete pool {self.pool_id}"


@dataclass(frozen=True)
class PutMembers(Step):
    """Make a pool's members exactly these, in one call."""

    balancer_id: str
    pool_id: str
    front: Front
    backend: Backend

    def __str__(self) -> str:
        return f"set the members of {self.front.port}/{self.front.protocol} to {len(self.backend.members)}"


@dataclass(frozen=True)
class AddressStep(Step):
    """A step about a floating IP: done when it is answered, and no load balancer becomes busy by it."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True)
class TakeAddress(AddressStep):
    """Take a floating IP and associate it with the VIP's port."""

    balancer_id: str
    port_id: str
    uid: str

    def __str__(self) -> str:
        return "take a floating IP for the service"


@dataclass(frozen=True)
class TagAddress(AddressStep):
    """Tag a floating IP whose creator was stopped before it could."""

    address_id: str
    uid: str

    def __str__(self) -> str:
        return f"tag floating IP {self.address_id}"


@dataclass(frozen=True)
class AssociateAddress(AddressStep):
    """Associate a floating IP with the VIP's port."""

    balancer_id: str
    address_id: str
    port_id: str

    def __str__(self) -> str:
        return f"associate floating IP {self.address_id} with the VIP"


@dataclass(frozen=True)
class ReleaseAddress(AddressStep):
    """Give a floating IP back."""

    address_id: str

    def __str__(self) -> str:
        return f"release floating IP {self.address_id}"


@dataclass(frozen=True)
class WriteStatus(Step):
    """Write to the Service's status where it answers from outside, and whether it is served."""

    changes: ClassVar[bool] = False
    ingress: tuple[str, ...]
    verdict: Verdict | None

    def __str__(self) -> str:
        state = f"{self.verdict.reason}" if self.verdict else "nothing"
        return f"write {state} and address {', '.join(self.ingress) or 'none'} to the Service's status"
