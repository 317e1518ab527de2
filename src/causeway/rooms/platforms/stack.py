"""The door to Heat for platforms: the only place that creates, changes or deletes a stack.

Calls are plain requests instead of the SDK's resources: they carry nested files and keep parameters on
change, which the SDK does not offer.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection
from openstack.proxy import Proxy

from causeway.kit.errors import Problem
from causeway.rooms.platforms.template import StackTemplate

TIMEOUT_MINUTES = 60
_DEPTH = "5"  # of nested stacks: stack, group, node; the rest is room


@dataclass(frozen=True)
class LiveStack:
    """A stack that exists; ``status`` is Heat's, such as CREATE_COMPLETE."""

    name: str
    id: str
    status: str
    reason: str
    parameters: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def busy(self) -> bool:
        """Return whether Heat is at work on it."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def failed(self) -> bool:
        """Return whether the last operation on it failed."""
        return self.status.endswith("_FAILED")

    @property
    def cluster_id(self) -> str:
        """Return the UUID of the platform; "" for a stack that is none."""
        return str(self.parameters.get("cluster_id", ""))


@dataclass(frozen=True)
class StackResource:
    """A resource of the stack or of one in it; ``path`` names it from the top: ("masters", "0", "port")."""

    path: tuple[str, ...]
    type: str
    physical_id: str
    status: str
    reason: str

    @property
    def nested(self) -> bool:
        """Return whether it stands for a stack of its own."""
        return self.type in {"OS::Heat::ResourceGroup", "node.yaml"}


def find(heat: Proxy, name: str, *, outputs: bool = True) -> LiveStack | None:
    """Return the stack of a name or ID, None if there is none; without ``outputs`` it costs Heat less."""
    query = {} if outputs else {"resolve_outputs": "False"}
    try:
        stack = _json(heat.get(f"/stacks/{name}", params=query))["stack"]
    except sdk.NotFoundException:
        return None
    if stack["stack_status"] == "DELETE_COMPLETE":
        return None
    return LiveStack(
        name=stack["stack_name"],
        id=stack["id"],
        status=stack["stack_status"],
        reason=stack.get("stack_status_reason") or "",
        parameters=stack.get("parameters", {}),
        outputs={each["output_key"]: each.get("output_value") for each in stack.get("outputs", [])},
    )


def owned(heat: Proxy, name: str) -> LiveStack | None:
    """Return the platform's stack; raises ``Problem`` if a stack of that name is not one of ours."""
    live = find(heat, name)
    if live is not None and not live.cluster_id:
        raise Problem.of(
            f"stack {name}",
            "a stack of this name exists which is not a platform's",
            "Give the platform another name.",
        )
    return live


def validate(heat: Proxy, name: str, template: StackTemplate) -> None:
    """Let Heat judge the stack with every value in it, without creating anything."""
    _json(heat.post("/stacks/preview", json={"stack_name": name, **_body(template)}))


def source(heat: Proxy, live: LiveStack) -> tuple[str, dict[str, str]]:
    """Return the template of a stack as JSON text, and the files it refers to."""
    path = f"/stacks/{live.name}/{live.id}"
    return json.dumps(_json(heat.get(f"{path}/template"))), _json(heat.get(f"{path}/files"))


def updatable(heat: Proxy, types: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return which properties of each type Heat can change without replacing the resource."""
    found = {}
    for kind in sorted(set(types)):
        schema = _json(heat.get(f"/resource_types/{kind}"))["properties"]
        found[kind] = frozenset(name for name, each in schema.items() if each.get("update_allowed"))
    return found


def create(heat: Proxy, name: str, template: StackTemplate, *, cluster_id: str) -> None:
    """Begin to create the stack; a failure is kept for inspection and taken up by the next apply."""
    body = {
        "stack_name": name,
        **_body(template),
        "tags": f"causeway,causeway-cluster={cluster_id}",
        "disable_rollback": True,
        "timeout_mins": TIMEOUT_MINUTES,
    }
    _json(heat.post("/stacks", json=body))


def update(heat: Proxy, live: LiveStack, template: StackTemplate) -> None:
    """Begin to change the stack; parameters the template does not set keep their values."""
    body = {**_body(template), "disable_rollback": True, "timeout_mins": TIMEOUT_MINUTES}
    sdk.raise_from_response(heat.patch(f"/stacks/{live.name}/{live.id}", json=body))


def delete(heat: Proxy, live: LiveStack) -> None:
    """Begin to delete the stack; one that is gone is no error."""
    response = heat.delete(f"/stacks/{live.name}/{live.id}")
    if response.status_code != 404:
        sdk.raise_from_response(response)


def resources(heat: Proxy, live: LiveStack) -> list[StackResource]:
    """Return all resources of the stack and the stacks in it."""
    listed = _json(heat.get(f"/stacks/{live.name}/{live.id}/resources", params={"nested_depth": _DEPTH}))
    return stack_resources(listed["resources"])


def stack_resources(listed: list[dict[str, Any]]) -> list[StackResource]:
    """Return Heat's flat list of resources with their paths: each stack in it is some resource's."""
    by_stack = {each["physical_resource_id"]: each for each in listed if each.get("physical_resource_id")}

    def path(each: Mapping[str, Any]) -> tuple[str, ...]:
        own = str(each["resource_name"])
        links = {link["rel"]: link["href"] for link in each.get("links", [])}
        stack_id = links.get("stack", "").rpartition("/")[2]
        parent = by_stack.get(stack_id)
        return (*path(parent), own) if parent is not None else (own,)

    return [
        StackResource(
            path=path(each),
            type=each["resource_type"],
            physical_id=each.get("physical_resource_id") or "",
            status=each["resource_status"],
            reason=each.get("resource_status_reason") or "",
        )
        for each in listed
    ]


def events(heat: Proxy, live: LiveStack) -> list[dict[str, Any]]:
    """Return the events of the stack and the stacks in it, oldest first."""
    path = f"/stacks/{live.name}/{live.id}/events"
    listed: list[dict[str, Any]] = _json(heat.get(path, params={"nested_depth": _DEPTH}))["events"]
    return sorted(listed, key=lambda event: (event["event_time"], event.get("id", "")))


def heat_of(cloud: Connection) -> Proxy:
    """Return the adapter of a cloud's orchestration service."""
    proxy: Proxy = cloud.orchestration
    return proxy


def _body(template: StackTemplate) -> dict[str, Any]:
    return {
        "template": template.text,
        "files": dict(template.files),
        # Heat takes parameters of type json as text as well, and text is what it keeps: no false difference.
        "parameters": {
            key: value if isinstance(value, str | int) else json.dumps(value)
            for key, value in template.parameters.items()
        },
    }


def _json(response: Any) -> dict[str, Any]:
    sdk.raise_from_response(response)
    content: dict[str, Any] = response.json()
    return content
