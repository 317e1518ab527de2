"""Service and EndpointSlices -> the load balancers and the address they ask for. Pure.

Usually one load balancer, at the ClusterIP, which a floating IP leads to as well. A second one is asked for
when the outside has to be elsewhere (on another subnet, of another provider, shared with other Services), or
would not be for those inside what a ClusterIP is: it ends TLS, say, or admits only some sources.
"""

import dataclasses
import ipaddress
from collections.abc import Iterable, Iterator

from causeway.cloud import octavia_providers
from causeway.cloud.octavia_providers import Ability, Provider
from causeway.kube.objects import EndpointSlice, Service, key_of
from causeway.rooms.services.annotations import PROVIDER, Wishes, wishes
from causeway.rooms.services.model import (
    BalancerClass,
    Desired,
    Floating,
    Note,
    Role,
    Setting,
    Sharing,
    Vip,
    Wanted,
)
from causeway.rooms.services.serving import Server

PLATFORMS_OWN = "default/kubernetes"
"""The Service whose address belongs to the load balancer of the platform's API."""


def desired(service: Service, slices: Iterable[EndpointSlice], setting: Setting) -> Desired:
    """Return what ``service`` asks for, with a note for everything it cannot have."""
    key, uid, spec = key_of(service), service.metadata.uid, service.spec
    if key == PLATFORMS_OWN or spec.type == "ExternalName" or not spec.ports:
        return Desired(key, uid)
    if not spec.cluster_ip or spec.cluster_ip == "None":
        return Desired(key, uid)
    foreign = spec.type == "LoadBalancer" and spec.load_balancer_class not in {
        None,
        "",
        setting.balancer_class,
    }
    if service.metadata.deletion_timestamp:
        return Desired(key, uid, keep=_read(service, foreign=foreign).keep_floating)
    return _Reading(service, list(slices), setting, foreign=foreign).desired()


def _read(service: Service, *, foreign: bool) -> Wishes:
    """Return what the annotations say; they are about the outside, which a Service may not have."""
    outside = service.spec.type == "LoadBalancer" and not foreign
    return wishes(service.metadata.annotations) if outside else Wishes()


