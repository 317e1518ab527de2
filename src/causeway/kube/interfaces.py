"""Further interfaces of a pod, as its annotation asks for them: read alike by the controller and the nodes.

After the Kubernetes Network Custom Resource Definition De-facto Standard, version 1.3: section 4.1 says what
the annotation may be, section 5 what is told about it.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from causeway.kube.objects import Meta, Pod
from causeway.kube.podnetwork import NETWORKS
from causeway.kube.resource import Resource

STATUS = "k8s.v1.cni.cncf.io/network-status"
"""Annotation of a pod: which interfaces it has."""

ATTACHMENT_DEFINITIONS = Resource(
    "k8s.cni.cncf.io", "v1", "network-attachment-definitions", "NetworkAttachmentDefinition"
)
TYPE = "causeway"
"""The CNI type of attachments that are ours to make."""

FIRST = "eth0"
_LABEL = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_INTERFACE = re.compile(r"[a-zA-Z0-9][-_.a-zA-Z0-9]{0,14}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_UNSUPPORTED = ("infiniband-guid", "bandwidth", "portMappings", "cni-args", "ipam-claim-reference")


class AttachmentSpec(msgspec.Struct, gc=False, frozen=True):
    """What a NetworkAttachmentDefinition says: a CNI configuration as text."""

    config: str = ""


class AttachmentDefinition(msgspec.Struct, gc=False, frozen=True):
    """A network pods can ask for by name."""

    metadata: Meta
    spec: AttachmentSpec = AttachmentSpec()


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface a pod asks for: by which definition, its name in the pod, and what it wishes.

    ``addresses`` and ``mac`` are "whatever the cloud gives" when empty; ``gateways`` take the place of the
    pod's default routes.
    """

    namespace: str
    definition: str
    name: str
    addresses: tuple[str, ...] = ()
    mac: str = ""
    gateways: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the key of the definition."""
        return f"{self.namespace}/{self.definition}"


class _Wish(msgspec.Struct, rename="kebab", forbid_unknown_fields=True):
    name: str
    namespace: str = ""
    interface: str = ""
    ips: list[str] = []
    mac: str = ""
    default_route: list[str] = []


def interfaces_of(pod: Pod) -> tuple[Interface, ...]:
    """Return the further interfaces of a pod in their order; raises ``ValueError`` naming what is wrong."""
    text = pod.metadata.annotations.get(NETWORKS, "").strip()
    if not text:
        return ()
    wishes = _listed(text) if text.startswith("[") else [_short(part.strip()) for part in text.split(",")]
    taken = {FIRST} | {wish.interface for wish in wishes if wish.interface}
    numbers = (f"net{number}" for number in range(1, len(wishes) + len(taken) + 1))
    free = iter([name for name in numbers if name not in taken])
    found = [_interface(wish, wish.interface or next(free), pod.metadata.namespace) for wish in wishes]
    names = [each.name for each in found]
    if twice := sorted({name for name in names if names.count(name) > 1 or name == FIRST}):
        raise ValueError(f"interface {twice[0]} is asked for twice, or is the pod's first")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class NetworkNamed:
    """The cloud's network that a definition names: by id or name, with its subnets and groups if it says."""

    network: str
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def network_named(definition: AttachmentDefinition) -> NetworkNamed:
    """Return the network of a definition; raises ``ValueError`` naming what is wrong with it."""
    try:
        config = msgspec.json.decode(definition.spec.config, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"its config is no JSON object: {error}") from None
    plugins = config.get("plugins")
    if isinstance(plugins, list):
        if len(plugins) != 1 or not isinstance(plugins[0], dict):
            raise ValueError("its config has several plugins")
        config = {**config, **plugins[0]}
    if config.get("type") != TYPE:
        raise ValueError(f"its type is {config.get('type')!r}, not {TYPE!r}")
    network = config.get("network")
    if not isinstance(network, str) or not network:
        raise ValueError("it has no key network with a network of the cloud, by ID or name")
    return NetworkNamed(network, _texts(config, "subnets"), _texts(config, "securityGroups"))


def _texts(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"its key {key} is no list of texts")
    return tuple(value)


def _listed(text: str) -> list[_Wish]:
    try:
        raw = msgspec.json.decode(text, type=list[dict[str, Any]])
        for each in raw:
            for key in _UNSUPPORTED:
                if each.pop(key, None):
                    raise ValueError(f"{key} is not supported")
        return msgspec.convert(raw, list[_Wish])
    except msgspec.MsgspecError as error:
        raise ValueError(f"it is no list of networks: {error}") from None


def _short(text: str) -> _Wish:
    """Read ``namespace/name@interface``, of which only the name has to be there."""
    where, _, interface = text.partition("@")
    namespace, _, name = where.rpartition("/")
    return _Wish(name, namespace, interface)


def _interface(wish: _Wish, name: str, namespace: str) -> Interface:
    for part, what in ((wish.name, "a name"), (wish.namespace or namespace, "a namespace")):
        if not _LABEL.fullmatch(part):
            raise ValueError(f"{part!r} is not {what} of a NetworkAttachmentDefinition")
    if not _INTERFACE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an interface")
    mac = wish.mac.lower()
    if mac and not _MAC.fullmatch(mac):
        raise ValueError(f"{wish.mac!r} is no MAC address")
    addresses = tuple(str(ipaddress.ip_interface(each).ip) for each in wish.ips)
    gateways = tuple(str(ipaddress.ip_address(each)) for each in wish.default_route)
    return Interface(wish.namespace or namespace, wish.name, name, addresses, mac, gateways)
