"""What a client asks a registry's token service for, and what that means to Kubernetes. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

GROUP = "registry.causeway.dev"
RESOURCE = "images"
_VERBS = {"pull": "get", "push": "update", "delete": "delete"}
_CATALOG = ("registry", "catalog", "*")
_REPOSITORY = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
_ACCOUNT = "system:serviceaccount:"
MOST = 32
"""Scopes one request may name."""


@dataclass(frozen=True)
class Access:
    """Actions on one thing: of kind ``repository``, named NAMESPACE/NAME, or the registry's catalogue."""

    kind: str
    name: str
    actions: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Return the namespace of a repository, "" for anything else."""
        return self.name.partition("/")[0] if self.kind == "repository" else ""


def parse(scopes: Iterable[str]) -> list[Access]:
    """Return what scopes (``TYPE:NAME:ACTION,...``, several apart by blanks) ask for.

    What is no scope, or names a repository outside any namespace, is left out: nobody is given that.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    for scope in [each for line in scopes for each in line.split()][:MOST]:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        if kind == "repository" and _REPOSITORY.fullmatch(name):
            known = [each for each in actions.split(",") if each in _VERBS]
        elif (kind, name, actions) == _CATALOG:
            known = ["*"]
        else:
            continue
        found.setdefault((kind, name), {}).update(dict.fromkeys(known))
    return [Access(kind, name, tuple(actions)) for (kind, name), actions in found.items() if actions]


def question(access: Access, action: str) -> dict[str, str]:
    """Return the attributes of the access review that decides on one action."""
    if access.kind != "repository":
        return {"group": GROUP, "resource": RESOURCE, "verb": "list"}
    namespace, _, name = access.name.partition("/")
    verb = _VERBS[action]
    return {"group": GROUP, "resource": RESOURCE, "namespace": namespace, "name": name, "verb": verb}


def changes(access: Access) -> bool:
    """Return whether somebody who has it may change images."""
    return access.kind == "repository" and any(each != "pull" for each in access.actions)


def unchanging(allowed: Iterable[Access]) -> list[Access]:
    """Return what is left of what somebody may when nobody may change images."""
    return [replace(each, actions=("pull",)) if changes(each) else each for each in allowed if _reads(each)]


def _reads(access: Access) -> bool:
    return not changes(access) or "pull" in access.actions


def own(user: Mapping[str, object], access: Access, action: str) -> bool:
    """Return whether a service account pulls from its own namespace, which needs no role."""
    account = str(user.get("username", ""))
    return (
        action == "pull" and bool(access.namespace) and account.startswith(f"{_ACCOUNT}{access.namespace}:")
    )
