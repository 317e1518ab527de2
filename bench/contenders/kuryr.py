"""kuryr-kubernetes as a contender: its controller as released, in a virtual environment of its own.

Configured as its documentation says for pods in servers: nested-vlan with trunks, a load balancer for each
service by Octavia's OVN provider.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from tests.ports import free_port

from bench.contender import Pools, Stage
from bench.node import Node
from bench.processes import running
from bench.stage import resource_defined
from causeway.host.command import run
from causeway.kit.errors import Problem
from causeway.kube.resource import Resource

VERSION = "10.0.0"
LOCK = Path(__file__).with_name("kuryr-requirements.txt")
_START = 60.0  # seconds until it calls itself ready
_RECYCLED = 25.0  # seconds after which a port that was let go is in the pool again: it does so each 20
_PORTS = Resource("openstack.org", "v1", "kuryrports", "KuryrPort")
_BALANCERS = Resource("openstack.org", "v1", "kuryrloadbalancers", "KuryrLoadBalancer")


def installed(cache: Path) -> Path:
    """Return the directory with kuryr's environment and CRDs, made once from its packages."""
    home = cache / "peers" / f"kuryr-{VERSION}"
    if (home / "ready").exists():
        return home
    home.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "venv", "--clear", home / "venv")
    pip = (home / "venv/bin/python", "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "-q", "-r", LOCK)
    with tempfile.TemporaryDirectory() as source:
        wanted = f"kuryr-kubernetes=={VERSION}"
        run(*pip, "download", "-q", "--no-deps", "--no-binary", "kuryr-kubernetes", "-d", source, wanted)
        (archive,) = Path(source).glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            members = [each for each in opened if "/kubernetes_crds/kuryr_crds/" in each.name]
            opened.extractall(source, members, filter="data")
        (home / "crds").mkdir(exist_ok=True)
        for file in Path(source).rglob("kuryr_crds/*.yaml"):
            (home / "crds" / file.name).write_bytes(file.read_bytes())
    (home / "ready").touch()
    return home


class Kuryr:
    """kuryr-kubernetes' controller."""

    name = "kuryr"

    def __init__(self, home: Path) -> None:
        self._home = home
        self._in_use: dict[str, float] = {}  # a port -> when a pod was last seen to have it

    @property
    def kinds(self) -> Sequence[Resource]:
        """Its own kinds."""
        return [resource_defined(each) for each in self.definitions()]

    def definitions(self) -> list[dict[str, Any]]:
        """Return the kinds it adds to Kubernetes."""
        return [yaml.safe_load(file.read_text()) for file in sorted((self._home / "crds").glob("*.yaml"))]

    @contextlib.asynccontextmanager
    async def running(self, stage: Stage, pools: Pools) -> AsyncIterator[int]:
        """Run it for as long as the block takes; the value is its process's id."""
        directory = stage.directory / f"{self.name}-{pools.ready}"
        (directory / "lock").mkdir(parents=True, exist_ok=True)
        health = free_port()
        file = directory / "kuryr.conf"
        file.touch(mode=0o600)
        file.write_text(_ini(_configuration(stage, pools, directory, health)))
        # Nothing of this shell's environment: it would not accept the proxies with a bundle of authorities.
        environment = {"PATH": f"{self._home / 'venv/bin'}:{os.environ['PATH']}", "HOME": str(directory)}
        argv: list[str | Path] = [self._home / "venv/bin/kuryr-k8s-controller", "--config-file", file]
        with running(argv, directory / "controller.log", environment) as process:
            await _until_alive(process, health)
            yield process.pid

    async def has_pool(self, stage: Stage, node: Node, size: int) -> bool:
        """Return whether that many ports are on the node's trunk, and neither a pod's nor just let go.

        It tells nobody how many ports a pool of its has: the list it offers counts security groups.
        """
        await self._ports(stage, None)
        trunk = await asyncio.to_thread(stage.tenant.user.network.get_trunk, node.port.trunk_id)
        resting = {port for port, when in self._in_use.items() if time.monotonic() - when < _RECYCLED}
        return len({each["port_id"] for each in trunk.sub_ports} - resting) >= size

    async def ports_of_pods(self, stage: Stage, namespace: str) -> set[str]:
        """Return the ports of the namespace's pods it calls active."""
        return {each["id"] for each in await self._ports(stage, namespace) if each["active"]}

    async def _ports(self, stage: Stage, namespace: str | None) -> list[dict[str, Any]]:
        found = await stage.kube.list(_PORTS, namespace)
        vifs = [each["status"].get("vifs", {}).get("eth0", {}).get("vif") for each in found.items]
        data = [vif["versioned_object.data"] for vif in vifs if vif]
        self._in_use |= {each["id"]: time.monotonic() for each in data}
        return data

    async def served_services(self, stage: Stage, namespace: str) -> int:
        """Return how many load balancers of the namespace have all their members."""
        found = await stage.kube.list(_BALANCERS, namespace)
        return sum(_complete(each) for each in found.items)


def _complete(balancer: dict[str, Any]) -> bool:
    wanted = sum(
        len(part.get("endpoints", [])) * len(part.get("ports", []))
        for part in balancer["spec"].get("endpointSlices", [])
    )
    return 0 < wanted == len(balancer.get("status", {}).get("members", []))


def _configuration(stage: Stage, pools: Pools, directory: Path, health: int) -> dict[str, dict[str, object]]:
    tenant, ids = stage.tenant, stage.tenant.ids
    return {
        "DEFAULT": {"log_file": directory / "kuryr.log"},
        "oslo_concurrency": {"lock_path": directory / "lock"},
        "binding": {"default_driver": "kuryr.lib.binding.drivers.vlan"},
        "kubernetes": {
            "api_root": stage.kube_url,
            "ssl_ca_crt_file": "",
            "token_file": "",
            "pod_vif_driver": "nested-vlan",
            "vif_pool_driver": "nested" if pools.ready else "noop",
            "endpoints_driver_octavia_provider": "ovn",
        },
        "vif_pool": {"ports_pool_min": pools.ready or 5},
        "neutron": {"auth_type": "password", **tenant.auth, "auth_url": stage.auth_url},
        "neutron_defaults": {
            "project": tenant.project_id,
            "pod_subnet": ids["pods-subnet"],
            "pod_security_groups": ids["group"],
            "service_subnet": ids["services-subnet"],
            "external_svc_net": ids["external"],
            "ovs_bridge": "br-int",
        },
        "octavia_defaults": {"lb_algorithm": "SOURCE_IP_PORT", "enforce_sg_rules": False},
        "pod_vif_nested": {"worker_nodes_subnets": ids["nodes-subnet"]},
        "health_server": {"port": health},
        "prometheus_exporter": {"controller_exporter_port": free_port()},
    }


def _ini(sections: dict[str, dict[str, object]]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for name, values in sections.items()
    )


async def _until_alive(process: "subprocess.Popen[bytes]", port: int) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START
    while not await asyncio.to_thread(_ready, port):
        if process.poll() is not None or loop.time() > deadline:
            raise Problem.of("kuryr", "its controller does not begin", "Look at controller.log of the run.")
        await asyncio.sleep(0.2)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
