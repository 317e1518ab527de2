"""``causeway lab image``: the image the lab's platform nodes boot from."""

import json
from typing import Annotated

import typer

from causeway.kit.progress import Progress
from causeway.lab import settings
from causeway.lab.images import build, glance
from causeway.lab.images.lock import alone

EPILOG = "Example: causeway lab image -o json"
Output = Annotated[str, typer.Option("-o", "--output", help="text or json", metavar="FORMAT")]


def image(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make everything again but the Kubernetes programs.")
    ] = False,
    output: Output = "text",
) -> None:
    """Build the node image from what has changed, and register it in the lab.

    It holds Debian, one Kubernetes release, and the container images of that release, of Causeway and of the
    guestbook. Kubernetes programs are taken from CAUSEWAY_ASSETS or the cache, else downloaded, else built.
    """
    lab = settings.from_environment()
    progress = Progress()
    with alone(lab.cache, "images", progress):
        made = build.build(lab.cache, progress, rebuild=rebuild)
        with progress.phase("registering the image"):
            identity, uploaded = glance.register(made, lab)
    facts = {
        "name": glance.name_of(made.version),
        "id": identity,
        "uploaded": uploaded,
        "content": made.content,
        "archive": str(made.path),
        "bytes": made.path.stat().st_size,
        "kubernetes": made.version,
        "kubectl": str(made.kubectl),
        "containers": [each.name for each in made.containers],
        "archives": {each.name: str(each.path) for each in made.pushed},
        "seconds": {timing.phase: timing.seconds for timing in progress.timings},
    }
    if output == "json":
        print(json.dumps(facts, indent=2))
        return
    print(f"{facts['name']}  {identity}  {'uploaded' if uploaded else 'unchanged'}")
    print(f"{made.path}  {made.path.stat().st_size / 1e6:.0f} MB, Kubernetes {made.version}, with the images")
    for each in made.containers:
        print(f"  {each.name}")
