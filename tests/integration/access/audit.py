"""What accounts may do by the manifests that are shipped, and what they did by the API server's audit log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ["system:serviceaccounts:kube-system"]}
  - {level: None}
"""


@dataclass(frozen=True, order=True)
class Right:
    """Leave for one verb on one resource (``pods`` or ``pods/status``); ``name`` "" means any object."""

    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}{named}"


@dataclass(frozen=True)
class Request:
    """A request as the audit log tells it."""

    right: Right
    name: str
    status: int

    def made(self) -> Iterator[Right]:
        """Yield what the request took: server-side apply of what was not there is a creation too."""
        for named in {"", self.name}:
            yield Right(self.right.group, self.right.resource, self.right.verb, named)
            if self.right.verb == "patch" and self.status == 201:
                yield Right(self.right.group, self.right.resource, "create", named)


def rights(manifests: Path, account: str) -> set[Right]:
    """Return what the roles in ``manifests`` let an account do; bindings to other roles are left out."""
    documents = list(yaml.safe_load_all(manifests.read_text()))
    roles = {(each["kind"], each["metadata"]["name"]): each for each in documents if "rules" in each}
    found: set[Right] = set()
    for each in documents:
        if any(subject["name"] == account for subject in each.get("subjects", [])):
            role = roles.get((each["roleRef"]["kind"], each["roleRef"]["name"]))
            found |= {right for rule in (role or {}).get("rules", []) for right in _of_rule(rule)}
    return found


def requests(log: Path, account: str) -> list[Request]:
    """Return the requests of a service account for objects, each watch once."""
    user = f"system:serviceaccount:kube-system:{account}"
    found = []
    whole, _, _ = log.read_text().rpartition("\n")  # the last line may still be written
    for line in whole.splitlines():
        event = json.loads(line)
        if event["user"]["username"] == user and "objectRef" in event:
            found.append(_request(event))
    return found


def unused(may: Iterable[Right], did: Iterable[Request]) -> set[Right]:
    """Return the rights of which no use was made."""
    return set(may) - {right for request in did for right in request.made()}


def denied(did: Iterable[Request]) -> set[Right]:
    """Return what was asked for in vain."""
    return {request.right for request in did if request.status == 403}


def _of_rule(rule: Mapping[str, Any]) -> Iterator[Right]:
    for group in rule.get("apiGroups", []):
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames", [""]):
                    yield Right(group, resource, verb, name)


def _request(event: Mapping[str, Any]) -> Request:
    about = event["objectRef"]
    resource = "/".join(filter(None, [about["resource"], about.get("subresource")]))
    right = Right(about.get("apiGroup", ""), resource, event["verb"])
    return Request(right, about.get("name", ""), event.get("responseStatus", {}).get("code", 0))
