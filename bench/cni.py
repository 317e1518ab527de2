"""CNI on one node: the real shim and node daemon, real network namespaces, a real trunk.

The measurement plays the kubelet and the container runtime: it makes pods bound to the node and calls the
plugin for each, one after another and then all at once, as after a node's restart. The controller is stopped
meanwhile: nothing of it is needed, and a node elsewhere does not share its processor with a cloud that makes
the pool's next ports. The floor, in the same namespaces right before, is what ``bare`` says.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import uuid4

import yaml
from tests.ports import free_port

from bench.bare import Bare, nothing, started
from bench.contender import Contender, Stage
from bench.contenders.causeway import causeway, kubeconfig_of
from bench.node import TRUNK, Node, namespace_path, namespaces
from bench.pods import at_rest, make_pods, remove_pods
from bench.processes import usage
from bench.result import FLOOR, Case, counted
from bench.waiting import seconds_until
from causeway.kit.errors import Problem
from causeway.kube.objects import Pod
from causeway.kube.resource import NAMESPACES, PODS

_START = 30.0
_CALL = 120.0  # seconds a call of the plugin may take


@dataclass(frozen=True)
class _Call:
    namespace: str
    pod: str
    uid: str
    sandbox: str

    def environment(self, command: str, plugins: Path) -> dict[str, str]:
        """Return what a container runtime gives the plugin."""
        arguments = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": self.namespace,
            "K8S_POD_NAME": self.pod,
            "K8S_POD_INFRA_CONTAINER_ID": self.uid,
            "K8S_POD_UID": self.uid,
        }
        return {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": self.uid,
            "CNI_NETNS": namespace_path(self.sandbox),
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(plugins),
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in arguments.items()),
            "PATH": os.environ["PATH"],
        }


@dataclass(frozen=True)
class _Daemon:
    """A running node daemon: its process, where it installed the plugin, and its log."""

    pid: int
    plugins: Path
    log: Path

    def told(self) -> list[dict[str, Any]]:
        """Return the pods it attached, as its log says."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == "pod attached"]


async def measure(stage: Stage, who: Contender, pid: int, count: int, *, one_by_one: int) -> list[Case]:
    """Return what ADD and DEL take for ``one_by_one`` pods in turn and for ``count`` pods at once.

    ``pid`` is the controller's process.
    """
    cases: list[Case] = []
    with namespaces("pod", count) as sandboxes:
        async with _daemon(stage, stage.nodes[0]) as daemon:
            for some, at_once in ((sandboxes[:one_by_one], 1), (sandboxes, count)):
                cases += await _round(stage, who, pid, daemon, some, at_once=at_once)
    return cases


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    """Have a process stand still for as long as the block takes: seconds, its lease is longer."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def _daemon(stage: Stage, node: Node) -> AsyncIterator[_Daemon]:
    """Run the node daemon in the node's network for as long as the block takes."""
    home = stage.directory / "node"
    home.mkdir(exist_ok=True)
    memory = Path(tempfile.mkdtemp(prefix="causeway-bench-", dir="/run"))  # as on a node: a file system in it
    api = f"http://{node.uplink}:{stage.kube_url.rpartition(':')[2]}"
    (home / "kubeconfig").write_text(yaml.safe_dump(kubeconfig_of(api)))
    health = free_port()
    environment = {
        "KUBECONFIG": str(home / "kubeconfig"),
        "NODE_NAME": node.name,
        "CAUSEWAY_TRUNK_INTERFACE": TRUNK,
        "CAUSEWAY_RUN_DIR": str(memory),
        "CAUSEWAY_CNI_BIN_DIR": str(home / "bin"),
        "CAUSEWAY_CNI_CONF_DIR": str(home / "conf"),
        "CAUSEWAY_HEALTH_PORT": str(health),
    }
    log = home / "daemon.log"
    inside = ["nsenter", f"--net={namespace_path(node.namespace)}"]
    with (
        contextlib.ExitStack() as stack,
        causeway(["serve", "node"], log, environment, inside=inside) as process,
    ):
        stack.callback(shutil.rmtree, memory)

        async def ready() -> bool:
            return bool(list((home / "conf").glob("*"))) if (home / "conf").exists() else False

        if await seconds_until(ready, _START) is None:
            raise Problem.of("node daemon", "it does not begin", f"Look at {log}.")
        yield _Daemon(process.pid, home / "bin", log)


