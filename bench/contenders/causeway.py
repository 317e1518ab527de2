"""Causeway's controller as a contender: the process a platform runs, with its own configuration files."""

import asyncio
import contextlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import yaml
from tests.ports import free_port

from bench.contender import Pools, Stage
from bench.node import Node
from bench.processes import running
from causeway.kit.errors import Problem
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Pod, PortPool, Service
from causeway.kube.pools import levels_of
from causeway.kube.reflector import ApiSource, Reflector
from causeway.kube.resource import PODS, PORT_POOLS, SERVICES, Resource
from causeway.kube.store import Change, Store
from causeway.rooms.services.model import CONDITION
from causeway.serve.node.ports import NodePorts, of_node

_START = 60.0  # seconds until it leads and has listed the cloud


class Causeway:
    """This project's controller, and for the nodes the part of their daemon that hands out ports."""

    name = "causeway"
    kinds: Sequence[Resource] = (PORT_POOLS,)

    def __init__(self) -> None:
        self._taken: dict[str, tuple[str, str]] = {}  # uid of a pod -> its namespace and port

    @contextlib.asynccontextmanager
    async def running(self, stage: Stage, pools: Pools) -> AsyncIterator[int]:
        """Run it for as long as the block takes; the value is the controller's process's id."""
        directory = stage.directory / f"{self.name}-{pools.ready}"
        directory.mkdir(exist_ok=True)
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(kubeconfig_of(stage.kube_url)))
        port = free_port()
        sizes = {"minimum": pools.ready, "maximum": pools.ready}
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "CAUSEWAY_CONFIG": str(stage.tenant.config(directory / "config.json", pools={"": sizes})),
            "OS_CLIENT_CONFIG_FILE": str(stage.tenant.clouds(directory / "clouds.yaml", stage.auth_url)),
            "OS_CLOUD": "openstack",
            "POD_NAME": "bench",
            "CAUSEWAY_HEALTH_PORT": str(port),
        }
        with causeway(["serve", "controller"], directory / "controller.log", environment) as process:
            await until_at_work(port)
            async with Client(from_kubeconfig(kubeconfig)) as client:
                playing = asyncio.create_task(
                    self._nodes(stage, client) if pools.played else asyncio.sleep(0)
                )
                try:
                    yield process.pid
                finally:
                    playing.cancel()
                    await asyncio.gather(playing, return_exceptions=True)

    async def has_pool(self, stage: Stage, node: Node, size: int) -> bool:
        """Return whether that many ports are ready for new pods of a node."""
        try:
            pool = await stage.kube.get(PORT_POOLS, node.name, of=PortPool)
        except NotFound:
            return False
        return levels_of(pool).free >= size

    async def ports_of_pods(self, _stage: Stage, namespace: str) -> set[str]:
        """Return the ports of the namespace's pods."""
        return {port for place, port in self._taken.values() if place == namespace}

    async def served_services(self, stage: Stage, namespace: str) -> int:
        """Return how many services of the namespace are served."""
        found = await stage.kube.list(SERVICES, namespace, of=Service)
        return sum(
            any(one.type == CONDITION and one.status == "True" for one in each.status.conditions)
            for each in found.items
        )

    async def _nodes(self, stage: Stage, client: Client) -> None:
        """Have each pod take a port when it comes and let it go when it goes, as its node's daemon does."""
        daemons = {
            node.name: NodePorts(of_node(client, node.name), client, node.name) for node in stage.nodes
        }
        pods = Reflector(ApiSource(stage.kube, PODS, Pod, fields="spec.nodeName!="), Store[Pod]())
        taking: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:

            def changed(change: Change[Pod]) -> None:
                pod = change.new or change.old
                if pod is None:
                    return
                uid, daemon = pod.metadata.uid, daemons[pod.spec.node_name]
                if change.new is None:
                    taking.pop(uid).cancel()
                    self._taken.pop(uid, None)
                    daemon.let_go((uid, "eth0"))
                elif uid not in taking:
                    taking[uid] = group.create_task(self._take(daemon, pod))

            pods.handlers.append(changed)
            group.create_task(pods.run())
            for each in daemons.values():
                group.create_task(each.run())

    async def _take(self, daemon: NodePorts, pod: Pod) -> None:
        meta = pod.metadata
        port = await daemon.take(meta.namespace, meta.name, meta.uid, (meta.uid, "eth0"))
        self._taken[meta.uid] = (meta.namespace, port.port_id)


def causeway(
    arguments: Sequence[str], log: Path, settings: Mapping[str, str], *, inside: Sequence[str] = ()
) -> "contextlib.AbstractContextManager[subprocess.Popen[bytes]]":
    """Run one of this project's processes for as long as the block takes, ``inside`` what words say."""
    program = [sys.executable, "-c", "from causeway.main import main; main()", *arguments]
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))}
    return running([*inside, *program], log, {**ours, **settings})


async def until_at_work(port: int) -> None:
    """Wait until the rooms have listed the cloud: readiness says less."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START
    while True:
        figures = await asyncio.to_thread(_metrics, port)
        if 'call="GET /v2.0/trunks"' in figures and 'call="GET /v2/lbaas/loadbalancers"' in figures:
            return
        if loop.time() > deadline:
            raise Problem.of(
                "causeway", "the controller does not begin", "Look at controller.log of the run."
            )
        await asyncio.sleep(0.1)


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return ""


def kubeconfig_of(server: str) -> dict[str, object]:
    """Return the kubeconfig for one of the proxies, which speak for whoever calls them."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": server}}],
        "users": [{"name": "bench", "user": {}}],
    }
