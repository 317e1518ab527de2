"""Making the node image, stage by stage, from what the cache has and what it lacks."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from causeway.kit.progress import Progress
from causeway.lab.images import applications, debian, kubernetes, node, registry, sidecars
from causeway.lab.images.containers import Archive, Builder

# Layers of the next image of Causeway, too.
SHARED = ("layer-python-", "layer-causeway-programs-", "layer-causeway-needs-")


@dataclass(frozen=True)
class NodeImage:
    """A packed node image: archive, digest of its content, container images, ``kubectl`` of its release.

    ``pushed`` are images of the demo that are not in it.
    """

    path: Path
    content: str
    version: str
    containers: tuple[Archive, ...]
    kubectl: Path
    pushed: tuple[Archive, ...] = ()


def build(cache: Path, progress: Progress, *, rebuild: bool = False) -> NodeImage:
    """Return the node image of this source tree; with ``rebuild`` only the Kubernetes programs are reused.

    To be called alone (``lock``). Raises ``Problem`` when something it needs can be found nowhere.
    """
    directory = cache / "images"
    if rebuild and directory.exists():
        debian.discard(directory)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "build.log"
    components = (*kubernetes.COMPONENTS, *sidecars.COMPONENTS, registry.COMPONENT)
    binaries = kubernetes.obtain(cache, log, progress, components=components)
    containers = Builder(cache, log)
    with progress.phase("container images of Kubernetes and the guestbook"):
        lasting = [*containers.lasting(binaries), *applications.preloaded(containers)]
        pushed = tuple(applications.pushed(containers))
    with progress.phase("node: Debian, Kubernetes and those images"):
        stage = node.stage(cache, binaries, lasting, release=kubernetes.VERSION, log=log)
    with progress.phase("container image of Causeway"):
        causeway = containers.causeway()
    with progress.phase("node: Causeway"):
        packed = node.pack(cache, stage, causeway, log=log)
    everything = (*lasting, causeway)
    _forget_older(directory, [stage, packed, *(each.path for each in (*everything, *pushed))])
    content = node.content(stage, causeway)
    return NodeImage(packed, content, kubernetes.VERSION, everything, binaries["kubectl"], pushed)


def _forget_older(directory: Path, current: list[Path]) -> None:
    """Remove what was made for earlier contents, and layers that will not be part of another image."""
    for prefix in SHARED:
        layers = sorted(directory.glob(f"{prefix}*.tar"), key=lambda path: path.stat().st_mtime)
        for path in layers[:-1]:
            path.with_suffix(".digest").unlink(missing_ok=True)
            path.unlink()
    for path in directory.iterdir():
        ours = path.name.startswith(("node-", "image-", "layer-", "pack-"))
        if ours and path not in current and not path.name.startswith(SHARED):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
