"""What of a gateway is served: each listener judged by itself and beside the others. Pure."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from causeway.kube.attaching import KINDS, lets_in
from causeway.kube.gateways import (
    GATEWAYS,
    GROUP,
    Gateway,
    KindReference,
    Listener,
    SecretReference,
)
from causeway.kube.ingresses import Secret
from causeway.kube.objects import Namespace
from causeway.rooms.routes import certificates
from causeway.rooms.routes.gateway.addresses import usable
from causeway.rooms.routes.gateway.grants import Grants
from causeway.rooms.routes.model import Refusal, listed

SecretOf = Callable[[str], Secret | str]
"""Returns a Secret by its key, or why it cannot be had."""

_PORTS = {"HTTP": 80, "HTTPS": 443, "TLS": 443}
_SCHEMES = {"HTTP": "p", "HTTPS": "s", "TLS": "t", "TCP": "c"}
_LEADS = {"HTTP": "http", "HTTPS": "tls", "TLS": "tls", "TCP": "tcp"}
_MOST_NAMES = 100  # that a listener's certificates make hosts of: each is a host's entries and certificate


class Offered(NamedTuple):
    """What the router has for gateways: its name or address ("" if not known), and its further ports."""

    canonical: str = ""
    ports: frozenset[int] = frozenset()


class Condition(NamedTuple):
    """A condition as far as it does not depend on when it is written."""

    type: str
    status: bool | None  # None: nobody knows
    reason: str
    message: str = ""


class Judged(msgspec.Struct, frozen=True):
    """A listener: ``wrong`` says why it is not accepted, ``unresolved`` which reference cannot be followed.

    ``kinds`` are those of routes it takes; ``pem`` are its certificates. It is ``idle`` if its gateway asks
    for another address than the router's.
    """

    gateway: str
    listener: Listener
    kinds: tuple[str, ...] = ()
    wrong: Refusal | None = None
    conflict: bool = False
    unresolved: Refusal | None = None
    pem: tuple[str, ...] = ()
    idle: bool = False

    @property
    def scheme(self) -> str:
        """Return how its requests come: p plain, s by TLS, t by TLS that is passed through, c connections."""
        return _SCHEMES.get(self.listener.protocol, "")

    @property
    def further(self) -> bool:
        """Return whether its port is one of the router's further ones."""
        return self.listener.port != _PORTS.get(self.listener.protocol)

    @property
    def place(self) -> str:
        """Return what keys of HAProxy's maps have for its port, "" for the usual one."""
        return f"{self.listener.port}:" if self.further else ""

    @property
    def leads(self) -> str:
        """Return what connections to its port are, whoever has it: http, tls or tcp."""
        return _LEADS.get(self.listener.protocol, "")

    @property
    def hostname(self) -> str:
        """Return whom it is for, "" for every host."""
        return self.listener.hostname.lower()

    @property
    def serves(self) -> bool:
        """Return whether requests come through it."""
        return self.wrong is None and not self.idle and (self.scheme != "s" or bool(self.pem))

    @property
    def named(self) -> tuple[str, ...]:
        """Return the hosts its certificates are for, if it is for every host: for others it shows none.

        They are the first hundred. Of more, one that a route names is shown its certificate all the same.
        """
        if self.hostname or self.scheme != "s":
            return ()
        found = dict.fromkeys(name for text in self.pem for name in certificates.names(text))
        return tuple(found)[:_MOST_NAMES]

    def shown(self, host: str) -> dict[str, None]:
        """Return the certificates to show for a host: those that are for it, or all if none is."""
        covering = (host, f"*.{host.partition('.')[2]}")
        fit = [text for text in self.pem if not _names(text).isdisjoint(covering)]
        return dict.fromkeys(fit or self.pem)

    def takes(self, kind: str, namespace: str, namespaces: Mapping[str, Namespace]) -> bool:
        """Return whether routes of a kind in a namespace may attach."""
        if kind not in self.kinds:
            return False
        found, home = namespaces.get(namespace), self.gateway.partition("/")[0]
        labels = found.metadata.labels if found is not None else None
        return lets_in(self.listener.allowed_routes, home, namespace, labels)


@functools.lru_cache(maxsize=4096)
def _names(text: str) -> frozenset[str]:
    return frozenset(certificates.names(text))


def secrets_of(gateway: Gateway) -> frozenset[str]:
    """Return the keys of all Secrets a gateway names."""
    return frozenset(
        _key(each, gateway.metadata.namespace)
        for listener in gateway.spec.listeners
        if listener.tls is not None
        for each in listener.tls.certificate_refs
        if (each.group, each.kind) == ("", "Secret")
    )


def judge(gateway: Gateway, secrets: SecretOf, grants: Grants, offered: Offered) -> list[Judged]:
    """Return what becomes of each listener of a gateway, in their order."""
    idle = not usable(gateway.spec.addresses, offered.canonical)
    found: list[Judged] = []
    for listener in gateway.spec.listeners:
        kinds, bad = _kinds(listener)
        wrong = _wrong(listener, offered.ports)
        if wrong is not None and wrong.reason == "UnsupportedValue":
            kinds = ()  # in this mode there are none
        pem: tuple[str, ...] = ()
        if wrong is None and listener.protocol == "HTTPS":
            pem, unresolved = _certificates(gateway, listener, secrets, grants)
            bad = bad or unresolved
        found.append(
            Judged(
                gateway=f"{gateway.metadata.namespace}/{gateway.metadata.name}",
                listener=listener,
                kinds=kinds,
                wrong=wrong,
                unresolved=bad,
                pem=pem,
                idle=idle,
            )
        )
    return [_beside(each, found) for each in found]


