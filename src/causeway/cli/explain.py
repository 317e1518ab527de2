"""``causeway explain``: why one object is as it is, across Kubernetes and the cloud."""

import asyncio
import datetime
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from causeway.cloud import octavia_providers
from causeway.cloud.connection import connect, explained
from causeway.cloud.errors import CloudError
from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.session import Cloud
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Exit, Finding, Problem
from causeway.kube.access import Access, discover, from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.resource import CONFIG_MAPS, LEASES
from causeway.rooms.platforms import document, stack
from causeway.rooms.platforms.pki import admin_kubeconfig
from causeway.rooms.platforms.survey import api_url, kept_of
from causeway.rooms.pods import explain as pods
from causeway.rooms.pods.controller import site_of
from causeway.rooms.services import explain as services
from causeway.serve.controller import LEASE
from causeway.serve.controller.settings import Platform

EPILOG = "Example: causeway explain service default/web --platform platform.yaml"

app = typer.Typer(
    no_args_is_help=True,
    help="Why an object is as it is: desired, actual in the cloud, what remains, and the cause.",
    epilog=EPILOG,
)


class Output(StrEnum):
    """How facts are printed."""

    TEXT = "text"
    JSON = "json"


KEY = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="Which one.", show_default=False)]
PLATFORM = Annotated[
    Path | None,
    typer.Option("--platform", help="The platform file; else KUBECONFIG and OS_CLOUD say where to look."),
]
CLOUD = Annotated[
    str | None,
    typer.Option("--cloud", help="The cloud of clouds.yaml, if not the platform file's or OS_CLOUD."),
]
OUTPUT = Annotated[Output, typer.Option("-o", "--output", help="How to print the result.")]


@dataclass(frozen=True)
class Doors:
    """What an explanation is gathered through."""

    kube: Client
    neutron: Neutron
    octavia: Octavia
    platform: Platform
    controller: Finding | None


@app.command("service", epilog=EPILOG)
def service(key: KEY, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a Service: its load balancer, members, floating IP, and why traffic does not arrive.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, namespace: str, name: str) -> Explanation:
        provider = octavia_providers.known(doors.platform.load_balancer_provider) or octavia_providers.OVN
        facts = await services.gather(
            doors.kube,
            doors.octavia,
            doors.neutron,
            cluster=doors.platform.cluster_id,
            provider=provider,
            namespace=namespace,
            name=name,
            controller=doors.controller,
        )
        return services.explain(facts)

    _run(key, platform, cloud, output, look)


@app.command("pod", epilog="Example: causeway explain pod default/web-7f9c -o json")
def pod(key: KEY, platform: PLATFORM = None, cloud: CLOUD = None, output: OUTPUT = Output.TEXT) -> None:
    """Explain a pod's network: its port, trunk and VLAN, and why it does not start.

    Exit status: 0 nothing is wrong, 1 at least one cause was found, 2 the command line is wrong.
    """

    async def look(doors: Doors, namespace: str, name: str) -> Explanation:
        site = await site_of(
            doors.neutron,
            cluster=doors.platform.cluster_id,
            network_id=doors.platform.pod_network_id,
            subnet_id=doors.platform.pod_subnet_id,
            security_group_id=doors.platform.pod_security_group_id,
        )
        facts = await pods.gather(
            doors.kube, doors.neutron, site, namespace=namespace, name=name, controller=doors.controller
        )
        return pods.explain(facts)

    _run(key, platform, cloud, output, look)


def _run(
    key: str,
    platform: Path | None,
    cloud: str | None,
    output: Output,
    look: Callable[[Doors, str, str], Awaitable[Explanation]],
) -> None:
    namespace, slash, name = key.partition("/")
    if not (namespace and slash and name):
        raise Problem.of(key, "is not NAMESPACE/NAME", "As in: default/web", exit_code=Exit.USAGE)

    async def gather() -> Explanation:
        async with _doors(platform, cloud) as doors:
            return await look(doors, namespace, name)

    try:
        explanation = asyncio.run(gather())
    except CloudError as error:
        raise Problem.of(f"cloud service {error.service}", error.cause, error.remedy) from error
    if output is Output.JSON:
        print(json.dumps(asdict(explanation), indent=2))
    else:
        print(text_of(explanation))
    sys.exit(Exit.FAILED if explanation.causes else Exit.OK)


