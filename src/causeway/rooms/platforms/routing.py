"""What the platform's router is told: its hosts, the certificate it shows for them, what its file asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from causeway.kit.errors import Finding
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import Pki, server_certificate, will_do
from causeway.rooms.platforms.router import Router, Selector

ROUTED = "apps"
"""Applications behind the router are named NAME.apps.ZONE."""

SECRET = "causeway-router-certificate"  # noqa: S105  # its name
FILE = "certificate.pem"
"""The key of that Secret: the certificate, what it is issued by if need be, and the private key."""

CLIENTS = "/etc/causeway/clients"
AUTHORITIES = "ca-bundle.pem"
"""Where a router has the authorities of clients' certificates, and the key of the ConfigMap that has them."""

# What reading a certificate raises: some of it is no ValueError.
_MALFORMED = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)

_ROUTER = "router-default"  # the wildcard of the router answers for it
_FORWARDED = {"Append": "", "Replace": "replace", "IfNone": "if-none", "Never": "never"}


@dataclass(frozen=True)
class Routing:
    """The router of a platform: ``suffix`` completes hosts, "" for none; ``certificate`` is of its hosts.

    ``asked`` is what the file says of it, ``authorities`` those of clients' certificates as PEM, "" for none.
    ``lacking`` says why there are none that it asks for: without them no router may be started, because it
    would let in whom it should not.
    """

    suffix: str
    certificate: str
    asked: Router = field(default_factory=Router)
    authorities: str = ""
    lacking: Finding | None = None

    def __repr__(self) -> str:
        return f"Routing(suffix={self.suffix!r})"

    @property
    def canonical_name(self) -> str:
        """Return the name that leads to the router, "" if nothing does."""
        return f"{_ROUTER}.{self.suffix}" if self.suffix else ""

    @property
    def settings(self) -> dict[str, str]:
        """Return what the file asks for as variables of ``causeway serve router``, without their prefix.

        What it does not ask for is left out, so that a new release with a new key starts no router anew.
        """
        asked = self.asked
        found = {
            "WILDCARDS": "true" if asked.route_admission.wildcard_policy == "WildcardsAllowed" else "",
            "ROUTE_LABELS": _selected_by(asked.route_selector),
            "NAMESPACE_LABELS": _selected_by(asked.namespace_selector),
            "CLIENT_VERIFY": asked.client_tls.client_certificate_policy.lower() if asked.client_tls else "",
            "CLIENT_CA": f"{CLIENTS}/{AUTHORITIES}" if asked.client_tls else "",
            "FORWARDED": _FORWARDED[asked.http_headers.forwarded_header_policy],
        }
        return {name: value for name, value in found.items() if value}


def nodes(platform: Platform) -> int:
    """Return how many nodes have a router: those that the load balancer of the router sends to."""
    return sum(pool.count for pool in platform.pools("infra")) if platform.spec.router.enabled else 0


def routing(
    platform: Platform,
    pki: Pki,
    present: str,
    now: datetime | None = None,
    *,
    clients: Mapping[str, str] = {},
) -> Routing | None:
    """Return the router a platform has, None if it has none; ``present`` is the certificate it has, or "".

    ``clients`` is what is in the ConfigMap that the file names for clients' certificates.
    """
    if not nodes(platform):
        return None
    suffix = suffix_of(platform)
    certificate = _certificate(suffix, pki, present, now) if suffix else ""
    asked = platform.spec.router
    if asked.client_tls is None:
        return Routing(suffix, certificate, asked)
    authorities = _only_certificates(clients.get(AUTHORITIES, ""))
    lacking = None if authorities else _lacking(asked.client_tls.client_ca.name, clients)
    return Routing(suffix, certificate, asked, authorities, lacking)


def _only_certificates(text: str) -> str:
    """Return the certificates in a text as PEM and nothing else of it, "" if they cannot be read."""
    try:
        found = x509.load_pem_x509_certificates(text.encode())
        for each in found:
            each.public_key()  # read here or never
    except _MALFORMED:
        return ""
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def _lacking(name: str, clients: Mapping[str, str]) -> Finding:
    cause = "has no certificates as PEM that can be read" if AUTHORITIES in clients else "is not there"
    return Finding(
        "spec.router.clientTLS.clientCA",
        f"the key {AUTHORITIES} of the ConfigMap {name} in kube-system {cause}; routers stay as they are",
        f"kubectl -n kube-system create configmap {name} --from-file={AUTHORITIES} --dry-run=client -o yaml"
        " | kubectl apply -f -; then apply again.",
    )


def _certificate(suffix: str, pki: Pki, present: str, now: datetime | None) -> str:
    hosts = [f"*.{suffix}"]
    if will_do(present, pki.ca, hosts, now):
        return present
    made = server_certificate(pki.ca, hosts, now)
    return made.public + made.private


def _selected_by(selector: Selector | None) -> str:
    """Return a selector as it is handed to the Kubernetes API."""
    return (
        ",".join(f"{key}={value}" for key, value in sorted(selector.match_labels.items())) if selector else ""
    )


def suffix_of(platform: Platform) -> str:
    """Return what completes hosts that name none, "" if nothing does."""
    spec = platform.spec
    if spec.router.suffix is not None:
        return spec.router.suffix.rstrip(".")
    return f"{ROUTED}.{spec.names.zone.rstrip('.')}" if spec.names is not None else ""