def _wrong(listener: Listener, ports: frozenset[int]) -> Refusal | None:
    protocol, tls = listener.protocol, listener.tls
    if protocol not in KINDS:
        return Refusal("UnsupportedProtocol", f"protocol {protocol} is none of {', '.join(KINDS)}")
    if protocol == "TLS" and (tls is None or tls.mode != "Passthrough"):
        return Refusal("UnsupportedValue", "TLS is passed through: its mode must be Passthrough")
    if protocol == "HTTPS" and (tls is None or tls.mode != "Terminate"):
        return Refusal("UnsupportedValue", "TLS of HTTPS ends at the router: its mode must be Terminate")
    usual, further = _PORTS.get(protocol), sorted(ports - set(_PORTS.values()))
    served = [*([usual] if usual else []), *further]
    if listener.port in served:
        return None
    return Refusal("PortUnavailable", _not_there(listener, served))


def _not_there(listener: Listener, served: Sequence[int]) -> str:
    """Return where a listener's protocol is served instead of at its port, and what that is for."""
    if not served:
        return (
            f"{listener.protocol} is served at further ports of the router only, and it has none: have it "
            "started with CAUSEWAY_ROUTER_PORTS"
        )
    others = [protocol for protocol, port in _PORTS.items() if port == listener.port]
    instead = f"is for {' and '.join(others)}" if others else "is not open"
    places = f"{'ports' if len(served) > 1 else 'port'} {listed(served)}"
    return (
        f"{listener.protocol} is served at {places} only, and port {listener.port} {instead}: give the "
        "listener another port"
    )


def taken(judged: Judged, before: Judged) -> Refusal | None:
    """Return why a listener of a further port cannot be beside another gateway's, which is older."""
    if judged.leads == before.leads != "tcp":
        return None
    what = f"gateway {before.gateway} has this port for {before.listener.protocol}, and is older"
    return Refusal("PortUnavailable", what)


def _kinds(listener: Listener) -> tuple[tuple[str, ...], Refusal | None]:
    """Return the kinds of routes a listener takes, and what is wrong with those it names."""
    ours = KINDS.get(listener.protocol)
    named = listener.allowed_routes.kinds or ((KindReference(ours),) if ours else ())
    good = tuple(dict.fromkeys(each.kind for each in named if (each.group, each.kind) == (GROUP, ours)))
    bad = [each.kind for each in named if (each.group, each.kind) != (GROUP, ours)]
    if ours and bad:
        return good, Refusal("InvalidRouteKinds", f"routes of kind {', '.join(bad)} cannot attach here")
    return good, None


def _beside(judged: Judged, all_of_them: Iterable[Judged]) -> Judged:
    """Return a listener as it is beside its gateway's others: of those that conflict none is accepted."""
    if judged.wrong is not None:
        return judged
    for each in all_of_them:
        if each is judged or each.wrong is not None or each.listener.port != judged.listener.port:
            continue
        wrong = None
        if each.leads != judged.leads:
            what = f"listener {each.listener.name} has this port for {each.listener.protocol}"
            wrong = Refusal("ProtocolConflict", what)
        elif each.hostname == judged.hostname:
            shown = judged.hostname or "every host"
            wrong = Refusal("HostnameConflict", f"listener {each.listener.name} has {shown} on this port")
        if wrong is not None:
            return msgspec.structs.replace(judged, wrong=wrong, conflict=True)
    return judged


def _certificates(
    gateway: Gateway, listener: Listener, secrets: SecretOf, grants: Grants
) -> tuple[tuple[str, ...], Refusal | None]:
    """Return the certificates with their keys that can be had, and why one cannot."""
    pem: list[str] = []
    wrong: Refusal | None = None
    references = listener.tls.certificate_refs if listener.tls else ()
    if not references:
        return (), Refusal("InvalidCertificateRef", "tls.certificateRefs: none is named")
    for each in references:
        key = _key(each, gateway.metadata.namespace)
        try:
            if (each.group, each.kind) != ("", "Secret"):
                wrong = wrong or Refusal("InvalidCertificateRef", f"{each.kind} {each.name} is no Secret")
                continue
            if not grants.allow(GATEWAYS.kind, gateway.metadata.namespace, "", "Secret", key):
                wrong = wrong or Refusal("RefNotPermitted", f"no ReferenceGrant allows Secret {key}")
                continue
            pem.append(_text(secrets(key)))
        except certificates.Unusable as error:
            wrong = wrong or Refusal("InvalidCertificateRef", f"Secret {key}: {error}")
    return tuple(pem), wrong


def _text(secret: Secret | str) -> str:
    if isinstance(secret, str):
        raise certificates.Unusable(secret)
    texts = [secret.data.get(name, b"").decode(errors="replace") for name in ("tls.crt", "tls.key")]
    if not all(texts):
        raise certificates.Unusable("has no tls.crt and tls.key")
    return certificates.chain_with_key(texts[0], texts[1], "")


def _key(reference: SecretReference, namespace: str) -> str:
    return f"{reference.namespace or namespace}/{reference.name}"
