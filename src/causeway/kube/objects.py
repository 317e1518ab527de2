"""The part of Kubernetes' objects that we keep in memory, as slim structs.

Only the fields somebody reads: ten thousand pods take tens of megabytes instead of hundreds. ``gc=False`` is
right because none of these can be part of a cycle. They are read-only copies; see ``client`` on writing.
"""

from typing import Protocol

import msgspec


class OwnerReference(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who owns an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The metadata of any object; times stay the API's RFC 3339 text."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Cached(Protocol):
    """What a store needs to know of an object."""

    @property
    def metadata(self) -> Meta:
        """Return the object's metadata."""
        ...


def key_of(thing: Cached) -> str:
    """Return the key of an object: ``namespace/name``, or ``name`` without a namespace."""
    meta = thing.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str | None, str]:
    """Return (namespace or None, name) of a key."""
    namespace, slash, name = key.rpartition("/")
    return (namespace if slash else None), name


class PodIP(msgspec.Struct, gc=False, frozen=True):
    """One address of a pod."""

    ip: str = ""


class Condition(msgspec.Struct, gc=False, frozen=True):
    """A condition; ``status`` is "True", "False" or "Unknown"."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""


class PodSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Where a pod runs and on which network."""

    node_name: str = ""
    host_network: bool = False


class PodStatus(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What became of a pod."""

    phase: str = ""
    reason: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    conditions: tuple[Condition, ...] = ()


class Pod(msgspec.Struct, gc=False, frozen=True):
    """A pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ServicePort(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A port of a service; ``target_port`` is a number or the name of a container's port."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int = 0


class ClientIPConfig(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """How long a client stays with a member, in seconds."""

    timeout_seconds: int = 10800


class SessionAffinityConfig(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Settings of session affinity."""

    client_ip: ClientIPConfig | None = msgspec.field(default=None, name="clientIP")


class ServiceSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a service asks for."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] | None = None
    session_affinity: str = "None"
    session_affinity_config: SessionAffinityConfig | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    load_balancer_source_ranges: tuple[str, ...] = ()
    external_name: str = ""
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    publish_not_ready_addresses: bool = False


class IngressAddress(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """An address a service answers at from outside."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(msgspec.Struct, gc=False, frozen=True):
    """The addresses of a service of type LoadBalancer."""

    ingress: tuple[IngressAddress, ...] = ()


class ServiceStatus(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What became of a service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] = ()


class Service(msgspec.Struct, gc=False, frozen=True):
    """A service."""

    metadata: Meta
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class EndpointConditions(msgspec.Struct, gc=False, frozen=True):
    """Whether an endpoint takes traffic; None means unknown, to be taken as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetRef(msgspec.Struct, gc=False, frozen=True):
    """The object behind an endpoint."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Endpoint(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """One endpoint of a slice; its addresses are alternatives, the first is used."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    target_ref: TargetRef | None = None


class EndpointPort(msgspec.Struct, gc=False, frozen=True):
    """A port of all endpoints of a slice."""

    name: str | None = ""
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A part of the endpoints of a service, which its label ``kubernetes.io/service-name`` names."""

    metadata: Meta
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class NodeAddress(msgspec.Struct, gc=False, frozen=True):
    """An address of a node; ``type`` is "InternalIP", "Hostname" and so on."""

    type: str = ""
    address: str = ""


class NodeSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who a node is to the cloud."""

    provider_id: str = msgspec.field(default="", name="providerID")
    unschedulable: bool = False


class NodeStatus(msgspec.Struct, gc=False, frozen=True):
    """How a node does."""

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Node(msgspec.Struct, gc=False, frozen=True):
    """A node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Namespace(msgspec.Struct, gc=False, frozen=True):
    """A namespace."""

    metadata: Meta


class FixedIP(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """An address of a pod's port with the subnet it lies in."""

    ip_address: str
    prefix_length: int
    gateway: str = ""


class PodPortSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The cloud port of a pod, as its node needs it; ``segmentation_id`` is the VLAN on the node's trunk."""

    pod_uid: str = msgspec.field(name="podUID")
    node: str
    port_id: str = msgspec.field(name="portID")
    segmentation_id: int = msgspec.field(name="segmentationID")
    mac_address: str
    fixed_ips: tuple[FixedIP, ...] = msgspec.field(name="fixedIPs")
    mtu: int


class PodPort(msgspec.Struct, gc=False, frozen=True):
    """Tells a node about the port of one of its pods; named like the pod."""

    metadata: Meta
    spec: PodPortSpec
