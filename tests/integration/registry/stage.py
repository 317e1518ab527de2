"""The three processes of the registry's pod, configured as ``apply`` does, and skopeo as its client."""

import asyncio
import base64
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Protocol

import yaml
from tests.integration.kube_api import KubeApi
from tests.ports import free_port
from tests.unit.rooms.platforms.examples import PKI, platform

from causeway.kube.client import Client
from causeway.kube.errors import Object
from causeway.kube.resource import (
    LEASES,
    NAMESPACES,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SUBJECT_ACCESS_REVIEWS,
)
from causeway.lab.images.oci import Entry, write_archive, write_layer
from causeway.rooms.platforms import addons, registering
from causeway.rooms.platforms.addons import Settings
from causeway.rooms.platforms.image_store import ImageStore
from causeway.rooms.platforms.registering import Registering
from causeway.rooms.registry import gate
from causeway.rooms.registry.scopes import GROUP, RESOURCE

SERVICES = IPv4Network("198.18.30.0/24")  # of which the registry has an address, put on the loopback device
DEADLINE = 240.0
COLLECTOR = "collector"


class Storage(Protocol):
    """Where images are: what the platform file says of it, and what the registry is told besides."""

    def keys(self) -> dict[str, Any]:
        """Return ``spec.registry`` without its host."""

    def store(self) -> ImageStore | None:
        """Return the container in Swift, where that is where images are."""

    def replaced(self) -> dict[str, str]:
        """Return what stands elsewhere here than in a pod."""


@dataclass
class Disk:
    """A directory in place of a volume of Cinder's, which a pod sees as one, too."""

    directory: Path

    def keys(self) -> dict[str, Any]:
        return {"storage": "cinder"}

    def store(self) -> ImageStore | None:
        return None

    def replaced(self) -> dict[str, str]:
        return {"/var/lib/registry": str(self.directory)}


