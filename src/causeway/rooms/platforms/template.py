"""The platform's Heat stack as text: template, the files it refers to, and its parameters. Pure.

The structure follows the platform file, every value is a parameter. Two equal platforms give equal texts, so
that a second apply has nothing to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from causeway.rooms.platforms import hot, registering, routing
from causeway.rooms.platforms.groups import Group, LiveGroup
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import Pki
from causeway.rooms.platforms.ranges import kubernetes_services, neutron_services
from causeway.rooms.platforms.site import Site

JOIN_PARAMETERS = ("bootstrap_token", "bootstrap_master")
"""What concerns joining nodes only: an apply that adds none leaves them as they are."""

_PACKAGE = "causeway.rooms.platforms"


@dataclass(frozen=True)
class StackTemplate:
    """What is handed to Heat."""

    text: str
    files: Mapping[str, str]
    parameters: Mapping[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """Return the template as data."""
        content: dict[str, Any] = hot.parse(self.text)
        return content

    def __repr__(self) -> str:
        return f"StackTemplate({sorted(self.parameters)})"


@dataclass(frozen=True)
class Joining:
    """How new nodes come in: by which token, and which master starts the cluster ("" if it runs)."""

    token: str
    bootstrap_master: str = ""

    def __repr__(self) -> str:
        return f"Joining(bootstrap_master={self.bootstrap_master!r})"


def api_address(site: Site) -> str:
    """Return the API's address inside the platform: the first one of the service range."""
    return str(kubernetes_services(site.services.cidr).network_address + 1)


def render(
    platform: Platform,
    site: Site,
    groups: Sequence[Group],
    *,
    cluster_id: str,
    pki: Pki,
    joining: Joining | None,
) -> StackTemplate:
    """Return the stack of a platform; without ``joining`` the living stack's parameters for it are kept."""
    environment = _environment()
    registry = {"host": registering.host_of(platform), "audience": registering.AUDIENCE}
    authority = dict(zip(pki.encoded(), pki.files(), strict=True))
    text = environment.get_template("stack.yaml.j2").render(
        groups=groups,
        new={
            "nodes": site.nodes.new,
            "pods": site.pods.new,
            "services": site.services.new,
            "router": site.router is None,
        },
        ipv6=platform.spec.networks.ipv6 is not None,
        namespaces=_namespace_pools(platform),
        public=platform.spec.api.exposure == "public",
        sources_preserved=site.provider.keeps_source,
        several_masters=platform.masters.count > 1,
        routers=routing.nodes(platform),
        ssh_key=platform.spec.ssh_key,
        registry=registry["host"],
        pki_files=authority,
    )
    scripts = {
        "node": _text("node-up.sh"),
        "storage": _text("storage-up.sh"),
        "registry": _text("registry-credentials.py"),
    }
    user_data = environment.get_template("user-data.yaml.j2")
    attached = {
        f"{role}.user-data.yaml": user_data.render(
            role=role,
            scripts=scripts,
            pki_files=authority,
            ipv6=platform.spec.networks.ipv6 is not None,
            registry=registry,
            api_name=platform.spec.names.api if platform.spec.names else "",
        )
        for role in sorted({group.role for group in groups})
    }
    parameters = {
        **_network_parameters(platform, site),
        **_second_parameters(platform, site),
        **_group_parameters(groups),
        "platform": platform.name,
        "cluster_id": cluster_id,
        "kubernetes_version": platform.spec.kubernetes.version,
        "load_balancer_provider": site.provider.name,
        "load_balancer_algorithm": site.provider.algorithms[0],
        "pki": pki.encoded(),
        "ca_hash": pki.ca_hash,
    }
    if platform.spec.ssh_key:
        parameters["key_name"] = platform.spec.ssh_key
    if registry["host"]:
        parameters["registry_address"] = registering.address_of(site.services.cidr)
    if joining is not None:
        parameters["bootstrap_token"] = joining.token
        parameters["bootstrap_master"] = joining.bootstrap_master
    return StackTemplate(text, {"node.yaml": _text("node.yaml"), **attached}, parameters)


def live_groups(parameters: Mapping[str, Any]) -> dict[str, LiveGroup]:
    """Return the groups a living stack was made with, from its parameters."""
    suffix = "_pool"
    return {
        (name := key.removesuffix(suffix)): LiveGroup(
            pool=str(pool),
            count=int(parameters[f"{name}_count"]),
            removed=frozenset(int(index) for index in _listed(parameters.get(f"{name}_removed"))),
        )
        for key, pool in parameters.items()
        if key.endswith(suffix) and f"{key.removesuffix(suffix)}_count" in parameters
    }


