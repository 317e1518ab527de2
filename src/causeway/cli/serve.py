"""``causeway serve``: the long-running parts, as they are started inside a platform."""
# Each of these processes holds only what it needs itself.
# ruff: noqa: PLC0415

import os

import typer

app = typer.Typer(
    no_args_is_help=True, help="The long-running parts of a platform; started by its manifests."
)


@app.command(epilog="Example: KUBECONFIG=/etc/kubernetes/admin.conf OS_CLOUD=lab causeway serve controller")
def controller() -> None:
    """Give pods their ports and services their load balancers, as long as this instance leads, until SIGTERM.

    Settings come from the environment and CAUSEWAY_CONFIG, a file that `causeway apply` makes.
    """
    from causeway.serve.controller import run
    from causeway.serve.controller.settings import Settings

    run(Settings.from_environment(os.environ))


@app.command(epilog="Example: NODE_NAME=worker-1 KUBECONFIG=/etc/kubernetes/admin.conf causeway serve node")
def node() -> None:
    """Give the pods of this node their ports: the CNI daemon, until SIGTERM.

    Needs root on the node. Settings come from the environment: NODE_NAME is required.
    """
    from causeway.serve.node import run
    from causeway.serve.node.config import NodeConfig

    run(NodeConfig.from_environment(os.environ))


@app.command(
    epilog="Example: KUBECONFIG=~/.kube/config CAUSEWAY_ROUTER_HTTP=127.0.0.1:8080 "
    "CAUSEWAY_ROUTER_HTTPS=127.0.0.1:8443 causeway serve router"
)
def router() -> None:
    """Serve the Routes of a platform with HAProxy, until SIGTERM.

    Settings come from the environment: see docs/reference/router.md.
    """
    from causeway.serve.router import run
    from causeway.serve.router.settings import Settings

    run(Settings.from_environment(os.environ))


@app.command(
    epilog="Example: CAUSEWAY_CLUSTER_ID=mine OS_CLOUD=lab CSI_ENDPOINT=unix:///run/csi/controller.sock "
    "causeway serve csi-controller"
)
def csi_controller() -> None:
    """Make, attach and delete volumes of Cinder for Kubernetes' storage sidecars, until SIGTERM.

    Settings come from the environment: CAUSEWAY_CLUSTER_ID is required.
    """
    from causeway.serve.csi import settings
    from causeway.serve.csi.controller import run

    run(settings.controller(os.environ))


@app.command(epilog="Example: CSI_ENDPOINT=unix:///run/csi/node.sock causeway serve csi-node")
def csi_node() -> None:
    """Mount volumes of Cinder on this node for its kubelet, until SIGTERM.

    Needs root on the node. Settings come from the environment.
    """
    from causeway.serve.csi import settings
    from causeway.serve.csi.node import run

    run(settings.node(os.environ))


@app.command(
    epilog="Example: KUBECONFIG=/etc/kubernetes/admin.conf CAUSEWAY_REGISTRY_HOST=registry.apps.example.org "
    "causeway serve registry-auth"
)
def registry_auth() -> None:
    """Give clients of the registry tokens for what Kubernetes' roles let them do, until SIGTERM.

    Settings come from the environment: CAUSEWAY_REGISTRY_HOST is required, and a directory with keys.
    """
    from causeway.serve.registry import run
    from causeway.serve.registry.settings import Settings

    run(Settings.from_environment(os.environ))


@app.command(
    epilog="Example: KUBECONFIG=/etc/kubernetes/admin.conf CAUSEWAY_REGISTRY_POD=collector "
    "CAUSEWAY_REGISTRY_IMAGES=/var/lib/registry causeway serve registry-collector"
)
def registry_collector() -> None:
    """Delete what no image of the registry needs, and images of namespaces that are gone; then end.

    It waits until nobody pushes, and nobody may meanwhile. Settings come from the environment:
    CAUSEWAY_REGISTRY_POD is required.
    """
    from causeway.serve.registry.collector import run
    from causeway.serve.registry.settings import Collector

    run(Collector.from_environment(os.environ))


@app.command(
    epilog="Example: CAUSEWAY_CLUSTER_ID=mine OS_CLOUD=lab CSI_ENDPOINT=unix:///run/csi/shares.sock "
    "causeway serve csi-shares-controller"
)
def csi_shares_controller() -> None:
    """Make, open and delete shares of Manila for Kubernetes' storage sidecars, until SIGTERM.

    Settings come from the environment: CAUSEWAY_CLUSTER_ID is required.
    """
    from causeway.serve.csi import settings
    from causeway.serve.csi.shares.controller import run

    run(settings.controller(os.environ, settings.SHARES))


@app.command(epilog="Example: CSI_ENDPOINT=unix:///run/csi/shares-node.sock causeway serve csi-shares-node")
def csi_shares_node() -> None:
    """Mount shares of Manila on this node for its kubelet, until SIGTERM.

    Needs root on the node. Settings come from the environment.
    """
    from causeway.serve.csi import settings
    from causeway.serve.csi.shares.node import run

    run(settings.node(os.environ, settings.SHARES))
