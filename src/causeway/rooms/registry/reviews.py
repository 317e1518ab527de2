"""Asking the Kubernetes API whose a token is and what he may do; nothing is remembered."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from causeway.kube.client import Client
from causeway.kube.resource import SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS
from causeway.rooms.registry import scopes
from causeway.rooms.registry.scopes import GROUP, Access

User = Mapping[str, Any]

AUDIENCE = GROUP
"""A token made for it is good for the registry alone; one for the API itself will do as well."""


async def user_of(client: Client, token: str) -> User | None:
    """Return whose token it is, None if nobody's; raises ``ApiError``."""
    for audiences in ([AUDIENCE], []):  # none: the API server's own
        review = {"metadata": {}, "spec": {"token": token, "audiences": audiences}}
        told = (await client.create(TOKEN_REVIEWS, review))["status"]
        if told.get("authenticated"):
            user: User = told["user"]
            return user
    return None


async def granted(client: Client, user: User, wanted: Iterable[Access]) -> list[Access]:
    """Return what of the wanted the user may do; raises ``ApiError``."""
    asked = [(access, action) for access in wanted for action in access.actions]
    answers = await asyncio.gather(*(_may(client, user, *each) for each in asked))
    allowed = [each for each, answer in zip(asked, answers, strict=True) if answer]
    return [
        replace(access, actions=actions)
        for access in wanted
        if (actions := tuple(action for one, action in allowed if one is access))
    ]


async def _may(client: Client, user: User, access: Access, action: str) -> bool:
    if scopes.own(user, access, action):
        return True
    review = {
        "user": user["username"],
        "groups": user.get("groups", []),
        "uid": user.get("uid", ""),
        "extra": user.get("extra", {}),
        "resourceAttributes": scopes.question(access, action),
    }
    answer = await client.create(SUBJECT_ACCESS_REVIEWS, {"metadata": {}, "spec": review})
    return bool(answer["status"].get("allowed"))