async def _round(
    stage: Stage, who: Contender, pid: int, daemon: _Daemon, sandboxes: Sequence[str], *, at_once: int
) -> list[Case]:
    count = len(sandboxes)
    namespace = f"cni-{uuid4().hex[:6]}"
    await stage.kube.create(NAMESPACES, {"metadata": {"name": namespace}})
    node = stage.nodes[0]

    async def warm() -> bool:
        return await who.has_pool(stage, node, count)

    if await seconds_until(warm, 300) is None:
        raise Problem.of(who.name, f"its pool did not reach {count} ports", "Look at its log.")
    await make_pods(stage, node, namespace, range(count))
    await at_rest(stage)
    found = await stage.kube.list(PODS, namespace, of=Pod)
    wanted = [
        _Call(namespace, pod.metadata.name, pod.metadata.uid, sandbox)
        for pod, sandbox in zip(found.items, sandboxes, strict=True)
    ]
    cases = []
    with _stopped(pid):
        floors = await _floor(Bare(node, sandboxes), count, at_once)
        for command in ("ADD", "DEL"):
            before, calls, used = len(daemon.told()), stage.figures.calls.copy(), usage(daemon.pid).cpu
            begun = time.monotonic()
            took = await _run(command, wanted, daemon.plugins, at_once)
            case = _case(command, who.name, at_once, took, time.monotonic() - begun)
            floor = floors[command]
            case.more["p50 ms above the floor"] = round(case.more["p50 ms"] - floor.more["p50 ms"], 1)
            if command == "ADD":
                case.more |= _own(daemon.told()[before:])
            case.calls = counted(stage.figures.since(calls))
            case.processor = round(usage(daemon.pid).cpu - used, 2)
            case.memory = usage(daemon.pid).rss
            cases += [floor, case]
    await remove_pods(stage, namespace, range(count))
    return cases


async def _floor(bare: Bare, count: int, at_once: int) -> dict[str, Case]:
    """Return what a link costs anybody, by command, and what processes alone do."""
    alone = spread(await started(count, at_once, nothing))
    cases = {}
    for command in ("ADD", "DEL"):
        begun = time.monotonic()
        took = await bare.calls(command, at_once)
        cases[command] = _case(command, FLOOR, at_once, took, time.monotonic() - begun)
        cases[command].more |= {"processes alone, p50 ms": alone["p50 ms"]}
    return cases


def _case(command: str, who: str, at_once: int, took: Sequence[float], seconds: float) -> Case:
    manner, count = "one by one" if at_once == 1 else "all at once", len(took)
    case = Case(f"CNI {command} from a warm pool, {manner}", who, count, round(seconds, 3), count)
    case.more = {**spread(took), "pods/s": round(count / seconds, 1)}
    return case


async def _run(command: str, wanted: Sequence[_Call], plugins: Path, at_once: int) -> list[float]:
    """Call the plugin for each pod; return how many seconds each call took."""
    config = json.dumps({"cniVersion": "1.1.0", "name": "causeway", "type": "causeway"}).encode()
    free = asyncio.Semaphore(at_once)

    async def call(each: _Call) -> float:
        async with free:
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                plugins / "causeway",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=each.environment(command, plugins),
            )
            output, _ = await asyncio.wait_for(process.communicate(config), _CALL)
            if process.returncode:
                raise Problem.of(f"CNI {command}", output.decode(), "Look at daemon.log of the run.")
            return time.monotonic() - started

    return list(await asyncio.gather(*map(call, wanted)))


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile in milliseconds."""
    last = quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0]
    return {"p50 ms": round(median(seconds) * 1000, 1), "p99 ms": round(last * 1000, 1)}


def _own(attached: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each part of ADD as the daemon told it, in milliseconds."""
    parts = ("port_ms", "turn_ms", "link_ms", "gateway_ms")
    return {f"daemon {part[:-3]} ms": median(line[part] for line in attached) for part in parts if attached}
