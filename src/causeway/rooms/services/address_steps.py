"""The steps about floating IPs; none of them makes a load balancer busy."""

from dataclasses import dataclass
from typing import ClassVar

from causeway.rooms.services.model import Floating
from causeway.rooms.services.steps import Step


@dataclass(frozen=True)
class AddressStep(Step):
    """A step about a floating IP: done when it is answered, and no load balancer becomes busy by it."""

    changes: ClassVar[bool] = False


@dataclass(frozen=True)
class TakeAddress(AddressStep):
    """Take a floating IP, from the first of ``subnets`` that has one left, for the VIP's port."""

    balancer_id: str
    port_id: str
    uid: str
    floating: Floating
    subnets: tuple[str, ...] = ()

    def __str__(self) -> str:
        which = f"floating IP {self.floating.address}" if self.floating.address else "a floating IP"
        return f"take {which} for the service"


@dataclass(frozen=True)
class BorrowAddress(AddressStep):
    """Associate a floating IP the user has made with the VIP's port."""

    balancer_id: str
    address_id: str
    port_id: str
    uid: str

    def __str__(self) -> str:
        return f"use floating IP {self.address_id} for the service"


@dataclass(frozen=True)
class TagAddress(AddressStep):
    """Tag a floating IP whose creator was stopped before it could, or that passes to another Service."""

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
    """Give a floating IP back to the cloud."""

    address_id: str

    def __str__(self) -> str:
        return f"release floating IP {self.address_id}"


@dataclass(frozen=True)
class LeaveAddress(AddressStep):
    """Let go of a floating IP that stays the project's."""

    address_id: str
    borrowed: bool

    def __str__(self) -> str:
        return f"let go of floating IP {self.address_id}, which stays"
