"""What this room thinks in: networks as the cloud has them."""

from dataclasses import dataclass

from causeway.cloud.networks import Subnet


@dataclass(frozen=True, slots=True)
class Found:
    """A network of the cloud with all its ``subnets``; ports get addresses in the ``chosen`` ones (ids).

    Without ``groups`` the platform's are meant. MTU in bytes.
    """

    network_id: str
    mtu: int
    subnets: tuple[Subnet, ...]
    chosen: tuple[str, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A further interface that can be made."""

    name: str
    network: Found
    addresses: tuple[str, ...] = ()
    mac: str = ""
