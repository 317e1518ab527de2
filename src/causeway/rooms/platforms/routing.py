"""What the platform's router is told: the hosts that are its own, and the certificate it shows for them."""

from dataclasses import dataclass
from datetime import datetime

from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import Pki, server_certificate, will_do

ROUTED = "apps"
"""Applications behind the router are named NAME.apps.ZONE."""

SECRET = "causeway-router-certificate"  # noqa: S105  # its name
FILE = "certificate.pem"
"""The key of that Secret: the certificate, what it is issued by if need be, and the private key."""

_ROUTER = "router-default"  # the wildcard of the router answers for it


@dataclass(frozen=True)
class Routing:
    """The router of a platform: ``suffix`` completes hosts, "" for none; ``certificate`` is of its hosts."""

    suffix: str
    certificate: str

    def __repr__(self) -> str:
        return f"Routing(suffix={self.suffix!r})"

    @property
    def canonical_name(self) -> str:
        """Return the name that leads to the router, "" if nothing does."""
        return f"{_ROUTER}.{self.suffix}" if self.suffix else ""


def nodes(platform: Platform) -> int:
    """Return how many nodes have a router: those that the load balancer of the router sends to."""
    return sum(pool.count for pool in platform.pools("infra")) if platform.spec.router.enabled else 0


def routing(platform: Platform, pki: Pki, present: str, now: datetime | None = None) -> Routing | None:
    """Return the router a platform has, None if it has none; ``present`` is the certificate it has, or ""."""
    if not nodes(platform):
        return None
    suffix = suffix_of(platform)
    if not suffix:
        return Routing("", "")
    hosts = [f"*.{suffix}"]
    if will_do(present, pki.ca, hosts, now):
        return Routing(suffix, present)
    made = server_certificate(pki.ca, hosts, now)
    return Routing(suffix, made.public + made.private)


def suffix_of(platform: Platform) -> str:
    """Return what completes hosts that name none, "" if nothing does."""
    spec = platform.spec
    if spec.router.suffix is not None:
        return spec.router.suffix.rstrip(".")
    return f"{ROUTED}.{spec.names.zone.rstrip('.')}" if spec.names is not None else ""
