"""The settings of a driver of storage: from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from causeway.host import instance
from causeway.host.instance import Instance
from causeway.kit.errors import Exit, Problem

VOLUMES = "cinder.csi.openstack.org"
SHARES = "manila.csi.openstack.org"
_OF_SHARES = (SHARES, f"nfs.{SHARES}", f"cephfs.{SHARES}")
"""What cloud-provider-openstack's drivers of shares are called, one for each protocol."""
ENDPOINT = "unix:///csi/csi.sock"


@dataclass(frozen=True)
class Common:
    """What both services say about themselves; ``zones``: whether the storage's zones are those of the nodes.

    ``health_port`` is where they say whether they work, None for nowhere.
    """

    endpoint: str = ENDPOINT
    driver: str = VOLUMES
    zones: bool = True
    health_port: int | None = None

    @property
    def topology_key(self) -> str:
        """The key of a node's zone in its topology, which Kubernetes makes a label of the node.

        PersistentVolumes and classes have cloud-provider-openstack's, which is one for all drivers of shares.
        """
        return f"topology.{SHARES if self.driver in _OF_SHARES else self.driver}/zone"


@dataclass(frozen=True)
class ControllerSettings:
    """Where the controller service finds things; ``clouds_file`` None means the usual places.

    ``claims``: whether the annotations of claims are read, from the Kubernetes API.
    """

    common: Common
    cluster: str
    cloud: str
    clouds_file: Path | None
    claims: bool = False


@dataclass(frozen=True)
class NodeSettings:
    """Which server the node is, its volume ``limit`` (None: found out), and where the machine's files are.

    ``registration`` is where the kubelet looks for drivers, None if somebody else tells it.
    """

    common: Common
    root: Path
    instance: Instance | None
    limit: int | None
    registration: Path | None = None

    def server(self) -> Instance:
        """Return which server this is; raises ``Problem``."""
        return self.instance or instance.discover(self.root)


def common(environment: Mapping[str, str], driver: str = VOLUMES) -> Common:
    """Return what both services of a ``driver`` need; raises ``Problem`` naming what is malformed.

    Volumes are where their server is, shares are reached from everywhere, unless it is said otherwise.
    """
    zones = environment.get("CAUSEWAY_CSI_ZONES", "same" if driver == VOLUMES else "apart")
    if zones not in ("same", "apart"):
        raise _wrong("CAUSEWAY_CSI_ZONES", zones, "Say same, or apart where its zones are not Nova's.")
    endpoint = environment.get("CSI_ENDPOINT", ENDPOINT)
    if "://" not in endpoint:
        endpoint = f"unix://{endpoint}"
    name = environment.get("CAUSEWAY_CSI_DRIVER", driver)
    port = environment.get("CAUSEWAY_CSI_HEALTH_PORT", "")
    if port and not port.isdigit():
        raise _wrong("CAUSEWAY_CSI_HEALTH_PORT", port, "Give a port.")
    return Common(endpoint, name, zones == "same", int(port) if port else None)


def controller(environment: Mapping[str, str], driver: str = VOLUMES) -> ControllerSettings:
    """Return the controller service's settings; raises ``Problem`` naming the variable that is wrong."""
    cluster = environment.get("CAUSEWAY_CLUSTER_ID", "")
    if not cluster:
        remedy = "Set it to the platform's id, or to the value of --cluster of the driver used before."
        raise _wrong("CAUSEWAY_CLUSTER_ID", cluster, remedy)
    claims = environment.get("CAUSEWAY_CSI_CLAIMS", "ignored")
    if claims not in ("read", "ignored"):
        raise _wrong("CAUSEWAY_CSI_CLAIMS", claims, "Say read, or ignored.")
    clouds_file = environment.get("OS_CLIENT_CONFIG_FILE")
    return ControllerSettings(
        common(environment, driver),
        cluster,
        environment.get("OS_CLOUD", "openstack"),
        Path(clouds_file) if clouds_file else None,
        claims == "read",
    )


def node(environment: Mapping[str, str], driver: str = VOLUMES) -> NodeSettings:
    """Return the node service's settings; raises ``Problem`` naming the variable that is malformed."""
    limit = environment.get("CAUSEWAY_CSI_VOLUME_LIMIT", "")
    if limit and not limit.isdigit():
        raise _wrong("CAUSEWAY_CSI_VOLUME_LIMIT", limit, "Give a number of volumes.")
    identifier = environment.get("CAUSEWAY_NODE_ID", "")
    zone = environment.get("CAUSEWAY_NODE_ZONE", "")
    registration = environment.get("CAUSEWAY_CSI_REGISTRATION")
    return NodeSettings(
        common(environment, driver),
        Path(environment.get("CAUSEWAY_HOST_ROOT", "/")),
        Instance(identifier, zone) if identifier else None,
        int(limit) if limit else None,
        Path(registration) if registration else None,
    )


def _wrong(variable: str, value: str, remedy: str) -> Problem:
    cause = f"{value!r} cannot be used" if value else "it is not set"
    return Problem.of(variable, cause, remedy, exit_code=Exit.USAGE)
