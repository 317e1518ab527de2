"""What the commands of ``causeway explain`` share: the doors to both sides, and how they tell."""

import asyncio
import datetime
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

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
from causeway.serve.controller import LEASE
from causeway.serve.controller.settings import Platform


class Output(StrEnum):
    """How facts are printed."""

    TEXT = "text"
    JSON = "json"


KEY = Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="Which one.", show_default=False)]
NAME = Annotated[str, typer.Argument(metavar="NAME", help="Which one.", show_default=False)]
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
    cloud: Cloud
    neutron: Neutron
    octavia: Octavia
    platform: Platform
    controller: Finding | None


def run(
    key: str,
    platform: Path | None,
    cloud: str | None,
    output: Output,
    look: Callable[[Doors, str, str], Awaitable[Explanation]],
) -> None:
    """Explain the object NAMESPACE/NAME as ``look`` sees it, print that, and exit 1 if there are causes."""
    namespace, slash, name = key.partition("/")
    if not (namespace and slash and name):
        raise Problem.of(key, "is not NAMESPACE/NAME", "As in: default/web", exit_code=Exit.USAGE)
    _run(platform, cloud, output, lambda doors: look(doors, namespace, name))


def run_named(
    name: str,
    platform: Path | None,
    cloud: str | None,
    output: Output,
    look: Callable[[Doors, str], Awaitable[Explanation]],
) -> None:
    """Explain the object NAME, which is in no namespace; else as ``run``."""
    if "/" in name or not name:
        raise Problem.of(name or "NAME", "is not a name", "As in: worker-1", exit_code=Exit.USAGE)
    _run(platform, cloud, output, lambda doors: look(doors, name))


def _run(
    platform: Path | None,
    cloud: str | None,
    output: Output,
    look: Callable[[Doors], Awaitable[Explanation]],
) -> None:
    async def gather() -> Explanation:
        async with _doors(platform, cloud) as doors:
            return await look(doors)

    show(gather(), output)


def run_kubernetes(
    platform: Path | None, output: Output, look: Callable[[Client], Awaitable[Explanation]]
) -> None:
    """Explain what Kubernetes alone tells; else as ``run``."""

    async def gather() -> Explanation:
        access = discover() if platform is None else (await asyncio.to_thread(_of_platform, platform))[0]
        async with Client(access) as kube:
            return await look(kube)

    show(gather(), output)


def show(gathering: Coroutine[Any, Any, Explanation], output: Output) -> None:
    """Print an explanation and exit 1 if there are causes; raises ``Problem`` when it cannot be gathered."""
    try:
        explanation = asyncio.run(gathering)
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
        found, trouble = await asyncio.gather(_platform(kube), controller_trouble(kube))
        yield Doors(kube, opened, Neutron(opened), Octavia(opened), found, trouble)


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
