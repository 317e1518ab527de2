"""What ``apply`` puts into the Kubernetes API before a controller can run: definitions and rights."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import yaml
from jinja2 import Template

from causeway.kube.client import Client
from causeway.kube.errors import NotFound, Object, TooManyRequests, Unavailable
from causeway.kube.resource import SUBJECT_ACCESS_REVIEWS

FOLDER = Path(__file__).parents[2] / "src" / "causeway" / "deploy"
_DEFINITIONS_AND_RIGHTS = ("1*.yaml", "2*.yaml")
_DEADLINE = 240.0


async def deploy(admin: Client) -> None:
    """Apply what every platform has, whatever its settings: definitions, accounts and their rights.

    Returns when they are in force, which is some time after the API server has taken them.
    """
    manifests = [
        manifest
        for pattern in _DEFINITIONS_AND_RIGHTS
        for file in sorted(FOLDER.glob(pattern))
        for manifest in yaml.safe_load_all(Template(file.read_text()).render(router=None))
    ]
    for manifest in manifests:
        await admin.apply(manifest, manager="causeway")
    defined = [
        served(admin, each["spec"]) for each in manifests if each["kind"] == "CustomResourceDefinition"
    ]
    allowed = [_until(partial(_is_allowed, admin, each), f"allows {each}") for each in _granted(manifests)]
    await asyncio.gather(*defined, *allowed)


async def served(admin: Client, spec: Object) -> None:
    """Wait until the API serves what a definition with this spec defines."""
    await _until(partial(_is_served, admin, spec), f"serves {spec['names']['plural']}")


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not await condition():
        assert time.monotonic() < deadline, f"it never {what}"
        await asyncio.sleep(0.02)


async def _is_served(admin: Client, spec: Object) -> bool:
    group, plural = spec["group"], spec["names"]["plural"]
    try:
        for version in spec["versions"]:
            if not version["served"]:
                continue
            await admin.request("GET", f"/apis/{group}/{version['name']}/{plural}")
    except (NotFound, TooManyRequests, Unavailable):  # not known yet, or its storage is being initialized
        return False
    return True


async def _is_allowed(admin: Client, spec: Object) -> bool:
    body = {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SUBJECT_ACCESS_REVIEWS.kind,
        "metadata": {},
        "spec": spec,
    }
    return bool((await admin.create(SUBJECT_ACCESS_REVIEWS, body))["status"]["allowed"])


def _granted(manifests: Iterable[Object]) -> Iterator[Object]:
    """Yield one question for each rule of each role that is bound to an account."""
    known = {(each["kind"], each["metadata"]["name"]): each for each in manifests}
    for (kind, _), binding in known.items():
        if not kind.endswith("RoleBinding"):
            continue
        reference = binding["roleRef"]
        for rule in known.get((reference["kind"], reference["name"]), {}).get("rules", ()):
            resource, _, subresource = rule["resources"][0].partition("/")
            attributes = {
                "namespace": binding["metadata"].get("namespace", ""),
                "group": rule["apiGroups"][0],
                "resource": resource,
                "subresource": subresource,
                "name": rule.get("resourceNames", [""])[0],
                "verb": rule["verbs"][0],
            }
            for subject in binding["subjects"]:
                if subject["kind"] == "Group":
                    who: Object = {"groups": [subject["name"]]}
                else:
                    who = {"user": f"system:serviceaccount:{subject['namespace']}:{subject['name']}"}
                yield {**who, "resourceAttributes": attributes}
