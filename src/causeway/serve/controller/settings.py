"""The controller's settings: from its environment, and from the file ``apply`` wrote about the platform."""

import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from causeway.kit.errors import Exit, Problem


class Platform(msgspec.Struct, frozen=True, rename="camel"):
    """What a platform's ``config.json`` says; identifiers are the cloud's."""

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


@dataclass(frozen=True)
class Settings:
    """Where the controller finds things; ``clouds_file`` None means the usual places."""

    config: Path
    cloud: str
    clouds_file: Path | None
    identity: str
    namespace: str
    health_port: int

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
