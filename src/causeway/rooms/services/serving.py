"""How a Service's ports are served by one provider: listeners, pools and monitors, or notes why not. Pure.

Asked of the table of providers before anything is tried; a refusal names the providers that could.
"""

import ipaddress
from collections.abc import Iterable, Iterator

from causeway.cloud import octavia_providers
from causeway.cloud.octavia_providers import Ability, Provider
from causeway.kube.objects import EndpointSlice, Service, ServicePort
from causeway.rooms.services import endpoints
from causeway.rooms.services.annotations import Wishes
from causeway.rooms.services.model import (
    Front,
    ListenerOptions,
    Monitor,
    Note,
    PoolOptions,
    Serving,
    TimeLimits,
)

_DEFAULT_AFFINITY = 10800  # seconds, Kubernetes' own default: what every Service says that says nothing
_TIMED = ("UDP", "SCTP")  # protocols for whose pools Octavia takes how long a client stays with a member
_LIMITS = {
    "client_data": "timeout-client-data",
    "member_connect": "timeout-member-connect",
    "member_data": "timeout-member-data",
    "tcp_inspect": "timeout-tcp-inspect",
}


class Server:
    """What ``provider`` makes of a Service; ``notes`` are complete when ``fronts`` has been called."""

    def __init__(self, service: Service, wishes: Wishes, provider: Provider, *, open_to_all: bool) -> None:
        self._service = service
        self._wishes = wishes
        self._provider = provider
        self._algorithm = self._choose_algorithm()
        self._cidrs = () if open_to_all else tuple(self._read_ranges())
        self.notes = list(self._notes())

    def fronts(self, slices: Iterable[EndpointSlice], version: int) -> dict[Front, Serving]:
        """Return what is served in one address family."""
        slices = list(slices)
        return {
            Front(port.protocol, port.port): self._serving(port, slices, version)
            for port in self._service.spec.ports
            if port.protocol in self._provider.listener_protocols
        }

    @property
    def particular(self) -> bool:
        """Whether clients meet something else than the members: only some are admitted, or it speaks TLS."""
        wishes, able = self._wishes, self._provider.can
        return (
            bool(self._cidrs and able(Ability.SOURCE_RANGES))
            or bool(wishes.tls and able(Ability.TLS))
            or (wishes.forwarded_for and able(Ability.FORWARDED_FOR))
            or bool(wishes.proxy_protocol and able(Ability.PROXY_PROTOCOL))
            or bool(wishes.flavor and able(Ability.FLAVOR))
            or bool(wishes.zone and able(Ability.ZONE))
        )

    def _serving(self, port: ServicePort, slices: list[EndpointSlice], version: int) -> Serving:
        able, wishes = self._provider.can, self._wishes
        listener, pool = port.protocol, port.protocol
        if port.protocol == "TCP":
            if wishes.tls and able(Ability.TLS):
                listener, pool = "TERMINATED_HTTPS", "HTTP"
            elif wishes.forwarded_for and able(Ability.FORWARDED_FOR):
                listener, pool = "HTTP", "HTTP"
            if wishes.proxy_protocol and able(Ability.PROXY_PROTOCOL):
                pool = wishes.proxy_protocol
        limits = TimeLimits(**wishes.limits) if able(Ability.TIME_LIMITS) else None
        limit = -1 if wishes.connection_limit is None else wishes.connection_limit
        return Serving(
            ListenerOptions(
                listener,
                limit if able(Ability.CONNECTION_LIMIT) else None,
                limits,
                self._ranges(version),
                forwarded_for=wishes.forwarded_for and listener in {"HTTP", "TERMINATED_HTTPS"},
                tls=wishes.tls if listener == "TERMINATED_HTTPS" else "",
            ),
            PoolOptions(
                pool, self._algorithm, self._sticky, self._affinity(port.protocol), wishes.member_subnet_id
            ),
            endpoints.members(self._service, port, slices, version),
            self._monitor(port.protocol),
        )

    @property
    def _sticky(self) -> bool:
        return self._service.spec.session_affinity == "ClientIP" and "SOURCE_IP" in self._provider.persistence

    @property
    def _seconds(self) -> int:
        config = self._service.spec.session_affinity_config
        return config.client_ip.timeout_seconds if config and config.client_ip else _DEFAULT_AFFINITY

    def _affinity(self, protocol: str) -> int:
        if not self._sticky or protocol not in _TIMED or self._seconds == _DEFAULT_AFFINITY:
            return 0
        return self._seconds

    def _monitor(self, protocol: str) -> Monitor | None:
        kind = {"TCP": "TCP", "UDP": "UDP-CONNECT", "SCTP": "SCTP"}.get(protocol, "")
        if not self._wishes.monitored or kind not in self._provider.health_monitors:
            return None
        return Monitor(kind, **self._wishes.monitor)

    def _choose_algorithm(self) -> str:
        asked = self._wishes.algorithm
        return asked if asked in self._provider.algorithms else self._provider.algorithms[0]

    def _ranges(self, version: int) -> frozenset[str] | None:
        if not self._provider.can(Ability.SOURCE_RANGES):
            return None
        return frozenset(cidr for cidr in self._cidrs if ipaddress.ip_network(cidr).version == version)

    def _read_ranges(self) -> Iterator[str]:
        for text in self._service.spec.load_balancer_source_ranges or self._wishes.source_ranges:
            try:
                yield str(ipaddress.ip_network(text.strip(), strict=False))
            except ValueError:
                yield "0.0.0.0/32"  # nobody: what cannot be read must not open the service to everybody

    def _notes(self) -> Iterator[Note]:
        name = self._provider.name
        for port in self._service.spec.ports:
            if port.protocol not in self._provider.listener_protocols:
                yield Note(
                    "UnsupportedProtocol",
                    f"provider {name} has no {port.protocol} listeners; port {port.port} is left out",
                    _other(octavia_providers.offering(port.protocol)),
                )
        yield from self._affinity_notes()
        yield from self._range_notes()
        yield from self._ability_notes()
        asked = self._wishes.algorithm
        if asked and asked != self._algorithm:
            yield Note(
                "UnsupportedAlgorithm",
                f"lb-method: provider {name} has no {asked}, it balances by {self._algorithm}",
                _other(octavia_providers.balancing_by(asked)),
            )
        yield from self._monitor_notes()

    def _affinity_notes(self) -> Iterator[Note]:
        if self._service.spec.session_affinity != "ClientIP":
            return
        if not self._sticky:
            yield Note(
                "UnsupportedAffinity",
                f"provider {self._provider.name} cannot keep clients with a member",
                "Set sessionAffinity: None.",
            )
        elif self._seconds != _DEFAULT_AFFINITY and any(
            port.protocol not in _TIMED for port in self._service.spec.ports
        ):
            yield Note(
                "UnsupportedAffinityTimeout",
                f"Octavia takes how long a client stays with a member ({self._seconds} s) for UDP and SCTP,"
                " not for TCP: there it is up to the provider",
                "Leave out sessionAffinityConfig.",
            )

    def _range_notes(self) -> Iterator[Note]:
        if not self._cidrs:
            return
        if not self._provider.can(Ability.SOURCE_RANGES):
            remedy = _other(octavia_providers.able(Ability.SOURCE_RANGES))
            if self._provider.keeps_source:
                remedy += (
                    " Or remove loadBalancerSourceRanges and admit the ranges by a NetworkPolicy (ipBlock)"
                    f" for the pods, who see the client's address behind provider {self._provider.name}."
                )
            yield Note(
                "UnsupportedSourceRanges",
                f"provider {self._provider.name} cannot enforce source ranges, so the service gets no address"
                " outside the cloud",
                remedy,
                closes=True,
            )
        elif "0.0.0.0/32" in self._cidrs:
            yield Note(
                "InvalidSourceRanges",
                "a source range cannot be read and admits nobody",
                "Write ranges as 192.0.2.0/24.",
            )

    def _ability_notes(self) -> Iterator[Note]:
        wishes = self._wishes
        limits = [_LIMITS[name] for name in wishes.limits]
        limited = (wishes.connection_limit or 0) > 0
        for ability, given, closes in (
            (Ability.TLS, ["default-tls-container-ref"] if wishes.tls else [], True),
            (Ability.FORWARDED_FOR, ["x-forwarded-for"] if wishes.forwarded_for else [], True),
            (Ability.PROXY_PROTOCOL, ["proxy-protocol"] if wishes.proxy_protocol else [], True),
            (
                Ability.CONNECTION_LIMIT,
                ["connection-limit"] if limited else [],
                False,
            ),
            (Ability.TIME_LIMITS, limits, False),
            (Ability.FLAVOR, ["flavor-id"] if wishes.flavor else [], False),
            (Ability.ZONE, ["availability-zone"] if wishes.zone else [], False),
        ):
            if given and not self._provider.can(ability):
                cause = f"{', '.join(given)}: provider {self._provider.name} knows no {ability}"
                yield Note("UnsupportedOption", cause, _other(octavia_providers.able(ability)), closes)
        speaks = wishes.tls or wishes.forwarded_for or wishes.proxy_protocol
        others = [port for port in self._service.spec.ports if port.protocol != "TCP"]
        if speaks and others:
            yield Note(
                "UnsupportedOption",
                "TLS, HTTP headers and the PROXY protocol are for TCP; the other ports are served without",
                "Make a Service of its own for the other ports.",
            )

    def _monitor_notes(self) -> Iterator[Note]:
        if not self._wishes.monitored:
            return
        if not self._provider.health_monitors:
            yield Note(
                "UnsupportedOption",
                f"enable-health-monitor: provider {self._provider.name} has no health monitors",
                "Remove it.",
            )
        monitor = Monitor("TCP", **self._wishes.monitor)
        if monitor.timeout > monitor.delay:
            yield Note(
                "InvalidAnnotation",
                f"health-monitor-timeout ({monitor.timeout} s) is longer than health-monitor-delay"
                f" ({monitor.delay} s)",
                "Let the next probe begin after the last one has ended.",
            )
        for port in self._service.spec.ports:
            if self._monitor(port.protocol) is None and port.protocol in self._provider.listener_protocols:
                yield Note(
                    "UnsupportedOption",
                    f"enable-health-monitor: provider {self._provider.name} cannot watch members over"
                    f" {port.protocol}; port {port.port} goes without",
                    "Remove it, or let readiness probes tell: pods that are not ready are no members.",
                )


def _other(names: tuple[str, ...]) -> str:
    if not names:
        return "No provider known here can do that: leave it out."
    return f"Choose provider {' or '.join(names)} by the annotation causeway.dev/load-balancer-provider."
