"""The controller's settings: from its environment, and from the file ``apply`` wrote about the platform."""

import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from causeway.kit.errors import Exit, Problem
from causeway.rooms.pods.model import Sizes


class LoadBalancerClass(msgspec.Struct, frozen=True, rename="camel"):
    """What Services mean that name a class by the annotation ``loadbalancer.openstack.org/class``."""

    floating_network_id: str = ""
    floating_subnet_id: str = ""
    floating_subnet: str = ""
    floating_subnet_tags: str = ""
    network_id: str = ""
    subnet_id: str = ""
    member_subnet_id: str = ""


class Names(msgspec.Struct, frozen=True, rename="camel"):
    """Where names are written, as whom, and the platform's own by the addresses they lead to.

    The others are options of external-dns's TXT registry.
    """

    zones: tuple[str, ...]
    owner: str
    fixed: dict[str, str] = {}
    txt_prefix: str = ""
    txt_suffix: str = ""
    txt_wildcard_replacement: str = "wildcard"


class Platform(msgspec.Struct, frozen=True, rename="camel"):
    """What a platform's ``config.json`` says; identifiers are the cloud's, "" for what it does not have.

    Namespaces have a network of their own, or share the pods', unless they say otherwise; their own get
    ranges of the subnet pools (one of each address family at most). Pods of global namespaces reach all.
    ``cloud_calls_per_second`` bounds what the controller asks of the cloud's APIs together (0: no bound).
    ``pools`` says how many ready ports a node keeps, by pool of nodes; "" means the pools it does not name.
    """

    cluster_id: str
    platform: str
    external_network_id: str
    pod_network_id: str
    pod_subnet_id: str
    pod_security_group_id: str
    service_network_id: str
    service_subnet_id: str
    node_subnet_id: str
    load_balancer_provider: str
    service_cidr: str
    pod_subnet_v6_id: str = ""
    service_subnet_v6_id: str = ""
    namespace_networks: Literal["shared", "own"] = "shared"
    namespace_subnet_pool_ids: tuple[str, ...] = ()
    global_namespaces: tuple[str, ...] = ("default", "kube-system")
    cloud_calls_per_second: int = 100
    load_balancer_class: str = "causeway.dev/octavia"
    load_balancer_classes: dict[str, LoadBalancerClass] = {}
    pools: dict[str, Sizes] = {}
    names: Names | None = None


@dataclass(frozen=True)
class Settings:
    """Where the controller finds things; ``clouds_file`` None means the usual places."""

    config: Path
    cloud: str
    clouds_file: Path | None
    identity: str
    namespace: str
    health_port: int
    metrics_address: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings; raises ``Problem`` naming the variable that is malformed."""
        port = environment.get("CAUSEWAY_HEALTH_PORT", "9878")
        if not port.isdigit():
            raise Problem.of(
                "CAUSEWAY_HEALTH_PORT", f"{port!r} is not a number", "Give a port.", exit_code=Exit.USAGE
            )
        clouds_file = environment.get("OS_CLIENT_CONFIG_FILE")
        return cls(
            config=Path(environment.get("CAUSEWAY_CONFIG", "/etc/causeway/config.json")),
            cloud=environment.get("OS_CLOUD", "openstack"),
            clouds_file=Path(clouds_file) if clouds_file else None,
            identity=environment.get("POD_NAME") or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}",
            namespace=environment.get("POD_NAMESPACE", "kube-system"),
            health_port=int(port),
            metrics_address=environment.get("CAUSEWAY_METRICS_ADDRESS", ""),
        )

    def platform(self) -> Platform:
        """Read what is known of the platform; raises ``Problem``."""
        try:
            return msgspec.json.decode(self.config.read_bytes(), type=Platform)
        except (OSError, msgspec.DecodeError) as error:
            raise Problem.of(
                str(self.config),
                f"cannot be used: {error}",
                "Run `causeway apply` again: it writes the ConfigMap kube-system/causeway.",
                exit_code=Exit.USAGE,
            ) from error
