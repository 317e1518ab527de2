"""``causeway explain``: what became of a pod or a service, and why, across Kubernetes and the cloud."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from causeway.cli.preflight import Output
from causeway.cloud.connection import connect, explained
from causeway.cloud.errors import CloudError
from causeway.cloud.neutron import Neutron
from causeway.cloud.session import Cloud
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Exit, Problem
from causeway.kube.access import Access, discover, from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.resource import CONFIG_MAPS
from causeway.rooms.platforms import document, stack
from causeway.rooms.platforms.pki import admin_kubeconfig
from causeway.rooms.platforms.survey import api_url, kept_of
from causeway.rooms.pods.controller import site_of
from causeway.rooms.pods.explain import explain as explain_pod
from causeway.serve.controller.settings import Platform

app = typer.Typer(
    no_args_is_help=True,
    help="Say what became of a pod or a service in the cloud, what remains to be done, and why.",
    epilog="Example: causeway explain pod default/frontend-0 --platform platform.yaml",
)

NAME = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="The object.", show_default=False)]
PLATFORM = Annotated[
    Path | None,
    typer.Option("--platform", help="The platform file; else KUBECONFIG and OS_CLOUD say which is meant."),
]
OUTPUT = Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")]


@dataclass(frozen=True)
class Place:
    """Where the object lives: both doors, open, and what the platform is made of."""

    client: Client
    cloud: Cloud
    platform: Platform


@app.command(epilog="Example: causeway explain pod default/frontend-0 --platform platform.yaml -o json")
def pod(name: NAME, platform: PLATFORM = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a pod's network: its port, the trunk of its node, and what the node was told.

    Exit status: 0 all is as desired, 1 something remains to be done or is wrong.
    """
    namespace, own = _split(name)

    async def ask(place: Place) -> Explanation:
        neutron = Neutron(place.cloud)
        site = await site_of(
            neutron,
            cluster=place.platform.cluster_id,
            network_id=place.platform.pod_network_id,
            subnet_id=place.platform.pod_subnet_id,
            security_group_id=place.platform.pod_security_group_id,
        )
        return await explain_pod(place.client, neutron, site, namespace=namespace, name=own)

    _run(ask, platform, output)


def _run(ask: Callable[[Place], Awaitable[Explanation]], file: Path | None, output: Output) -> None:
    access, cloud = _doors(file)

    async def main() -> Explanation:
        async with Client(access) as client, await Cloud.open(cloud) as opened:
            settings = await client.get(CONFIG_MAPS, "causeway", "kube-system")
            platform = msgspec.json.decode(settings["data"]["config.json"], type=Platform)
            return await ask(Place(client, opened, platform))

    try:
        explanation = asyncio.run(main())
    except CloudError as error:
        raise Problem.of(error.service, str(error), error.remedy) from error
    if output is Output.JSON:
        print(json.dumps({**asdict(explanation), "well": explanation.well}, indent=2))
    else:
        print("\n".join(_lines(explanation)))
    raise typer.Exit(Exit.OK if explanation.well else Exit.FAILED)


def _doors(file: Path | None) -> tuple[Access, str | None]:
    """Return the access to the platform's API and the name of its cloud."""
    if file is None:
        return discover(), None
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud, explained(f"stack {platform.name}"):
        live = stack.owned(stack.heat_of(cloud), platform.name)
    if live is None:
        raise Problem.of(
            f"platform {platform.name}", "does not exist in this cloud", f"Run `causeway apply {file}`."
        )
    pki = kept_of(platform, file, live).pki
    kubeconfig = admin_kubeconfig(pki, platform=platform.name, server=api_url(live))
    return from_kubeconfig(kubeconfig), platform.spec.cloud


def _split(name: str) -> tuple[str, str]:
    match = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9.-]+)", name)
    if match is None:
        raise Problem.of(name, "is not NAMESPACE/NAME", "Write it as default/frontend.", exit_code=Exit.USAGE)
    return match[1], match[2]


def _lines(explanation: Explanation) -> list[str]:
    lines = [explanation.subject]
    for title, facts in (("desired", explanation.desired), ("actual", explanation.actual)):
        lines += [f"  {title}:", *_indented(facts, 4)] if facts else [f"  {title}: nothing"]
    for step in explanation.steps:
        lines.append(f"  remains: {step}")
    for finding in explanation.findings:
        lines += [f"  cause: {finding.place}: {finding.cause}", f"    -> {finding.remedy}"]
    if explanation.well:
        lines.append("  all is as desired")
    return lines


def _indented(value: object, depth: int) -> list[str]:
    space = " " * depth
    lines = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, dict | list) and item:
            lines += [f"{space}{key}:", *_indented(item, depth + 2)]
        else:
            lines.append(f"{space}{key}: {'-' if item in (None, '', [], {}) else item}")
    return lines