class _Reading:
    """One Service being read."""

    def __init__(
        self, service: Service, slices: list[EndpointSlice], setting: Setting, *, foreign: bool
    ) -> None:
        self._service = service
        self._spec = service.spec
        self._slices = slices
        self._setting = setting
        self._foreign = foreign
        self._outside = service.spec.type == "LoadBalancer" and not foreign
        self._wishes = _read(service, foreign=foreign)
        self._notes = list(self._wishes.notes)
        self._class = self._choose_class()
        if self._class.member_subnet_id:
            self._wishes = dataclasses.replace(self._wishes, member_subnet_id=self._class.member_subnet_id)

    def desired(self) -> Desired:
        """Return what the Service asks for."""
        self._notes += self._field_notes()
        provider = self._provider()
        vip = self._vip()
        sharing = self._sharing()
        server = Server(self._service, self._wishes, provider, open_to_all=not self._outside)
        apart = bool(sharing or vip or provider.name != self._setting.provider.name or server.particular)
        inside = self._setting.provider
        plain = Server(self._service, Wishes(), inside, open_to_all=True) if apart else server
        self._notes += server.notes
        balancers = list(self._inside(plain))
        if apart and balancers:
            balancers.append(
                self._elsewhere(server, provider, vip or Vip(subnet_id=self._service_subnet), sharing)
            )
        balancers = [one for one in balancers if one.fronts]
        closed = any(note.closes for note in self._notes)
        if closed:
            balancers = [one for one in balancers if one.role != Role.OUTSIDE]
        addressed = self._outside and not closed and bool(balancers)
        return Desired(
            key_of(self._service),
            self._service.metadata.uid,
            tuple(balancers),
            self._floating() if addressed and not self._wishes.internal else None,
            addressed=addressed,
            foreign=self._foreign,
            keep=self._wishes.keep_floating,
            hostname=self._wishes.hostname,
            notes=tuple(dict.fromkeys(self._notes)),
        )

    @property
    def _service_subnet(self) -> str:
        return self._setting.service_subnet_id

    def _inside(self, server: Server) -> Iterator[Wanted]:
        """Yield a load balancer for each ClusterIP."""
        addresses = self._spec.cluster_ips or (self._spec.cluster_ip,)
        key = key_of(self._service)
        for role, address in zip((Role.INSIDE, Role.SECOND), addresses, strict=False):
            version = ipaddress.ip_address(address).version
            subnet = self._service_subnet if version == 4 else self._setting.second_service_subnet_id
            if not subnet:
                self._notes.append(
                    Note(
                        "AddressFamily",
                        f"the platform has no service subnet for IPv{version}: nobody answers at {address}",
                        f"Use ipFamilies: [IPv{10 - version}] with ipFamilyPolicy: SingleStack.",
                    )
                )
                continue
            yield Wanted(
                role,
                key,
                Vip(address, subnet),
                self._setting.provider.name,
                server.fronts(self._slices, version),
            )

    def _elsewhere(self, server: Server, provider: Provider, vip: Vip, sharing: Sharing | None) -> Wanted:
        key = key_of(self._service)
        address = self._spec.load_balancer_ip if self._wishes.internal and not sharing else ""
        if address:
            vip = Vip(address, vip.subnet_id, vip.network_id, vip.port_id)
        version = 4 if any(part.address_type == "IPv4" for part in self._slices) or not self._slices else 6
        return Wanted(
            Role.OUTSIDE,
            sharing.name if sharing and sharing.name else f"{key} outside",
            vip,
            provider.name,
            server.fronts(self._slices, version),
            self._wishes.flavor if provider.can(Ability.FLAVOR) else "",
            self._wishes.zone if provider.can(Ability.ZONE) else "",
            sharing,
        )

    def _provider(self) -> Provider:
        name = self._wishes.provider
        if not name:
            return self._setting.provider
        found = octavia_providers.known(name)
        if found is None or name not in self._setting.providers | {self._setting.provider.name}:
            names = sorted(self._setting.providers | {self._setting.provider.name})
            self._notes.append(
                Note(
                    "UnknownProvider",
                    f"{PROVIDER}: the cloud has no provider {name} that is known here",
                    f"Choose one of: {', '.join(names)}.",
                    closes=True,
                )
            )
            return self._setting.provider
        return found

    def _choose_class(self) -> BalancerClass:
        name = self._wishes.class_name
        if name and name not in self._setting.classes:
            known = ", ".join(sorted(self._setting.classes)) or "none"
            self._notes.append(
                Note(
                    "UnknownClass",
                    f"class: the platform has no load balancer class {name!r} (it has: {known})",
                    "Have loadBalancerClasses of the platform's configuration name it, or remove it.",
                    closes=True,
                )
            )
        return self._setting.classes.get(name, BalancerClass())

    def _vip(self) -> Vip | None:
        """Return where the load balancer has to be; None: at the ClusterIP. The class counts first."""
        wishes = self._wishes
        if wishes.port_id:
            return Vip(port_id=wishes.port_id)
        subnet = self._class.subnet_id or wishes.subnet_id
        network = self._class.network_id or wishes.network_id
        if subnet == self._setting.service_subnet_id:
            subnet = ""
        return Vip(subnet_id=subnet, network_id=network) if subnet or network else None

    def _sharing(self) -> Sharing | None:
        wishes = self._wishes
        if wishes.internal and (wishes.balancer_id or wishes.share):
            self._notes.append(
                Note(
                    "InternalShared",
                    "an internal service shares no load balancer: a floating IP of another would open it",
                    "Remove the one annotation or the other.",
                    closes=True,
                )
            )
            return None
        if wishes.balancer_id:
            return Sharing(id=wishes.balancer_id)
        return Sharing(name=f"{self._service.metadata.namespace}/{wishes.share}") if wishes.share else None

    def _floating(self) -> Floating:
        chosen = self._class
        return Floating(
            chosen.floating_network_id
            or self._wishes.floating_network_id
            or self._setting.external_network_id,
            chosen.floating_subnet or self._wishes.floating_subnet,
            self._spec.load_balancer_ip,
        )

    def _field_notes(self) -> Iterator[Note]:
        spec = self._spec
        if spec.external_ips:
            yield Note(
                "UnsupportedExternalIPs",
                "externalIPs are not served: nobody on the nodes answers at them",
                "Use type LoadBalancer; loadBalancerIP chooses a floating IP.",
            )
        if spec.type == "NodePort":
            yield Note(
                "UnsupportedNodePort",
                "node ports are not served: there is no kube-proxy on the nodes",
                "Use the ClusterIP, which every server with a route to it reaches, or type LoadBalancer.",
            )
        if spec.internal_traffic_policy == "Local":
            yield Note(
                "UnsupportedTrafficPolicy",
                "internalTrafficPolicy: Local is not possible, the cloud balances and knows no nodes;"
                " traffic goes to all ready endpoints",
                "Set internalTrafficPolicy: Cluster.",
            )
        if self._outside and spec.external_traffic_policy == "Local" and not self._provider_keeps():
            yield Note(
                "UnsupportedTrafficPolicy",
                "externalTrafficPolicy: Local keeps no client's address behind this provider",
                "Use provider ovn, or proxy-protocol or x-forwarded-for.",
            )
        if spec.load_balancer_ip and self._outside and self._wishes.internal and not self._vip():
            yield Note(
                "UnsupportedAddress",
                "the address of an internal service is its ClusterIP, not loadBalancerIP",
                "Give a subnet-id for it to lie in, or set clusterIP.",
            )

    def _provider_keeps(self) -> bool:
        found = octavia_providers.known(self._wishes.provider) or self._setting.provider
        return found.keeps_source
