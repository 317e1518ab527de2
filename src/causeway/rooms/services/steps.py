"""The steps a plan consists of. Each says in plain words what it does, which is what ``explain`` prints.

``balancer`` is the load balancer a step needs settled; ``changes`` whether it makes it busy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from causeway.rooms.services.annotations import ADDRESS, BALANCER
from causeway.rooms.services.model import (
    Front,
    ListenerOptions,
    Monitor,
    PoolOptions,
    Role,
    Serving,
    Subject,
    Wanted,
)
from causeway.rooms.services.present import Verdict


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
class ServiceStep(Step):
    """A step that writes to the Service."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True)
class WriteMeta(ServiceStep):
    """Keep the Service until nothing of it is left in the cloud, and annotate how it is reached.

    ``stale`` are annotations that say what is not so any more.
    """

    finalizer: bool
    annotations: Mapping[str, str] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    had: bool = False

    def __str__(self) -> str:
        if self.finalizer and not self.had:
            return "put the finalizer on the Service"
        if self.had and not self.finalizer:
            return "take the finalizer off the Service"
        told = " and ".join(self.annotations.get(name, "none") for name in (ADDRESS, BALANCER))
        return f"write address and load balancer {told} to the Service's annotations"


@dataclass(frozen=True)
class WriteStatus(ServiceStep):
    """Write to the Service's status where it answers from outside, and whether it is served.

    ``ingress`` None: that is another controller's to say.
    """

    ingress: tuple[str, ...] | None
    verdict: Verdict | None

    def __str__(self) -> str:
        state = f"{self.verdict.reason}" if self.verdict else "nothing"
        return f"write {state} and address {', '.join(self.ingress or ()) or 'none'} to the Service's status"


@dataclass(frozen=True)
class CreateBalancer(Step):
    """Create a load balancer with all listeners, pools and members, in one call."""

    subject: Subject
    wanted: Wanted

    @property
    def role(self) -> Role:
        """Which of the Service's load balancers it is."""
        return self.wanted.role

    def __str__(self) -> str:
        members = sum(len(serving.members) for serving in self.wanted.fronts.values())
        vip = self.wanted.vip
        place = vip.address or vip.port_id or vip.subnet_id or vip.network_id
        return (
            f"create load balancer {self.wanted.name} at {place}"
            f" with {len(self.wanted.fronts)} listeners and {members} members"
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
class ShareBalancer(Step):
    """Note on a load balancer of ours that a Service shares it now, or no longer does."""

    balancer_id: str
    uid: str
    joins: bool

    def __str__(self) -> str:
        what = "shares" if self.joins else "no longer shares"
        return f"note that the service {what} load balancer {self.balancer_id}"


@dataclass(frozen=True)
class CreateListener(Step):
    """Create a listener without a pool."""

    balancer_id: str
    subject: Subject
    front: Front
    options: ListenerOptions

    def __str__(self) -> str:
        return f"create listener {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class UpdateListener(Step):
    """Change a listener's options."""

    balancer_id: str
    listener_id: str
    front: Front
    options: ListenerOptions

    def __str__(self) -> str:
        return f"change the options of listener {self.front.port}/{self.front.protocol}"


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
    subject: Subject
    listener_id: str
    front: Front
    options: PoolOptions

    def __str__(self) -> str:
        return f"create the pool of listener {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class UpdatePool(Step):
    """Change how a pool chooses members."""

    balancer_id: str
    pool_id: str
    front: Front
    options: PoolOptions

    def __str__(self) -> str:
        return f"change the options of the pool of {self.front.port}/{self.front.protocol}"


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
    """Make a pool's members exactly these, in one call; ``different`` of them are added or removed."""

    balancer_id: str
    pool_id: str
    front: Front
    serving: Serving
    different: int = 1

    def __str__(self) -> str:
        return f"set the members of {self.front.port}/{self.front.protocol} to {len(self.serving.members)}"


@dataclass(frozen=True)
class CreateMonitor(Step):
    """Have a pool's members watched."""

    balancer_id: str
    pool_id: str
    subject: Subject
    front: Front
    monitor: Monitor

    def __str__(self) -> str:
        return f"create the health monitor of {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class UpdateMonitor(Step):
    """Change how a pool's members are watched."""

    balancer_id: str
    monitor_id: str
    front: Front
    monitor: Monitor

    def __str__(self) -> str:
        return f"change the health monitor of {self.front.port}/{self.front.protocol}"


@dataclass(frozen=True)
class DeleteMonitor(Step):
    """Watch a pool's members no more."""

    balancer_id: str
    monitor_id: str

    def __str__(self) -> str:
        return f"delete health monitor {self.monitor_id}"
