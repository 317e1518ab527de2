"""The settings of the node daemon, from its environment (listed in the package's docstring)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from causeway.host.bridge import SOCKET
from causeway.kit.errors import Exit, Problem


@dataclass(frozen=True)
class NodeConfig:
    """Where the daemon works; deadlines in seconds. ``trunk`` "" means the interface of the default route."""

    node: str
    trunk: str = ""
    run_dir: Path = Path("/run/causeway")
    cni_bin_dir: Path = Path("/opt/cni/bin")
    cni_conf_dir: Path = Path("/etc/cni/net.d")
    health_port: int = 9879
    port_deadline: float = 45.0
    gateway_deadline: float = 5.0
    metrics_address: str = ""
    switch: Path = SOCKET

    @property
    def socket(self) -> Path:
        """Return where the shim finds the daemon."""
        return self.run_dir / "cni.sock"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "NodeConfig":
        """Return the settings; raises ``Problem`` naming the variable that is missing or malformed."""
        node = environment.get("NODE_NAME")
        if not node:
            raise Problem.of(
                "NODE_NAME",
                "is not set",
                "Set it to the name of this node (fieldRef spec.nodeName).",
                exit_code=Exit.USAGE,
            )
        return cls(
            node=node,
            trunk=environment.get("CAUSEWAY_TRUNK_INTERFACE", ""),
            run_dir=Path(environment.get("CAUSEWAY_RUN_DIR", cls.run_dir)),
            cni_bin_dir=Path(environment.get("CAUSEWAY_CNI_BIN_DIR", cls.cni_bin_dir)),
            cni_conf_dir=Path(environment.get("CAUSEWAY_CNI_CONF_DIR", cls.cni_conf_dir)),
            health_port=int(_number(environment, "CAUSEWAY_HEALTH_PORT", cls.health_port)),
            port_deadline=_number(environment, "CAUSEWAY_PORT_DEADLINE", cls.port_deadline),
            gateway_deadline=_number(environment, "CAUSEWAY_GATEWAY_DEADLINE", cls.gateway_deadline),
            metrics_address=environment.get("CAUSEWAY_METRICS_ADDRESS", ""),
            switch=Path(environment.get("CAUSEWAY_SWITCH_SOCKET", cls.switch)),
        )


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    value = environment.get(name)
    if value is None:
        return default
    try:
        return float(value)
    except ValueError:
        raise Problem.of(name, f"{value!r} is not a number", "Give a number.", exit_code=Exit.USAGE) from None
