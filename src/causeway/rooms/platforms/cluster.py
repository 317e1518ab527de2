"""A platform from inside, through its Kubernetes API: bringing it to work and waiting until it does.

Polls with deadlines; what is missing when one passes is returned, not raised: only the caller can ask the
cloud why.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causeway.kube.client import Client
from causeway.kube.errors import ApiError, NotFound, Object, Unauthorized, Unavailable
from causeway.kube.resource import CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, SECRETS
from causeway.rooms.platforms import nodes, registering
from causeway.rooms.platforms.addons import NAMESPACE, ROUTER
from causeway.rooms.platforms.model import Role
from causeway.rooms.platforms.nodes import NodeState

API_SECONDS = 600.0
NODES_SECONDS = 900.0
COMPONENTS_SECONDS = 600.0
_PAUSE = 1.0  # seconds between two looks
_KUBEADM_MARK = "kubeadm-config"  # the ConfigMap kubeadm writes when the control plane works

Waiting = Callable[[str], None]


@dataclass(frozen=True)
class Component:
    """A part of the platform that runs in it: how many of its pods are ready of how many that should be."""

    name: str
    ready: int
    wanted: int

    @property
    def works(self) -> bool:
        """Return whether all of it is ready."""
        return self.wanted > 0 and self.ready >= self.wanted


async def answers(client: Client) -> bool:
    """Return whether the API works and was set up completely; any failure to reach it is a no."""
    try:
        await client.request("GET", "/readyz")
        await client.get(CONFIG_MAPS, _KUBEADM_MARK, NAMESPACE)
    except (Unavailable, Unauthorized, NotFound):
        return False
    except ApiError as error:
        if error.status == 403:
            return False  # its own roles are not there yet
        raise
    return True


async def await_api(client: Client, waiting_for: Callable[[], None], seconds: float = API_SECONDS) -> bool:
    """Wait until the API answers; ``waiting_for`` is called at each look. Return False past the deadline."""
    deadline = time.monotonic() + seconds
    while not await answers(client):
        if time.monotonic() >= deadline:
            return False
        waiting_for()
        await asyncio.sleep(_PAUSE)
    return True


async def await_nodes(
    client: Client, roles: Mapping[str, Role], waiting_for: Waiting, seconds: float = NODES_SECONDS
) -> list[str]:
    """Wait until all nodes are ready and labelled with their roles; return those missing at the end."""
    deadline = time.monotonic() + seconds
    while True:
        states = await _patiently(nodes.states(client)) or {}
        missing = sorted(name for name in roles if name not in states or not states[name].ready)
        await _patiently(nodes.mark(client, roles))
        if not missing or time.monotonic() >= deadline:
            return missing
        waiting_for(", ".join(missing))
        await asyncio.sleep(_PAUSE)


async def await_components(
    client: Client,
    waiting_for: Waiting,
    outside: Callable[[], list[Component]],
    seconds: float = COMPONENTS_SECONDS,
) -> list[Component]:
    """Wait until every component works; return those that do not past the deadline.

    ``outside`` tells of those that are not in the platform but in its cloud.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = await _patiently(components(client))
        lame = [each for each in [*found, *outside()] if not each.works] if found is not None else []
        if (found is not None and not lame) or time.monotonic() >= deadline:
            return lame
        waiting_for(", ".join(f"{each.name} {each.ready}/{each.wanted}" for each in lame) or "the API")
        await asyncio.sleep(_PAUSE)


async def components(client: Client) -> list[Component]:
    """Return how controller, node daemons and DNS do, and drivers of storage, router, registry if any."""
    deployments = {
        each["metadata"]["name"]: each for each in (await client.list(DEPLOYMENTS, NAMESPACE)).items
    }
    daemons = {each["metadata"]["name"]: each for each in (await client.list(DAEMON_SETS, NAMESPACE)).items}
    found = [
        _deployment("controller", deployments.get("causeway-controller")),
        _daemons("node daemons", daemons.get("causeway-node")),
        _deployment("DNS", deployments.get("coredns")),
    ]
    for name, word in (("volume driver", "volumes"), ("driver of shares", "shares")):
        if driver := deployments.get(f"causeway-{word}"):
            found.append(_deployment(name, driver))
        if mounting := daemons.get(f"causeway-{word}-node"):
            found.append(_daemons(f"{name} on nodes", mounting))
    if router := daemons.get(ROUTER):
        found.append(_daemons("router", router))
    if registry := deployments.get(registering.NAME):
        found.append(_deployment("registry", registry))
    return found


async def secret_files(client: Client, name: str) -> dict[str, str]:
    """Return the files in a Secret of ours in the platform, none if there is no such Secret."""
    try:
        secret = await client.get(SECRETS, name, NAMESPACE)
    except NotFound:
        return {}
    data: Mapping[str, str] = secret.get("data", {})
    return {name: base64.b64decode(text).decode() for name, text in data.items()}


async def registry_config(client: Client) -> str:
    """Return the settings of the registry in the platform, "" if there is none."""
    return (await config_files(client, registering.NAME)).get(registering.CONFIG, "")


async def config_files(client: Client, name: str) -> dict[str, str]:
    """Return the files in a ConfigMap beside our own objects, none if there is no such ConfigMap."""
    try:
        found = await client.get(CONFIG_MAPS, name, NAMESPACE)
    except NotFound:
        return {}
    return dict(found.get("data") or {})


async def take_out(client: Client, leaving: Sequence[str], waiting_for: Waiting) -> None:
    """Cordon all nodes that leave, so that no pod moves from one to the next, then drain them one by one."""
    for name in leaving:
        await nodes.cordon(client, name)
    for name in leaving:
        waiting_for(name)
        await nodes.drain(client, name, waiting_for=waiting_for)


async def cordoned(client: Client) -> list[str]:
    """Return the nodes that were taken out of service by somebody."""
    found: dict[str, NodeState] = await nodes.states(client)
    return [name for name, state in found.items() if state.cordoned]


def _deployment(name: str, deployment: Object | None) -> Component:
    if deployment is None:
        return Component(name, 0, 0)
    status = deployment.get("status", {})
    current = status.get("observedGeneration") == deployment["metadata"]["generation"]
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) if current else 0
    return Component(name, ready, deployment["spec"].get("replicas", 1))


def _daemons(name: str, daemons: Object | None) -> Component:
    if daemons is None:
        return Component(name, 0, 0)
    status = daemons.get("status", {})
    current = status.get("observedGeneration") == daemons["metadata"]["generation"]
    ready = min(status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)) if current else 0
    return Component(name, ready, status.get("desiredNumberScheduled", 0))


async def _patiently(reading: Any) -> Any:
    """Return what was read, None while the API does not answer: masters come and go as a platform grows."""
    try:
        return await reading
    except Unavailable:
        return None
