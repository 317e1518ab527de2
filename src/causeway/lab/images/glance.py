"""Registering the node image in the lab's image service.

An image is recognised by the digest of its content, not by its name: the same content is left alone,
other images of the name give way to a new one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack import exceptions
from openstack.connection import Connection

from causeway.kit.errors import Problem
from causeway.lab.images.build import NodeImage
from causeway.lab.settings import Settings
from causeway.lab.verify import connect

CLOUD = "lab-admin"
CONTENT = "causeway_content"
VERSION = "causeway_kubernetes_version"
# A node with less cannot run the kubelet and its images: GiB of disk, MiB of memory.
MIN_DISK = 4
MIN_RAM = 512


@dataclass(frozen=True)
class Known:
    """An image of our name that the image service has."""

    id: str
    content: str | None
    status: str


@dataclass(frozen=True)
class Plan:
    """What to do: ``keep`` is the image that has the content already; the others are removed or renamed."""

    keep: str | None
    remove: tuple[str, ...]
    rename: tuple[str, ...]


def name_of(version: str) -> str:
    """Return the name of the node image of a Kubernetes version."""
    return f"causeway-node-{version}"


def plan(known: Sequence[Known], used: Collection[str], content: str) -> Plan:
    """Return how the image service comes to have exactly one image of the name, with ``content``.

    ``used`` are the ids of images servers were made from; those are kept under another name.
    """
    keep = next((each.id for each in known if each.content == content and each.status == "active"), None)
    others = [each.id for each in known if each.id != keep]
    return Plan(
        keep=keep,
        remove=tuple(each for each in others if each not in used),
        rename=tuple(each for each in others if each in used),
    )


def register(image: NodeImage, lab: Settings) -> tuple[str, bool]:
    """Make ``image`` the one of its name in ``lab`` and return its id, and whether it had to be uploaded.

    Raises ``Problem`` when the lab is not up.
    """
    if not lab.clouds_file.exists():
        raise Problem.of("lab", f"there is no {lab.clouds_file}", "Run `causeway lab up` first.")
    with connect(lab, CLOUD) as cloud:
        try:
            return _register(cloud, image)
        except (exceptions.SDKException, ClientException) as error:
            raise Problem.of(
                f"image {name_of(image.version)}",
                f"it could not be registered: {error}",
                "See `causeway lab status`, `causeway lab logs glance`, and run the command again.",
            ) from error


def _register(cloud: Connection, image: NodeImage) -> tuple[str, bool]:
    name = name_of(image.version)
    known = [
        Known(each.id, each.properties.get(CONTENT), each.status) for each in cloud.image.images(name=name)
    ]
    used = {
        server.image["id"]
        for server in cloud.compute.servers(details=True, all_projects=True)
        if server.image and server.image.get("id")
    }
    retired = [each for each in cloud.image.images(is_hidden=True) if each.name.startswith(f"{name}-until-")]
    for each in retired:
        if each.id not in used:
            cloud.image.delete_image(each.id, ignore_missing=True)
    todo = plan(known, used, image.content)
    uploaded = todo.keep is None
    new = todo.keep or _upload(cloud, image, name)
    for old in todo.remove:
        cloud.image.delete_image(old, ignore_missing=True)
    for old in todo.rename:
        _patch(
            cloud,
            old,
            [("replace", "/name", f"{name}-until-{image.content}"), ("replace", "/os_hidden", True)],
        )
    return new, uploaded


def _upload(cloud: Connection, image: NodeImage, name: str) -> str:
    """Create the image and send its data; it becomes active only when all of it is there."""
    facts = {
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "visibility": "public",
        "min_disk": MIN_DISK,
        "min_ram": MIN_RAM,
        "os_distro": "debian",
        VERSION: image.version,
        CONTENT: image.content,
    }
    answer = cloud.image.post("/images", json=facts)
    exceptions.raise_from_response(answer)
    identity: str = answer.json()["id"]
    with image.path.open("rb") as data:
        headers = {"Content-Type": "application/octet-stream"}
        exceptions.raise_from_response(
            cloud.image.put(f"/images/{identity}/file", data=data, headers=headers)
        )
    return identity


def _patch(cloud: Connection, identity: str, changes: list[tuple[str, str, Any]]) -> None:
    body = [{"op": operation, "path": path, "value": value} for operation, path, value in changes]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    exceptions.raise_from_response(cloud.image.patch(f"/images/{identity}", json=body, headers=headers))