def text_of(explanation: Explanation) -> str:
    """Return an explanation for a person to read."""
    lines = [explanation.subject]
    for title, facts in (("desired", explanation.desired), ("actual", explanation.actual)):
        lines += ["", f"{title}:"]
        lines += [line for name, value in facts.items() for line in _fact(name, value)]
    lines += ["", "remaining steps:" if explanation.remaining else "remaining steps: none"]
    lines += [f"  {number}. {step}" for number, step in enumerate(explanation.remaining, 1)]
    if not explanation.causes:
        return "\n".join([*lines, "", "nothing is wrong"])
    lines += ["", "causes, the likeliest first:"]
    for cause in explanation.causes:
        lines += [f"  {cause.place}: {cause.cause}", f"    -> {cause.remedy}"]
    return "\n".join(lines)


def _fact(name: str, value: object) -> list[str]:
    if isinstance(value, dict):
        return [
            f"  {name}:",
            *(f"    {key}: {', '.join(map(str, each)) or '-'}" for key, each in value.items()),
        ]
    if isinstance(value, list):
        return [f"  {name}: {', '.join(map(str, value))}"]
    return [f"  {name}: {value}"]


@asynccontextmanager
async def _doors(file: Path | None, cloud: str | None) -> AsyncIterator[Doors]:
    access, named = (discover(), None) if file is None else await asyncio.to_thread(_of_platform, file)
    async with Client(access) as kube, await Cloud.open(cloud or named) as opened:
        yield Doors(
            kube, Neutron(opened), Octavia(opened), await _platform(kube), await controller_trouble(kube)
        )


def _of_platform(file: Path) -> tuple[Access, str]:
    """Return the way to a platform's API, and the name of its cloud."""
    platform = document.load(file)
    with connect(platform.spec.cloud) as cloud, explained(f"stack {platform.name}"):
        live = stack.owned(stack.heat_of(cloud), platform.name)
    if live is None:
        raise Problem.of(
            f"platform {platform.name}", "does not exist in this cloud", f"Run `causeway apply {file}`."
        )
    kept = kept_of(platform, file, live)
    config = admin_kubeconfig(kept.pki, platform=platform.name, server=api_url(live))
    return from_kubeconfig(config), platform.spec.cloud


async def _platform(kube: Client) -> Platform:
    try:
        found = await kube.get(CONFIG_MAPS, "causeway", "kube-system")
    except NotFound as error:
        raise Problem.of(
            "ConfigMap kube-system/causeway",
            "is missing: this is no platform of Causeway",
            "Name the platform by --platform, or point KUBECONFIG to it.",
        ) from error
    return msgspec.json.decode(found["data"]["config.json"], type=Platform)


async def controller_trouble(kube: Client) -> Finding | None:
    """Return what is wrong with the controller: nobody leads, or the leader is silent."""
    place, remedy = "causeway-controller", "kubectl -n kube-system logs deployment/causeway-controller"
    try:
        lease = (await kube.get(LEASES, LEASE, "kube-system"))["spec"]
    except NotFound:
        return Finding(place, "has never run", remedy)
    if not lease.get("holderIdentity"):
        return Finding(place, "nobody leads: no replica runs", remedy)
    renewed = datetime.datetime.fromisoformat(lease["renewTime"])
    silent = (datetime.datetime.now(datetime.UTC) - renewed).total_seconds()
    if silent > 2 * lease.get("leaseDurationSeconds", 15):
        return Finding(place, f"the leader {lease['holderIdentity']} is silent for {silent:.0f} s", remedy)
    return None
