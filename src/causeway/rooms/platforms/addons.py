"""What Causeway puts into a platform: settings, credentials, controller and node daemon.

The manifests are package data; ``manifests`` fills them in (pure), ``install`` declares them by server-side
apply, so that a second run changes nothing and settings of others stay.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from causeway import __version__
from causeway.kube.client import Client
from causeway.kube.errors import (
    AlreadyExists,
    Invalid,
    NotFound,
    Object,
    TooManyRequests,
    Unavailable,
)
from causeway.kube.resource import (
    CONFIG_MAPS,
    CRDS,
    CRON_JOBS,
    CSI_DRIVERS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    ROUTES,
    SERVICE_ACCOUNTS,
    SERVICES,
    SNAPSHOT_CLASSES,
    STORAGE_CLASSES,
    Resource,
    resource_of,
)
from causeway.rooms.platforms import registering, routing
from causeway.rooms.platforms.model import Names
from causeway.rooms.platforms.registering import Registering
from causeway.rooms.platforms.router import CLIENTS_OF_ROUTERS
from causeway.rooms.platforms.routing import ROUTED, Routing
from causeway.rooms.platforms.storage import ShareDriver, Sidecars, VolumeDriver

MANAGER = "causeway"
NAMESPACE = "kube-system"
IMAGE = f"localhost/causeway:{__version__}"
"""Where our own pods' image is by default: preloaded on the node image."""

SHARED = frozenset(
    {
        "network-attachment-definitions.k8s.cni.cncf.io",
        "volumesnapshotclasses.snapshot.storage.k8s.io",
        "volumesnapshotcontents.snapshot.storage.k8s.io",
        "volumesnapshots.snapshot.storage.k8s.io",
    }
)
"""Definitions that several components bring: one that is there stays as it is."""

CLOUD_SECRET, VOLUMES_SECRET, SHARES_SECRET = "causeway-cloud", "causeway-volumes", "causeway-shares"
"""Where the credentials are of the controller, of the volume driver and of the driver of shares."""

ROUTER = "causeway-router"
"""The DaemonSet of the router."""

COLLECTOR = "causeway-registry-collector"
"""The CronJob that frees what no image of the registry needs."""

_REGISTRY = "23-registry-access.yaml"
_OF_REGISTRY_ALONE = (
    (CRON_JOBS, COLLECTOR),
    *((each, registering.NAME) for each in (ROUTES, SERVICES, DEPLOYMENTS, CONFIG_MAPS)),
)
"""What goes with a registry beside its rights, by kind and name; its claim and its Secret stay."""
_OF_ROUTER_ALONE = ((DAEMON_SETS, ROUTER), (CONFIG_MAPS, CLIENTS_OF_ROUTERS))
_FOR_ROUTERS = frozenset(
    {*((each.kind, name) for each, name in _OF_ROUTER_ALONE), (ROUTES.kind, registering.NAME)}
)
"""What stays as it is while routers do, by kind and name: the registry's Route has the labels they select."""
_OF_VOLUMES = "-volumes"  # in the names of the manifests that only a platform with the volume driver has
_OF_SHARES = "-shares"
_OF_REGISTRY = "-registry"
_SERVED, _LOOK_EVERY = 120.0, 0.2  # seconds until a new definition is served, and between two tries
_CONTROLLERS = 2  # one acts, the other stands by; no more than there are masters


@dataclass(frozen=True)
class Volumes:
    """What the volume driver's manifests are filled in with; ``zones`` is "same" or "apart"."""

    cluster_id: str
    zones: str
    chosen: VolumeDriver
    cloud_files: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Volumes(cluster_id={self.cluster_id!r}, zones={self.zones!r}, chosen={self.chosen!r})"


@dataclass(frozen=True)
class Shares:
    """What the manifests of the driver of shares are filled in with."""

    cluster_id: str
    chosen: ShareDriver
    sidecars: Sidecars
    cloud_files: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Shares(cluster_id={self.cluster_id!r}, chosen={self.chosen!r})"


@dataclass(frozen=True)
class Settings:
    """What the manifests are filled in with; ``cloud_files`` are the credentials' files by name.

    ``volumes`` None leaves the volume driver out, ``shares`` None that of shares, ``registry`` None the
    registry. ``registry_host`` is that of a registry, whether there is one or not; "" if nothing gives it.
    """

    config: Mapping[str, Any]
    cloud_files: Mapping[str, str]
    masters: int
    image: str = IMAGE
    router: Routing | None = None
    volumes: Volumes | None = None
    shares: Shares | None = None
    registry: Registering | None = None
    registry_host: str = ""

    def __repr__(self) -> str:
        return f"Settings(config={self.config!r})"