def _network_parameters(platform: Platform, site: Site) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "external_network": site.external_network,
        "node_cidr": str(site.nodes.cidr),
        "pod_cidr": str(site.pods.cidr),
        "service_cidr": str(site.services.cidr),
        "dns_nameservers": [str(address) for address in platform.spec.networks.dns_nameservers],
        "api_address": api_address(site),
        "api_allowed_cidrs": _allowed(platform, site),
    }
    if site.router is not None:
        parameters["router"] = site.router
    for name, place in (("node", site.nodes), ("pod", site.pods), ("service", site.services)):
        if not place.new:
            parameters |= {f"{name}_network": place.network, f"{name}_subnet": place.subnet}
    if site.services.new:
        # The router takes the very last address, which leaves Neutron a range without a hole.
        upper = neutron_services(site.services.cidr)
        parameters["service_pool_start"] = str(upper.network_address)
        parameters["service_pool_end"] = str(upper.broadcast_address - 2)
        parameters["service_router_address"] = str(upper.broadcast_address - 1)
    return parameters


def _second_parameters(platform: Platform, site: Site) -> dict[str, Any]:
    """Return the ranges of second addresses and of namespaces' networks, and services of both families."""
    networks = platform.spec.networks
    services: list[IPv4Network | IPv6Network] = [kubernetes_services(site.services.cidr)]
    parameters: dict[str, Any] = {}
    if networks.ipv6 is not None:
        upper = neutron_services(networks.ipv6.services)
        services.append(kubernetes_services(networks.ipv6.services))
        for name, cidr in (("node", networks.ipv6.nodes), ("pod", networks.ipv6.pods)):
            # By itself Neutron would take the address all routers of an IPv6 subnet share.
            parameters |= {f"{name}_cidr_v6": str(cidr), f"{name}_router_address_v6": str(cidr[1])}
        parameters |= {
            "service_cidr_v6": str(networks.ipv6.services),
            "service_pool_start_v6": str(upper[0]),
            "service_pool_end_v6": str(upper[-3]),
            "service_router_address_v6": str(upper[-2]),
        }
    if networks.namespaces is not None:
        parameters["namespace_cidr"] = str(networks.namespaces.cidr)
        parameters["namespace_prefix_length"] = networks.namespaces.prefix_length
        if networks.namespaces.ipv6_cidr is not None:
            parameters["namespace_cidr_v6"] = str(networks.namespaces.ipv6_cidr)
    return parameters | {"kubernetes_service_cidr": ",".join(map(str, services))}


def _namespace_pools(platform: Platform) -> list[str]:
    """Return the suffixes of the subnet pools of namespaces' networks, one for each address family."""
    wanted = platform.spec.networks.namespaces
    if wanted is None:
        return []
    return ["", *(["_v6"] if wanted.ipv6_cidr is not None else [])]


def _group_parameters(groups: Sequence[Group]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for group in groups:
        storage = group.pool.container_storage
        values = {
            "pool": group.pool.name,
            "count": group.pool.count,
            "removed": sorted(group.removed),
            "flavor": group.pool.flavor,
            "image": group.pool.image,
            "volume_size": storage.size if storage else 0,
            "volume_type": (storage.type if storage else None) or "",
            "zone": group.pool.zone or "",
        }
        parameters |= {f"{group.name}_{key}": value for key, value in values.items()}
    return parameters


def _allowed(platform: Platform, site: Site) -> list[str]:
    chosen: list[IPv4Network] = list(platform.spec.api.allowed_cidrs)
    if not chosen:
        return ["0.0.0.0/0"]
    # Nodes and pods use the same load balancer; a master that reaches itself through it comes from the VIP.
    inside = [site.nodes.cidr, site.pods.cidr, site.services.cidr]
    return sorted({str(cidr) for cidr in [*chosen, *inside]})


def _listed(value: Any) -> Sequence[Any]:
    """Return a parameter of type json as the list it is; Heat gives it back as text."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else list(hot.parse(value))


def _text(name: str) -> str:
    return (files(_PACKAGE) / "templates" / name).read_text()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML for Heat, not markup for a browser
        keep_trailing_newline=True,
    )
