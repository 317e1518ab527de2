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