class Stage:
    """A registry, its token service and what stands before both."""

    def __init__(
        self,
        directory: Path,
        api: KubeApi,
        admin: Client,
        program: Path,
        storage: Storage,
        secret: Mapping[str, str] = {},
    ) -> None:
        self.directory, self.api, self.admin, self.program = directory, api, admin, program
        self.storage = storage
        keys = {**storage.keys(), "host": "registry.example.test"}
        made = registering.registering(platform(registry=keys), SERVICES, PKI, secret, store=storage.store())
        assert made is not None
        self.made: Registering = made
        self.address = f"{made.address}:{free_port()}"
        self._plain, self._tokens = free_port(), free_port()
        self._bound: dict[tuple[str, str], dict[str, str]] = {}
        self._running: list[subprocess.Popen[bytes]] = []
        self._trust = directory / "trust"
        self._trust.mkdir()
        (self._trust / "ca.crt").write_text(PKI.ca.public)

    def elsewhere(self, directory: Path) -> "Stage":
        """Return the same registry on another machine."""
        directory.mkdir()
        return Stage(directory, self.api, self.admin, self.program, self.storage, self.made.files)

    async def start(self) -> None:
        """Start all three, as the containers of the pod."""
        device = ["ip", "address", "replace", f"{self.made.address}/32", "dev", "lo"]
        subprocess.run(device, check=True)  # noqa: ASYNC221  # it takes no time
        keys, config = self.directory / "keys", self.directory / "config"
        for place, files in ((keys, self.made.files), (config, self._config(keys))):
            place.mkdir(exist_ok=True)
            for name, text in files.items():
                (place / name).write_text(text)
        served = [str(self.program), "serve", str(config / "config.yml")]
        self._run(served, await self._environment("Deployment", "registry"))
        environment = {
            **await self._environment("Deployment", "tokens"),
            "KUBECONFIG": await self._account("causeway-registry"),
            "CAUSEWAY_REGISTRY_KEYS": str(keys),
            "CAUSEWAY_REGISTRY_AUTH_PORT": str(self._tokens),
            "CAUSEWAY_REGISTRY_URL": f"http://127.0.0.1:{self._plain}/",
        }
        self._run([sys.executable, "-m", "causeway", "serve", "registry-auth"], environment)
        self._run(["haproxy", "-db", "-f", str(config / "haproxy.cfg")], {})
        await self._until_healthy()

    def stop(self) -> None:
        """End all three, as a node that is lost does."""
        if not self._running:
            return
        for each in self._running:
            each.kill()
            each.wait(30)
        self._running = []
        device = ["ip", "address", "delete", f"{self.made.address}/32", "dev", "lo"]
        subprocess.run(device, check=True)

    async def collector(self, *, untagged: str = "keep", lasts: float = gate.LASTS) -> Process:
        """Start the collector with the shipped settings; its Lease lasts for some seconds."""
        environment = {
            **await self._environment("CronJob", "collect"),
            "KUBECONFIG": await self._account("causeway-registry-collector"),
            "CAUSEWAY_REGISTRY_POD": COLLECTOR,
            "CAUSEWAY_REGISTRY_UNTAGGED": untagged,
            "CAUSEWAY_REGISTRY_AGE": "0",
        }
        begin = f"from causeway.rooms.registry import gate; gate.LASTS = {lasts}"
        argv = [sys.executable, "-c", f"{begin}; from causeway.main import main; main()"]
        with (self.directory / "collector.log").open("wb") as sink:
            return await asyncio.create_subprocess_exec(
                *argv,
                *("serve", "registry-collector"),
                env={**os.environ, **environment},
                stdout=sink,
                stderr=sink,
            )

    def told(self) -> str:
        """Return what the collector said."""
        return (self.directory / "collector.log").read_text()

    async def collect(self, untagged: str = "keep") -> str:
        """Let a collection begin and come to its end; return what it said."""
        await self.quieten()
        process = await self.collector(untagged=untagged)
        assert await process.wait() == 0, self.told()
        return self.told()

    async def unused(self, *words: str) -> tuple[int, int]:
        """Return how many blobs and manifests the registry's own program would delete."""
        ended = await asyncio.create_subprocess_exec(
            *(str(self.program), "garbage-collect", "--dry-run", *words),
            str(self.directory / "config/config.yml"),
            env={**os.environ, **await self._environment("Deployment", "registry")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await ended.communicate()
        found = re.search(r"(\d+) blobs and (\d+) manifests eligible", said.decode())
        assert found is not None, said.decode()
        return int(found[1]), int(found[2])

    async def quieten(self) -> None:
        """Make the last push one of long ago, in place of waiting."""
        ago = (datetime.now(UTC) - gate.QUIET - timedelta(seconds=1)).isoformat()
        await self.admin.patch(
            LEASES, gate.NAME, {"metadata": {"annotations": {gate.PUSHED: ago}}}, namespace=gate.NAMESPACE
        )

    async def _account(self, name: str) -> str:
        """Return the file by which one of the shipped accounts reaches the API."""
        path = self.directory / f"{name}.kubeconfig"
        token = await self.token("kube-system", name)
        user = self.api.config(f"https://127.0.0.1:{self.api.port}", {"token": token})
        path.write_text(yaml.safe_dump(user))
        return str(path)

    def _objects(self) -> list[Object]:
        return addons.manifests(Settings({}, {}, 1, registry=self.made))

    def _config(self, keys: Path) -> dict[str, str]:
        (found,) = (
            each["data"]
            for each in self._objects()
            if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", registering.NAME)
        )
        places = {
            "/etc/causeway/registry": str(keys),
            "bind :8443": f"bind {self.address}",
            "127.0.0.1:5000": f"127.0.0.1:{self._plain}",
            "127.0.0.1:5001": f"127.0.0.1:{self._tokens}",
            **self.storage.replaced(),
        }
        told = {}
        for name, text in found.items():
            told[name] = text
            for here, there in places.items():
                told[name] = told[name].replace(here, there)
        return told

    async def _environment(self, kind: str, container: str) -> dict[str, str]:
        """Return the environment that the shipped manifests give a container."""
        (spec,) = (
            template["spec"]
            for each in self._objects()
            if each["kind"] == kind
            for template in [each["spec"].get("template") or each["spec"]["jobTemplate"]["spec"]["template"]]
            if "registry" in each["metadata"]["name"]
        )
        (wanted,) = (each for each in spec["containers"] if each["name"] == container)
        found = {"CAUSEWAY_REGISTRY_IMAGES": self.storage.replaced().get("/var/lib/registry", "")}
        for each in wanted["env"]:
            if "value" in each:
                found[each["name"]] = each["value"].replace(
                    "/etc/causeway/registry", str(self.directory / "keys")
                )
            elif "secretKeyRef" in each["valueFrom"]:
                found[each["name"]] = await self._secret(**each["valueFrom"]["secretKeyRef"])
        return found

    async def _secret(self, name: str, key: str) -> str:
        """Return a value of the registry's Secret, or of one that its user has made."""
        if name == registering.NAME:
            return self.made.files[key]
        data = (await self.admin.get(SECRETS, name, "kube-system"))["data"]
        return base64.b64decode(data[key]).decode()

    def _run(self, argv: list[str], environment: Mapping[str, str]) -> None:
        with (self.directory / "log").open("ab") as sink:
            self._running.append(
                subprocess.Popen(argv, env={**os.environ, **environment}, stdout=sink, stderr=sink)
            )

    async def _until_healthy(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while await asyncio.to_thread(self.status, "/healthz") != 200:
            log = (self.directory / "log").read_text()[-3000:]
            assert all(each.poll() is None for each in self._running), log
            assert time.monotonic() < deadline, log
            await asyncio.sleep(0.1)

    def status(self, path: str) -> int:
        """Return the HTTP status the registry answers; 0 when it does not."""
        return self.ask(path)[0]

    def ask(
        self, path: str, headers: Mapping[str, str] = {}, *, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return what the registry answers; status 0 when it does not."""
        trusting = ssl.create_default_context(cadata=PKI.ca.public)
        url = f"https://{self.address}{path}"
        request = urllib.request.Request(url, headers=dict(headers), method=method, data=body)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
        )
        try:
            with opener.open(request, timeout=10) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    async def namespace(self, name: str, *accounts: str, **annotations: str) -> None:
        meta = {"name": name, "annotations": annotations}
        await self.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, manager="t")
        for each in accounts:
            body = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": each, "namespace": name},
            }
            await self.admin.apply(body, manager="t")

    async def forsake(self, name: str) -> None:
        """Delete a namespace; what is in it stays here, where nobody looks after that."""
        await self.admin.delete(NAMESPACES, name)
        found = await self.admin.get(NAMESPACES, name)
        body = {**found, "spec": {"finalizers": []}}
        await self.admin.request("PUT", NAMESPACES.path(None, name, "finalize"), body=body)

    async def bind(self, namespace: str, role: str, subject: Mapping[str, str]) -> None:
        """Give a role in a namespace."""
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": ROLE_BINDINGS.kind,
            "metadata": {"name": role, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [dict(subject)],
        }
        await self.admin.apply(body, manager="t")
        self._bound[namespace, role] = dict(subject)
        await self.until_given(True, namespace, role, subject)

    async def unbind(self, namespace: str, role: str) -> None:
        """Take a role in a namespace away from who was given it and has no other that lets him so much."""
        await self.admin.delete(ROLE_BINDINGS, role, namespace)
        await self.until_given(False, namespace, role, self._bound.pop((namespace, role)))

    async def until_given(self, given: bool, namespace: str, role: str, subject: Mapping[str, str]) -> None:
        """Wait until the API server's authorizer, which watches, knows that a role was given or taken."""
        name = subject["name"]
        account = f"system:serviceaccount:{subject.get('namespace')}:{name}"
        who: dict[str, Any] = {"user": account if subject["kind"] == "ServiceAccount" else name}
        if subject["kind"] == "Group":
            who = {"groups": [name]}
        review = {"metadata": {}, "spec": {**who, "resourceAttributes": _right(namespace, role)}}
        deadline = time.monotonic() + DEADLINE
        while True:
            answer = await self.admin.create(SUBJECT_ACCESS_REVIEWS, review)
            if bool(answer["status"].get("allowed")) is given:
                return
            assert time.monotonic() < deadline, f"{role} of {name} in {namespace}: {answer['status']}"
            await asyncio.sleep(0.05)

    async def token(self, namespace: str, account: str, *audiences: str) -> str:
        """Return a token of a service account, as ``kubectl create token`` does."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        spec = {"spec": {"audiences": list(audiences)}}
        path = SERVICE_ACCOUNTS.path(namespace, account, "token")
        return str(json.loads(await self.admin.request("POST", path, body=body | spec))["status"]["token"])

    def image(self, name: str, size: int = 100_000) -> tuple[str, str]:
        """Return an archive of an image with one layer of some bytes, and its digest."""
        layer = write_layer([Entry("what", os.urandom(size))], self.directory / f"{name}.layer")
        path = self.directory / f"{name}.tar"
        return f"oci-archive:{path}", write_archive(f"localhost/{name}:1", [layer], {}, path)

    async def skopeo(self, token: str, *words: str) -> tuple[int, str]:
        """Run skopeo with a token as the password of any name; return its status and what it said.

        With "" nobody is signed in. HOST in a word stands for the registry.
        """
        authority = self.directory / "auth.json"
        password = base64.b64encode(f"any:{token}".encode()).decode()
        authority.write_text(json.dumps({"auths": {self.address: {"auth": password}} if token else {}}))
        verb, *rest = [each.replace("HOST", f"docker://{self.address}") for each in words]
        prefix = ""
        if verb == "copy":
            prefix = "dest-" if rest[-1].startswith("docker:") else "src-"
            rest = ["--preserve-digests", *rest]
        argv = ["skopeo", "--insecure-policy", "--command-timeout=240s", verb]
        argv += [f"--{prefix}cert-dir={self._trust}", f"--authfile={authority}", *rest]
        ended = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await ended.communicate()
        assert ended.returncode is not None
        return ended.returncode, said.decode()


def _right(namespace: str, role: str) -> dict[str, str]:
    """Return something a role lets do in a namespace, as an access review asks for it."""
    verb = "get" if role.endswith("-puller") else "update"
    group, resource = (GROUP, RESOURCE) if role.startswith("causeway-") else ("", "configmaps")
    return {"namespace": namespace, "group": group, "resource": resource, "verb": verb}
