"""A controller and a node daemon with exactly the rights that are shipped, in a project of the lab."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from tests.integration.kube_api import KubeApi
from tests.integration.leases import gave_up
from tests.integration.projects import CLOUD, Project, until
from tests.pace import pauses
from tests.ports import free_port

from causeway.cloud.ownership import Owner
from causeway.kube.client import Client
from causeway.kube.errors import NotFound, Object
from causeway.kube.resource import NODES, PODS, SERVICE_ACCOUNTS, Resource
from causeway.rooms.platforms import credential

NODE = "w1"
UNINITIALISED = "node.cloudprovider.kubernetes.io/uninitialized"


@dataclass
class Site:
    """What a platform's stack makes, with one server that is the node ``w1``, and a restricted credential."""

    project: Project
    directory: Path
    cluster: str = field(default_factory=lambda: str(uuid4()))
    clouds: Path = field(init=False)
    config: Path = field(init=False)
    server: Any = field(init=False)

    def make(self) -> None:
        """Make all of it."""
        network, compute = self.project.cloud.network, self.project.cloud.compute
        external = network.find_network("ext")
        router = network.create_router(name="router", external_gateway_info={"network_id": external.id})
        nets, subnets = {}, {}
        ranges = {"node": "10.10.0.0/24", "pod": "10.20.0.0/16", "service": "172.30.0.0/16"}
        for name, cidr in ranges.items():
            nets[name] = network.create_network(name=name)
            upper = {"allocation_pools": [{"start": "172.30.128.2", "end": "172.30.255.254"}]}
            gateway = {"gateway_ip": "172.30.128.1", **upper} if name == "service" else {}
            subnets[name] = network.create_subnet(
                network_id=nets[name].id, name=name, ip_version=4, cidr=cidr, **gateway
            )
            network.add_interface_to_router(router, subnet_id=subnets[name].id)
        group = network.create_security_group(name="pods")
        port = network.create_port(
            network_id=nets["node"].id, name=NODE, tags=Owner(self.cluster, "node").tags()
        )
        network.create_trunk(name=NODE, port_id=port.id)
        self.server = compute.create_server(
            name=NODE,
            image_id=self.project.cloud.image.find_image("causeway-node-v1.35.4").id,
            flavor_id=compute.find_flavor("m1.small").id,
            networks=[{"port": port.id}],
            metadata={"causeway-cluster": self.cluster},
        )
        self.config = self.directory / "config.json"
        settings = {
            "clusterId": self.cluster,
            "platform": "test",
            "externalNetworkId": external.id,
            "podNetworkId": nets["pod"].id,
            "podSubnetId": subnets["pod"].id,
            "podSecurityGroupId": group.id,
            "serviceNetworkId": nets["service"].id,
            "serviceSubnetId": subnets["service"].id,
            "nodeSubnetId": subnets["node"].id,
            "loadBalancerProvider": "ovn",
            "serviceCidr": "172.30.0.0/17",
            # With names the controller follows what has them; that there is no such zone is told.
            "names": {"zones": [f"{self.cluster}.test."], "owner": self.cluster},
        }
        self.config.write_text(json.dumps(settings))
        self.clouds = self.directory / "credential.yaml"
        self.renew()

        def booted() -> Any:
            found = compute.get_server(self.server.id)
            assert found.status != "ERROR", found.fault
            return found if found.status == "ACTIVE" else None

        self.server = until(booted, 300)

    @property
    def credential(self) -> str:
        """Return the name of the platform's application credential."""
        return credential.name_of("test", self.cluster)

    def renew(self) -> None:
        """Put a new credential in the place of the one there; the old one is not revoked."""
        files = credential.ensure(self.project.cloud, self.credential, {}, names=True)
        self.put(self.clouds, files["clouds.yaml"])

    def secrets(self) -> list[str]:
        """Return what must not be in any log."""
        entry = yaml.safe_load(self.clouds.read_text())["clouds"][CLOUD]["auth"]
        return [entry["application_credential_secret"], self.project.password]

    @staticmethod
    def put(file: Path, text: str) -> None:
        """Replace a file as a mounted Secret is: at once."""
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(file)


