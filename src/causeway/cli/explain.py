"""``causeway explain``: why one object is as it is, across Kubernetes and the cloud."""

import typer

from causeway.cli import explain_everything
from causeway.cli.explain_name import NAME_EPILOG, ZONE_EPILOG, name, zone
from causeway.cli.explain_namespace import namespace
from causeway.cli.explain_node import node
from causeway.cli.explain_pod import pod
from causeway.cli.explain_policy import EPILOG as POLICY_EPILOG
from causeway.cli.explain_policy import policy
from causeway.cli.explain_service import EPILOG, service
from causeway.cli.explaining import OUTPUT, PLATFORM, Output, run_kubernetes
from causeway.engine.explanation import Explanation
from causeway.kube.client import Client

app = typer.Typer(invoke_without_command=True, epilog=EPILOG)


@app.callback()
def everything(context: typer.Context, platform: PLATFORM = None, output: OUTPUT = Output.TEXT) -> None:
    """Why an object is as it is: desired, actual in the cloud, what remains, and the cause.

    Without an object: all that is not as it should be, by what Kubernetes says of it.
    """
    if context.invoked_subcommand is None:

        async def look(kube: Client) -> Explanation:
            return explain_everything.explain(await explain_everything.gather(kube))

        run_kubernetes(platform, output, look)
    else:  # options before the kind are the kind's, unless it has its own
        given = {"output": output} if platform is None else {"platform": platform, "output": output}
        context.default_map = {context.invoked_subcommand: given}


app.command("service", epilog=EPILOG)(service)
app.command("pod", epilog="Example: causeway explain pod default/web-7f9c -o json")(pod)
app.command("node", epilog="Example: causeway explain node worker-1")(node)
app.command("namespace", epilog="Example: causeway explain namespace shop")(namespace)
app.command("policy", epilog=POLICY_EPILOG)(policy)
app.command("name", epilog=NAME_EPILOG)(name)
app.command("zone", epilog=ZONE_EPILOG)(zone)
