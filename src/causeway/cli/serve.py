"""``causeway serve``: the long-running parts, as they are started inside a platform."""

import os

import typer

app = typer.Typer(
    no_args_is_help=True, help="The long-running parts of a platform; started by its manifests."
)


@app.callback()
def serve() -> None:
    """Keep the name of the part an argument, also while there is a single one."""


@app.command(epilog="Example: NODE_NAME=worker-1 KUBECONFIG=/etc/kubernetes/admin.conf causeway serve node")
def node() -> None:
    """Give the pods of this node their ports: the CNI daemon, until SIGTERM.

    Needs root on the node. Settings come from the environment: NODE_NAME is required.
    """
    from causeway.serve.node import run  # noqa: PLC0415  # the controller's process need not hold it
    from causeway.serve.node.config import NodeConfig  # noqa: PLC0415

    run(NodeConfig.from_environment(os.environ))
