"""What the platform's router is told: its hosts, the certificate it shows for them, what its file asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import Pki, server_certificate, will_do
from causeway.rooms.platforms.router import Router

ROUTED = "apps"
"""Applications behind the router are named NAME.apps.ZONE."""

SECRET = "causeway-router-certificate"  # noqa: S105  # its name
FILE = "certificate.pem"
"""The key of that Secret: the certificate, what it is issued by if need be, and the private key."""

_ROUTER = "router-default"  # the wildcard of the router answers for it


@dataclass(frozen=True)
class Routing:
    """The router of a platform: ``suffix`` completes hosts, "" for none; ``certificate`` is of its hosts.

    ``settings`` are further ones of ``causeway serve router``, by their variables' names without prefix.
    ``default_class`` is whether Ingresses that name no class are its.
    """

    suffix: str
    certificate: str
    settings: Mapping[str, str] = field(default_factory=dict)
    default_class: bool = False

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
    suffix, asked = suffix_of(platform), platform.spec.router
    certificate = _certificate(suffix, pki, present, now) if suffix else ""
    return Routing(suffix, certificate, settings_of(asked), asked.default_ingress_class)


def _certificate(suffix: str, pki: Pki, present: str, now: datetime | None) -> str:
    hosts = [f"*.{suffix}"]
    if will_do(present, pki.ca, hosts, now):
        return present
    made = server_certificate(pki.ca, hosts, now)
    return made.public + made.private


def settings_of(router: Router) -> dict[str, str]:
    """Return what the file asks of the router, as ``Routing.settings``; what it does not ask is left out."""
    settings = {}
    if router.route_admission.wildcard_policy == "WildcardsAllowed":
        settings["WILDCARDS"] = "true"
    return settings


def suffix_of(platform: Platform) -> str:
    """Return what completes hosts that name none, "" if nothing does."""
    spec = platform.spec
    if spec.router.suffix is not None:
        return spec.router.suffix.rstrip(".")
    return f"{ROUTED}.{spec.names.zone.rstrip('.')}" if spec.names is not None else ""
