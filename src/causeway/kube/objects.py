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


class ContainerPort(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A port a container says it listens on; what refers to it by name means its number and protocol."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A container; ``restart_policy`` "Always" makes an init container one that stays (a sidecar)."""

    ports: tuple[ContainerPort, ...] = ()
    restart_policy: str = ""


class PodSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Where a pod runs and on which network, and what its containers listen on."""

    node_name: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()


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
    internal_traffic_policy: str = "Cluster"
    external_traffic_policy: str = ""


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


class EndpointPort(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A port of all endpoints of a slice; ``app_protocol`` "" for none said."""

    name: str | None = ""
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str = ""


SERVICE_OF_SLICE = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names its service."""


class EndpointSlice(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A part of the endpoints of a service, which its label ``SERVICE_OF_SLICE`` names."""

    metadata: Meta
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class NodeAddress(msgspec.Struct, gc=False, frozen=True):
    """An address of a node; ``type`` is "InternalIP", "Hostname" and so on."""

    type: str = ""
    address: str = ""


class Taint(msgspec.Struct, gc=False, frozen=True):
    """What keeps pods off a node unless they tolerate it."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who a node is to the cloud."""

    provider_id: str = msgspec.field(default="", name="providerID")
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(msgspec.Struct, gc=False, frozen=True):
    """How a node does."""

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Node(msgspec.Struct, gc=False, frozen=True):
    """A node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NamespaceStatus(msgspec.Struct, gc=False, frozen=True):
    """How a namespace does; ``phase`` is "Active" or "Terminating"."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(msgspec.Struct, gc=False, frozen=True):
    """A namespace."""

    metadata: Meta
    status: NamespaceStatus = NamespaceStatus()


class LabelRequirement(msgspec.Struct, gc=False, frozen=True):
    """A requirement on one label; ``operator`` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which labels are meant; without any requirement all are."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


class IPBlock(msgspec.Struct, gc=False, frozen=True):
    """A range of addresses without some ranges within it."""

    cidr: str
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class NetworkPolicyPeer(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Who is at the other end: pods by their own and their namespace's labels, or addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyPort(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """A port by number or name, or the numbers up to ``end_port``; None means all of the protocol."""

    protocol: str = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class NetworkPolicyIngressRule(msgspec.Struct, gc=False, frozen=True):
    """From whom traffic may come, to which ports; an empty list means everybody, every port."""

    ports: tuple[NetworkPolicyPort, ...] = ()
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")


class NetworkPolicyEgressRule(msgspec.Struct, gc=False, frozen=True):
    """To whom traffic may go, on which ports; an empty list means everybody, every port."""

    ports: tuple[NetworkPolicyPort, ...] = ()
    to: tuple[NetworkPolicyPeer, ...] = ()


class NetworkPolicySpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which pods of its namespace a policy is for, and what it allows them."""

    pod_selector: LabelSelector = LabelSelector()
    policy_types: tuple[str, ...] = ()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()


class NetworkPolicy(msgspec.Struct, gc=False, frozen=True):
    """A policy; what no policy for a pod allows is forbidden in the directions its policies are about."""

    metadata: Meta
    spec: NetworkPolicySpec = NetworkPolicySpec()


class FixedIP(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """An address of a pod's port with the subnet it lies in."""

    ip_address: str
    prefix_length: int
    gateway: str = ""


class PoolPort(msgspec.Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    """A port that is ready on a node: what the node needs of it, and who may have it.

    ``segmentation_id`` is its VLAN on the node's trunk, 0 on a node that is itself a part of the cloud's
    network. ``namespace`` "" means any pod of a namespace without a network of its own, else only pods of
    that namespace; ``pod_uid`` means that pod alone; ``interface`` is the pod's interface, "" its first.
    One that is ``retiring`` is not handed out any more. A ``prepared`` one is somebody's own, with security
    groups of its own: no pod that a NetworkPolicy selects is given it.
    """

    port_id: str = msgspec.field(name="portID")
    mac_address: str
    fixed_ips: tuple[FixedIP, ...] = msgspec.field(name="fixedIPs")
    mtu: int
    segmentation_id: int = msgspec.field(default=0, name="segmentationID")
    namespace: str = ""
    pod_uid: str = msgspec.field(default="", name="podUID")
    interface: str = ""
    retiring: bool = False
    prepared: bool = False


class PortPoolSpec(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """The ports of a node; ``own_networks`` says that namespaces have one unless they are annotated."""

    ports: tuple[PoolPort, ...] = ()
    own_networks: bool = False


class Claim(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which pod has a port of a pool, and for which of its interfaces ("" for the first)."""

    port_id: str = msgspec.field(name="portID")
    pod_uid: str = msgspec.field(name="podUID")
    namespace: str
    name: str
    interface: str = ""


class PortPoolStatus(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """What a node says of its pool: what it has handed out, knowing the spec of ``observed_generation``.

    A port that was retiring in that generation and is not claimed here is never handed out again.
    """

    observed_generation: int = 0
    claims: tuple[Claim, ...] = ()
    conditions: tuple[Condition, ...] = ()


class PortPool(msgspec.Struct, gc=False, frozen=True):
    """The ports of one node, from which its daemon gives each pod one without asking; named like the node."""

    metadata: Meta
    spec: PortPoolSpec = PortPoolSpec()
    status: PortPoolStatus = PortPoolStatus()