class Program:
    """``causeway serve …`` as a process, with a log of its own; or another program, by its words."""

    def __init__(
        self,
        part: str,
        directory: Path,
        environment: Mapping[str, str],
        *,
        argv: Sequence[str] = (),
    ) -> None:
        known = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "KUBE"))}
        self.file = directory / f"{part}.log"
        self.port = free_port()
        program = "from causeway.main import main; main()"
        self._argv = argv or [sys.executable, "-c", program, "serve", part]
        own = {"CAUSEWAY_LOG_LEVEL": "debug", "CAUSEWAY_HEALTH_PORT": str(self.port)}
        self._environment = {**known, **own, **environment}
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.file.open("ab") as sink:
            return subprocess.Popen(self._argv, stdout=sink, stderr=sink, env=self._environment)

    def keep(self) -> None:
        """Start it again, as its kubelet would, if it ended because it could not renew its lease in time."""
        if gave_up(self._process, self.log):
            self._process = self._started()

    @property
    def log(self) -> str:
        """Return all it has logged."""
        return self.file.read_text()

    @property
    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> int:
        """End it in order and return its status."""
        self._process.terminate()
        return self._process.wait(120)


class Stage:
    """What a test acts on: the administrator's view, and the programs under their own accounts."""

    def __init__(self, site: Site, api: KubeApi, admin: Client) -> None:
        self.site = site
        self.api = api
        self.admin = admin
        self.programs: list[Program] = []

    async def holder(self, name: str, account: str) -> dict[str, str]:
        """Make a pod of a service account on the node, and return how a token bound to it names it."""
        spec = {"nodeName": NODE, "hostNetwork": True, "serviceAccountName": account}
        spec |= {"containers": [{"name": "c", "image": "i"}]}
        made = await self.admin.create(PODS, {"metadata": {"name": name}, "spec": spec}, "kube-system")
        return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": made["metadata"]["uid"]}

    async def token(self, account: str, **bound: str) -> str:
        """Return a new token of a service account; ``bound`` names the object with which it ends."""
        spec: Object = {"audiences": ["https://kubernetes.default.svc"], "expirationSeconds": 600}
        if bound:
            spec["boundObjectRef"] = bound
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = SERVICE_ACCOUNTS.path("kube-system", account, "token")
        answer = json.loads(await self.admin.request("POST", path, body=body))
        return str(answer["status"]["token"])

    def kubeconfig(self, account: str, token: str) -> tuple[Path, Path]:
        """Return a kubeconfig that reads a token from a file, and that file."""
        file = self.site.directory / f"{account}.token"
        self.site.put(file, token)
        path = self.site.directory / f"{account}.kubeconfig"
        config = self.api.config(f"https://127.0.0.1:{self.api.port}", {"tokenFile": str(file)})
        path.write_text(yaml.safe_dump(config))
        return path, file

    def controller(self, kubeconfig: Path) -> Program:
        """Start the controller."""
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "CAUSEWAY_CONFIG": str(self.site.config),
            "OS_CLIENT_CONFIG_FILE": str(self.site.clouds),
            "OS_CLOUD": CLOUD,
            "POD_NAME": "controller",
        }
        return self._started("controller", environment)

    def node(self, kubeconfig: Path) -> Program:
        """Start the daemon of the node; nobody asks it to wire a pod."""
        directory = self.site.directory
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "NODE_NAME": NODE,
            "CAUSEWAY_TRUNK_INTERFACE": "lo",
            "CAUSEWAY_RUN_DIR": str(directory / "run"),
            "CAUSEWAY_CNI_BIN_DIR": str(directory / "bin"),
            "CAUSEWAY_CNI_CONF_DIR": str(directory / "conf"),
        }
        return self._started("node", environment)

    def _started(self, part: str, environment: Mapping[str, str]) -> Program:
        program = Program(part, self.site.directory, environment)
        self.programs.append(program)
        return program

    async def come(self, look: Callable[[], Awaitable[Any]], what: str, seconds: float = 240.0) -> Any:
        """Look until there is something to see, and return it."""
        deadline, pause = time.monotonic() + seconds, pauses()
        while not (found := await look()):
            for each in self.programs:
                each.keep()
            logs = "".join(each.log[-3000:] for each in self.programs)
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{logs}"
            await asyncio.sleep(next(pause))
        return found

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, None when there is none."""
        with contextlib.suppress(NotFound):
            return await self.admin.get(resource, name, namespace)
        return None

    async def gone(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        """Wait until there is no such object."""

        async def look() -> bool:
            return await self.find(resource, name, namespace) is None

        await self.come(look, f"{resource.kind} {name} to go")

    async def join(self, name: str, provider_id: str, *, ready: bool) -> None:
        """Make a node as its kubelet does."""
        taint = {"key": UNINITIALISED, "effect": "NoSchedule"}
        spec = {"providerID": provider_id, "taints": [taint]}
        await self.admin.create(NODES, {"metadata": {"name": name}, "spec": spec})
        status = {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]}
        await self.admin.patch(NODES, name, {"status": status}, subresource="status", kind="strategic")