def manifests(settings: Settings) -> list[Object]:
    """Return all objects in the order in which they are to be applied."""
    environment = _environment()
    config = json.dumps(settings.config, sort_keys=True)
    values = {
        "config": config,
        "cloud_files": dict(settings.cloud_files),
        "settings_digest": _digest(config),
        "controllers": min(_CONTROLLERS, settings.masters),
        "image": settings.image,
        "router": settings.router,
        "router_secret": routing.SECRET,
        "router_file": routing.FILE,
        "router_digest": _digest(settings.router.certificate) if settings.router else "",
        "clients_digest": _digest(settings.router.authorities) if settings.router else "",
        "clients": CLIENTS_OF_ROUTERS,
        "clients_file": routing.AUTHORITIES,
        "clients_directory": routing.CLIENTS,
        "volumes": settings.volumes,
        "shares": settings.shares,
        "registry": settings.registry,
        "registry_host": settings.registry_host,
    }
    unwanted = [
        mark
        for mark, chosen in (
            (_OF_VOLUMES, settings.volumes),
            (_OF_SHARES, settings.shares),
            (_OF_REGISTRY, settings.registry),
        )
        if chosen is None
    ]
    names = sorted(
        each.name
        for each in files("causeway.deploy").iterdir()
        if each.name.endswith(".yaml") and not any(mark in each.name for mark in unwanted)
    )
    return [
        document
        for name in names
        for document in yaml.safe_load_all(environment.get_template(name).render(values))
        if document
    ]


async def install(client: Client, objects: Sequence[Object], *, routers_stay: bool = False) -> None:
    """Declare the objects; those there already are changed where they differ.

    A router or a registry that is not wanted goes, with all that was for it; the registry's claim and keys
    stay, and its images. With ``routers_stay`` nothing is done about routers, whatever is declared of them.
    """
    await client.get(NAMESPACES, NAMESPACE)
    for each in objects:
        if routers_stay and (each["kind"], each["metadata"]["name"]) in _FOR_ROUTERS:
            continue
        if each["metadata"]["name"] in SHARED:
            with contextlib.suppress(AlreadyExists):
                await client.create(CRDS, each)
        elif each["kind"] == STORAGE_CLASSES.kind:
            await _install_class(client, each)
        elif each["kind"] == CSI_DRIVERS.kind:
            await _install_driver(client, each)
        elif each["kind"] in (SNAPSHOT_CLASSES.kind, ROUTES.kind):
            await _install_defined(client, each)
        else:
            await client.apply(each, manager=MANAGER)
    declared = {(each["kind"], each["metadata"]["name"]) for each in objects}
    for resource, name in () if routers_stay else _OF_ROUTER_ALONE:
        if (resource.kind, name) not in declared:
            await _served(partial(client.delete, resource, name, NAMESPACE))
    if (DEPLOYMENTS.kind, registering.NAME) not in declared:
        await _remove_registry(client)


async def _remove_registry(client: Client) -> None:
    """Delete what was for a registry; its account is what says that there is something, and goes last."""
    if not await _is_there(client, SERVICE_ACCOUNTS, registering.NAME):
        return
    for resource, name in _OF_REGISTRY_ALONE:
        await _served(partial(client.delete, resource, name, NAMESPACE))
    account = (SERVICE_ACCOUNTS.kind, registering.NAME)
    rights = [
        (resource_of(each), each["metadata"]["name"])
        for each in yaml.safe_load_all(files("causeway.deploy").joinpath(_REGISTRY).read_text())
    ]
    for resource, name in sorted(rights, key=lambda each: (each[0].kind, each[1]) == account):
        await _served(partial(client.delete, resource, name, NAMESPACE if resource.namespaced else None))


async def _is_there(client: Client, resource: Resource, name: str) -> bool:
    try:
        await _served(partial(client.get, resource, name, NAMESPACE))
    except NotFound:
        return False
    return True


async def _served(call: Callable[[], Awaitable[object]]) -> None:
    """Make a call, again and again while the API has no time for it."""
    until = asyncio.get_running_loop().time() + _SERVED
    while True:
        try:
            await call()
        except (TooManyRequests, Unavailable):
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(_LOOK_EVERY)
        else:
            return


