"""How TLS of an Ingress' hosts ends, and with which certificates: pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice

from causeway.kube.ingresses import Ingress, IngressTLS, Secret
from causeway.kube.routes import RouteTLS
from causeway.rooms.routes import certificates
from causeway.rooms.routes.bounds import MOST_SECRETS
from causeway.rooms.routes.model import Refusal, Refused
from causeway.rooms.routes.nginx import Translation

TERMINATION = "route.openshift.io/termination"
AUTHORITY = "route.openshift.io/destination-ca-certificate-secret"
_TERMINATIONS = ("edge", "passthrough", "reencrypt")
_TYPES = ("kubernetes.io/tls", "Opaque")  # of a certificate's Secret; ingress-nginx asks for none
_MOST_NAMED = 3  # hosts in a note: an Event has 1,024 characters, a host up to 253

SecretOf = Callable[[str], Secret | str]
"""Returns a Secret of the Ingress' namespace by name, or why it cannot be had."""


def secrets_of(ingress: Ingress) -> frozenset[str]:
    """Return the names of the Secrets an Ingress needs, as many as are followed for one."""
    entries = _by_host(ingress.spec.tls)
    used = [_entry(entries, rule.host) for rule in ingress.spec.rules if rule.host]
    names = [
        ingress.metadata.annotations.get(AUTHORITY, ""),
        *(each.secret_name for each in used if each is not None),
    ]
    return frozenset(islice(filter(None, dict.fromkeys(names)), MOST_SECRETS))


def unnamed(ingress: Ingress) -> Iterator[Refusal]:
    """Yield what its user is to know of hosts that only ``spec.tls`` names, which may be misspelt."""
    needed = {wanted for rule in ingress.spec.rules for wanted in _wanted(rule.host)}
    hosts = [host for host in _by_host(ingress.spec.tls) if host and host not in needed]
    if not hosts:
        return
    named, it = ", ".join(hosts[:_MOST_NAMED]), "it" if len(hosts) == 1 else "them"
    more = f" and {len(hosts) - _MOST_NAMED} more" if len(hosts) > _MOST_NAMED else ""
    yield Refusal(
        "CertificateNotUsed",
        f"tls host {named}{more}: no rule names {it}, so no certificate is shown for {it}: name {it} in a "
        f"rule, or leave {it} out",
    )


def _wanted(host: str) -> tuple[str, str, str]:
    """Return which hosts an entry may name to be that of a rule's host, the first first; "" for none."""
    return host, f"*.{host.partition('.')[2]}", ""


def _by_host(entries: Iterable[IngressTLS]) -> Mapping[str, IngressTLS]:
    """Return the first entry that names each host, by host; "" for the first that names none."""
    found: dict[str, IngressTLS] = {}
    for each in entries:
        for host in each.hosts or ("",):
            found.setdefault(host, each)
    return found


def _entry(entries: Mapping[str, IngressTLS], host: str) -> IngressTLS | None:
    """Return the entry that names a host, or a wildcard for it, or else one that names none."""
    return next((entries[wanted] for wanted in _wanted(host) if wanted in entries), None)


class Endings:
    """What an Ingress says of TLS; ``told`` is called with what its user is to know."""

    def __init__(
        self, ingress: Ingress, asked: Translation, secrets: SecretOf, told: Callable[[Refusal], None]
    ) -> None:
        self._entries = _by_host(ingress.spec.tls)
        self._said = ingress.metadata.annotations.get(TERMINATION, "")
        self._authority_name = ingress.metadata.annotations.get(AUTHORITY, "")
        self._asked, self._secrets, self._told = asked, secrets, told
        self._followed = secrets_of(ingress)

    @property
    def passthrough(self) -> bool:
        """Return whether TLS ends at the application."""
        return self._said == "passthrough" or (not self._said and self._asked.passthrough)

    def of(self, host: str) -> RouteTLS | None:
        """Return how TLS of a host ends, None if there is none; raises ``Refused``."""
        said, entry = self._said, _entry(self._entries, host)
        if said and said not in _TERMINATIONS:
            raise Refused(f"annotation {TERMINATION}: {said!r} is none of {', '.join(_TERMINATIONS)}")
        if self.passthrough:
            if not host:
                raise Refused("passed-through TLS needs a host")
            policy = self._plain(meant=True, otherwise="None")
            return RouteTLS("passthrough", insecure_edge_termination_policy=policy)
        termination = said or ("reencrypt" if self._asked.reencrypt else "edge")
        meant = bool(said) or entry is not None or self._asked.forced
        if not meant and termination == "edge":
            return None
        certificate, key = self._certificate(host, entry.secret_name) if entry else ("", "")
        return RouteTLS(
            termination,
            certificate=certificate,
            key=key,
            destination_ca_certificate=self._authority() if termination == "reencrypt" else "",
            insecure_edge_termination_policy=self._plain(meant=meant, otherwise="Allow"),
        )

    def _plain(self, *, meant: bool, otherwise: str) -> str:
        """Return what becomes of requests without TLS, where TLS is ``meant`` or only what servers speak."""
        return "Redirect" if meant and (self._asked.redirect or self._asked.forced) else otherwise

    def _certificate(self, host: str, name: str) -> tuple[str, str]:
        """Return certificate and key; ("", "") for the router's own, also if those named cannot be used."""
        if not name:
            return "", ""
        if not host:
            cause = f"secret {name}: a certificate is shown only for hosts that rules name"
            self._told(Refusal("CertificateNotUsed", cause))
            return "", ""
        if name not in self._followed:  # one note for all of them
            cause = (
                f"secrets beyond the first {MOST_SECRETS} of one Ingress are not followed: their hosts are "
                "served with the router's own certificate: make several Ingresses of it"
            )
            self._told(Refusal("CertificateUnusable", cause))
            return "", ""
        try:
            secret = self._secret(name, _TYPES)
            certificate, key = _text(secret, "tls.crt"), _text(secret, "tls.key")
            certificates.chain_with_key(certificate, key, "")
        except (Refused, certificates.Unusable) as error:
            cause = f"secret {name}: {error}; {host} is served with the router's own certificate meanwhile"
            self._told(Refusal("CertificateUnusable", cause))
            return "", ""
        return certificate, key

    def _authority(self) -> str:
        name = self._authority_name
        if not name:
            return ""
        try:
            return certificates.authorities(_text(self._secret(name), "tls.crt"), "tls.crt")
        except (Refused, certificates.Unusable) as error:
            raise Refused(f"annotation {AUTHORITY}: secret {name}: {error}") from error

    def _secret(self, name: str, types: Collection[str] = ()) -> Secret:
        found = self._secrets(name)
        if isinstance(found, str):
            raise Refused(found)
        if types and found.type not in types:
            raise Refused(f"is of type {found.type}, not {' or '.join(types)}")
        return found


def _text(secret: Secret, name: str) -> str:
    text = secret.data.get(name, b"")
    if not text:
        raise Refused(f"has no {name}")
    return text.decode(errors="replace")
