"""Pods without a node: what a kubelet would do for the echo servers of the conformance suite, and no more.

Deployments, endpoints and what is deleted with its owner are the business of Kubernetes' own controllers.
Each pod is a process in a network namespace of its own, on a bridge that is the node's side.
"""

import asyncio
import base64
import contextlib
import fcntl
import subprocess
from collections.abc import AsyncIterator, Mapping
from ipaddress import IPv4Interface
from pathlib import Path
from typing import IO, Any

from tests.integration.kube_api import KubeApi, child
from tests.integration.routes.front_door import DEADLINE

from causeway.host.command import run, succeeds
from causeway.kube.client import Client
from causeway.kube.errors import Conflict, NotFound
from causeway.kube.resource import NODES, PODS, SECRETS

BRIDGE = "conformance"
HOME = IPv4Interface("198.18.31.1/24")
"""The address of the node's side."""
_LOCK = Path("/run/causeway-conformance.lock")  # addresses, bridge and namespaces are one run's at a time
_NODE = "here"
_PORT = 3000  # that every kind of echo server listens on
_ECHO = "echo-basic"
_CONTROLLERS = (
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "replicaset-controller",
)

Object = dict[str, Any]


class Pods:
    """Follows pods, runs the echo server for each, and tells the API that it is ready.

    Containers of another image are told to be ready and never run.
    """

    def __init__(self, admin: Client, echo: Path, directory: Path) -> None:
        self._admin, self._echo, self._directory = admin, echo, directory
        self._running: dict[str, _Pod] = {}  # by UID
        self._free = [str(HOME.network[number]) for number in range(250, 9, -1)]

    async def run(self) -> None:
        """Follow pods until cancelled."""
        await self._admin.create(NODES, {"metadata": {"name": _NODE}})
        listing = await self._admin.list(PODS)
        for pod in listing.items:
            await self._take(pod)
        async for event in self._admin.watch(
            PODS, of=dict, resource_version=listing.resource_version, seconds=3600
        ):
            if event.object is not None:
                await self._take(event.object, gone=event.type == "DELETED")

    async def _take(self, pod: Object, *, gone: bool = False) -> None:
        meta = pod["metadata"]
        running = self._running.get(meta["uid"])
        if gone or meta.get("deletionTimestamp"):
            if running is not None:
                del self._running[meta["uid"]]
                running.end()
                self._free.insert(0, running.address)  # last: neighbours know it by the former device
            await self._admin.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_seconds=0)
        elif running is None and not pod["spec"].get("nodeName"):
            await self._start(pod)

    async def _start(self, pod: Object) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        target = {"target": {"apiVersion": "v1", "kind": "Node", "name": _NODE}, "metadata": meta}
        with contextlib.suppress(NotFound, Conflict):  # it is gone by now
            path = PODS.path(meta["namespace"], meta["name"], "binding")
            await self._admin.request("POST", path, body={"apiVersion": "v1", "kind": "Binding"} | target)
        (container,) = spec["containers"]
        made = _Pod(self._free.pop())
        self._running[meta["uid"]] = made
        if _ECHO in container["image"]:
            files = await self._files(meta, spec, container)
            values = {each["name"]: _value(each, meta, files) for each in container.get("env", ())}
            await made.start(self._echo, values, self._directory / f"{meta['name']}.log")
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": meta["creationTimestamp"]}
        status = {"phase": "Running", "podIP": made.address, "podIPs": [{"ip": made.address}]}
        with contextlib.suppress(NotFound):
            await self._admin.patch(
                PODS,
                meta["name"],
                {"status": status | {"conditions": [ready]}},
                meta["namespace"],
                subresource="status",
            )

    async def _files(self, meta: Object, spec: Object, container: Object) -> Mapping[str, Path]:
        """Write the Secrets a container mounts; return where, by the path they are to have."""
        found: dict[str, Path] = {}
        volumes = {each["name"]: each for each in spec.get("volumes", ())}
        for mount in container.get("volumeMounts", ()):
            source = volumes[mount["name"]]["secret"]
            place = self._directory / meta["name"] / mount["name"]
            place.mkdir(parents=True)
            data = (await self._secret(source["secretName"], meta["namespace"]))["data"]
            for item in source["items"]:
                (place / item["path"]).write_bytes(base64.b64decode(data[item["key"]]))
            found[mount["mountPath"]] = place
        return found

    async def _secret(self, name: str, namespace: str) -> Object:
        """Return a Secret; pods wait for theirs."""
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(NotFound):
                    return await self._admin.get(SECRETS, name, namespace)
                await asyncio.sleep(0.05)

    def end(self) -> None:
        """End all that runs."""
        for each in self._running.values():
            each.end()


def _value(variable: Object, meta: Object, files: Mapping[str, Path]) -> str:
    source = variable.get("valueFrom")
    if source is not None:
        return str(meta[source["fieldRef"]["fieldPath"].removeprefix("metadata.")])
    text = str(variable["value"])
    for mounted, place in files.items():
        text = text.replace(mounted, str(place))
    return text


class _Pod:
    """An echo server in a network namespace of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._name = f"{BRIDGE}-{address.rpartition('.')[2]}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, program: Path, values: Mapping[str, str], log: Path) -> None:
        """Start it; returns once it answers."""
        inside = f"{self.address}/{HOME.network.prefixlen}"
        for words in (
            ("netns", "add", self._name),
            ("link", "add", self._name, "type", "veth", "peer", "eth0", "netns", self._name),
            ("link", "set", self._name, "master", BRIDGE, "up"),
            ("-n", self._name, "address", "add", inside, "dev", "eth0"),
            ("-n", self._name, "link", "set", "eth0", "up"),
        ):
            await asyncio.to_thread(run, "ip", *words)
        inside_it = ["nsenter", f"--net=/run/netns/{self._name}", str(program)]
        with log.open("ab") as sink:
            self._process = child(inside_it, sink, dict(values))
        while not await self._listens():
            assert self._process.poll() is None, f"it ended: {log}"
            await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.address, _PORT)
        except OSError:
            return False
        writer.close()
        return True

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            run("ip", "netns", "delete", self._name)
            self._process = None


@contextlib.asynccontextmanager
async def running(api: KubeApi, admin: Client, echo: Path, directory: Path) -> AsyncIterator[None]:
    """Have pods run as long as the context lasts; another run of the tests waits for its turn."""
    with await asyncio.to_thread(_locked):
        async with _running(api, admin, echo, directory):
            yield


def _locked() -> IO[str]:
    """Return the lock once it is ours; who closes it gives it back."""
    lock = _LOCK.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@contextlib.asynccontextmanager
async def _running(api: KubeApi, admin: Client, echo: Path, directory: Path) -> AsyncIterator[None]:
    _remove_leftovers()
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    program, pods = api.controllers(*_CONTROLLERS), Pods(admin, echo, directory)
    try:
        run("ip", "address", "add", str(HOME), "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        await asyncio.to_thread(program.start)
        following = asyncio.create_task(pods.run())
        try:
            yield
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
    finally:
        program.end()
        pods.end()
        _remove_leftovers()


def _remove_leftovers() -> None:
    """Remove what this run, or one that was killed, has left."""
    for line in run("ip", "netns", "list").splitlines():
        if line.startswith(f"{BRIDGE}-"):
            run("ip", "netns", "delete", line.split()[0])
    succeeds("ip", "link", "delete", BRIDGE)