async def _install_class(client: Client, wanted: Object) -> None:
    """Declare a StorageClass. Its parameters cannot be changed, but volumes do not depend on the object."""
    try:
        await client.apply(wanted, manager=MANAGER)
    except Invalid:
        await client.delete(STORAGE_CLASSES, wanted["metadata"]["name"])
        await client.apply(wanted, manager=MANAGER)


async def _install_driver(client: Client, wanted: Object) -> None:
    """Declare a CSIDriver. What the manifests of the driver before allow would stay allowed beside it."""
    made = await client.apply(wanted, manager=MANAGER)
    if made["spec"]["volumeLifecycleModes"] != wanted["spec"]["volumeLifecycleModes"]:
        await client.delete(CSI_DRIVERS, wanted["metadata"]["name"])
        await client.apply(wanted, manager=MANAGER)


async def _install_defined(client: Client, wanted: Object) -> None:
    """Declare an object whose definition may be so new that not every API server serves it yet."""
    until = asyncio.get_running_loop().time() + _SERVED
    while True:
        try:
            await client.apply(wanted, manager=MANAGER)
        except (NotFound, TooManyRequests, Unavailable):  # not known yet, or its storage is being made
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(_LOOK_EVERY)
        else:
            return


def config_of(
    *,
    cluster_id: str,
    platform: str,
    external_network: str,
    provider: str,
    service_cidr: str,
    outputs: Mapping[str, Any],
    namespace_networks: str = "shared",
    ready_ports: Mapping[str, Mapping[str, int]] = {},
    classes: Mapping[str, Mapping[str, str]] = {},
    names: Names | None = None,
    suffix: str = "",
    registry_host: str = "",
) -> dict[str, Any]:
    """Return the settings the controller reads, from the outputs of the platform's stack.

    ``suffix`` completes hosts at the router, ``registry_host`` is that of the registry there is: "" without.
    """
    return {
        "clusterId": cluster_id,
        "platform": platform,
        "externalNetworkId": external_network,
        "podNetworkId": outputs["pod_network"],
        "podSubnetId": outputs["pod_subnet"],
        "podSecurityGroupId": outputs["pod_security_group"],
        "serviceNetworkId": outputs["service_network"],
        "serviceSubnetId": outputs["service_subnet"],
        "nodeSubnetId": outputs["node_subnet"],
        "loadBalancerProvider": provider,
        "serviceCidr": service_cidr,
        "podSubnetV6Id": outputs.get("pod_subnet_v6") or "",
        "serviceSubnetV6Id": outputs.get("service_subnet_v6") or "",
        "namespaceNetworks": namespace_networks,
        "namespaceSubnetPoolIds": outputs.get("namespace_subnet_pools") or [],
        "pools": {pool: dict(sizes) for pool, sizes in ready_ports.items()},
        "loadBalancerClasses": {name: dict(one) for name, one in classes.items()},
    } | ({"names": names_of(names, cluster_id, outputs, suffix, registry_host)} if names is not None else {})


def names_of(
    names: Names, cluster_id: str, outputs: Mapping[str, Any], suffix: str = "", registry_host: str = ""
) -> dict[str, Any]:
    """Return what the controller is told of names: zones, owner, and the platform's own.

    What is below the router's suffix is among them where it lies in a zone, since the router's own name is;
    so is the registry's name: no Service may have it published for itself.
    """
    zone = names.zones[0]
    api, router = addresses(outputs)
    fixed = {f"{names.api}.": api, f"*.{ROUTED}.{zone}": router}
    for name in (f"*.{suffix}.", f"{registry_host}."):
        if any(name.endswith(f".{each}") for each in names.zones):
            fixed[name] = router
    return {
        "zones": list(names.zones),
        "owner": names.owner_id or cluster_id,
        "txtPrefix": names.txt_prefix,
        "txtSuffix": names.txt_suffix,
        "txtWildcardReplacement": names.txt_wildcard_replacement,
        "fixed": {name: address for name, address in fixed.items() if address},
    }


def addresses(outputs: Mapping[str, Any]) -> tuple[str, str]:
    """Return where the API and the router are reached, from outside if they are; "" where not yet known."""
    api = outputs.get("public_api_address") or outputs.get("api_address")
    router = outputs.get("public_router_address") or outputs.get("router_address")
    return api or "", router or ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("causeway", "deploy"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML for Kubernetes, not markup for a browser
    )
