"""The path of the demo, step by step; the end-to-end test walks the same steps.

Each step is one that a user takes, by the same command, and leaves the system in a state the next step needs,
so that the demo can be interrupted and run again.
"""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import openstack
import yaml
from openstack.connection import Connection

from causeway.kit.progress import Phase, Progress
from demo.commands import CommandEnded, Kubectl, causeway, http_json, lab_environment
from demo.stateful import Stateful
from demo.waiting import until

HERE = Path(__file__).parent
GUESTBOOK = HERE / "guestbook.yaml"


class Demo:
    """One platform with one application on the lab.

    ``environment`` says whose the platform is, by variables of OpenStack's clients: the lab's own user's.
    """

    def __init__(
        self,
        progress: Progress,
        platform: Path = HERE / "platform.yaml",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.progress = progress
        self.platform = platform
        self.archives: dict[str, Path] = {}
        self._env = environment or {}
        self._kubectl = Path("kubectl")

    def up(self) -> None:
        """Run every step and print what stands at the end."""
        self.cloud()
        self.deploy()
        address = self.application()
        self.messages(address)
        self.scale(address, 5)
        self.heal(address)
        host = self.stateful()
        self.summary(address, host)

    def down(self) -> None:
        """Remove the platform, then the lab."""
        try:
            causeway("lab", "status", "-o", "json")
        except CommandEnded:
            self.progress.note("no lab is up, so no platform is left to destroy")
        else:
            with self.progress.phase("destroy the platform"):
                self.causeway("destroy", str(self.platform), "--yes", "--delete-volumes")
        with self.progress.phase("remove the lab"):
            causeway("lab", "destroy", "--yes")

    @property
    def zone(self) -> str:
        """The platform's zone, as an absolute name."""
        zone: str = yaml.safe_load(self.platform.read_text())["spec"]["names"]["zone"]
        return f"{zone.rstrip('.')}."

    def causeway(self, *words: str) -> str:
        """Run a command against the lab's cloud."""
        return causeway(*words, env=self._environment())

    def connected(self) -> Connection:
        """Return the project's own view of the lab's cloud."""
        env = self._environment()
        files = [env["OS_CLIENT_CONFIG_FILE"]]
        config = openstack.config.OpenStackConfig(config_files=files, load_envvars=False)
        return Connection(config=config.get_one(cloud=env["OS_CLOUD"]))

    def _environment(self) -> dict[str, str]:
        if not self._env:
            self._env = lab_environment()
        return self._env

    def cloud(self) -> None:
        """Bring up the OpenStack and register the node image."""
        with self.progress.phase("lab: an OpenStack on this machine"):
            causeway("lab", "up", "--with", "dns")
        with self.progress.phase("node image"):
            made = json.loads(causeway("lab", "image", "-o", "json"))
        self._kubectl = Path(made["kubectl"])
        self.archives = {name: Path(path) for name, path in made["archives"].items()}
        with self.progress.phase(f"zone {self.zone}"), self.connected() as cloud:
            if cloud.dns.find_zone(self.zone) is None:
                cloud.dns.create_zone(name=self.zone, email="hostmaster@causeway.test")

    def deploy(self) -> None:
        """Check the cloud and deploy the platform."""
        with self.progress.phase("preflight"):
            self.causeway("preflight", str(self.platform))
        with self.progress.phase("platform"):
            self.causeway("apply", str(self.platform), "--yes")

    def kubectl(self) -> Kubectl:
        """Return ``kubectl`` for the platform; it was built or downloaded with the node image."""
        kubeconfig = self.platform.parent / ".causeway" / "demo.kubeconfig"
        self.causeway("kubeconfig", str(self.platform), "--output", str(kubeconfig))
        return Kubectl(self._kubectl, kubeconfig)

    def application(self) -> str:
        """Deploy the guestbook and return the URL at which it answers from this machine."""
        kubectl = self.kubectl()
        with self.progress.phase("guestbook") as phase:
            kubectl("apply", "-f", str(GUESTBOOK))
            until(phase, "all pods ready", lambda: _all_ready(kubectl), seconds=300)
            address = until(phase, "a floating IP", lambda: _load_balancer_ip(kubectl), seconds=300)
            url = f"http://{address}"
            until(phase, f"an answer at {url}", lambda: http_json(f"{url}/api/messages"), seconds=300)
        return url

    def messages(self, url: str) -> None:
        """Post a message through the floating IP and read it back from a follower."""
        text = f"hello at {time.time_ns()}"
        post = partial(http_json, f"{url}/api/messages", {"text": text})
        with self.progress.phase("a message through the floating IP") as phase:
            until(phase, "the message taken", post, seconds=300)
            until(phase, "the message read back", lambda: _has(url, text), seconds=300)

    def scale(self, url: str, replicas: int) -> None:
        """Scale the front end; done when every replica has answered through the one address."""
        kubectl = self.kubectl()
        with self.progress.phase(f"front end x{replicas}") as phase:
            kubectl("scale", "deployment/frontend", f"--replicas={replicas}")
            until(phase, "all pods ready", lambda: _all_ready(kubectl), seconds=300)
            seen: set[str] = set()
            until(phase, f"{replicas} pods answering", lambda: _seen(url, seen) >= replicas, seconds=300)

    def heal(self, url: str) -> None:
        """Delete all the guestbook's pods of one node and wait until the application is whole again."""
        kubectl = self.kubectl()
        with self.progress.phase("pods of one node deleted") as phase:
            pods = kubectl.json("get", "pods", "-l", "app=guestbook")["items"]
            # Not the leader's node: the guestbook keeps its messages in memory.
            leader = {
                pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["labels"]["tier"] == "leader"
            }
            node = next(pod["spec"]["nodeName"] for pod in pods if pod["spec"]["nodeName"] not in leader)
            gone = [pod["metadata"]["name"] for pod in pods if pod["spec"]["nodeName"] == node]
            kubectl("delete", "pod", "--wait=false", *gone)
            until(phase, "new pods ready", lambda: _replaced(kubectl, set(gone)), seconds=300)
            until(phase, "an answer", lambda: http_json(f"{url}/api/messages"), seconds=300)

    def stateful(self) -> str:
        """Deploy what has a disk and a name, lose its node, and return its host name."""
        application = Stateful(self.progress, self.connected(), self.kubectl(), self.zone)
        text = f"kept since {time.time_ns()}"
        application.push(self.archives)
        application.deploy()
        application.post(text)
        application.lose_node(text)
        return application.host

    def summary(self, url: str, host: str) -> None:
        """Print what stands once all of it does, the address, and how long each phase took."""
        with self.progress.phase("every part works") as phase:
            self.working(phase)
        try:
            stands = self.causeway("status", str(self.platform))
        except CommandEnded as ended:  # all of it worked a moment ago
            stands = ended.printed
        print(stands)
        print("Timings")
        for timing in self.progress.timings:
            print(f"  {timing.phase:<40} {timing.seconds:7.1f} s")
        print(f"\nThe guestbook answers at {url}, the one with a disk at https://{host}")

    def working(self, phase: Phase) -> Any:
        """Return what ``causeway status -o json`` tells, once every part of the platform works.

        A node is ready before the daemons on it are that were lost with it.
        """

        def told() -> Any:
            try:
                status = json.loads(self.causeway("status", str(self.platform), "-o", "json"))
            except CommandEnded as ended:
                if not ended.printed:  # no status at all, and why stands above
                    raise
                status = json.loads(ended.printed)
            broken = [each["name"] for each in (*status["components"], *status["nodes"]) if not each["works"]]
            if broken:
                phase.waiting_for(f"{', '.join(broken)} to work")
            return None if broken else status

        return until(phase, "every part to work", told, seconds=300)


def _all_ready(kubectl: Kubectl) -> bool:
    deployments = kubectl.json("get", "deployments")["items"]
    return bool(deployments) and all(
        each["status"].get("readyReplicas", 0) == each["spec"]["replicas"]
        and each["status"].get("observedGeneration") == each["metadata"]["generation"]
        for each in deployments
    )


def _replaced(kubectl: Kubectl, gone: set[str]) -> bool:
    names = {pod["metadata"]["name"] for pod in kubectl.json("get", "pods", "-l", "app=guestbook")["items"]}
    return not names & gone and _all_ready(kubectl)


def _load_balancer_ip(kubectl: Kubectl) -> str | None:
    status: dict[str, Any] = kubectl.json("get", "service", "frontend")["status"]
    ingress = status.get("loadBalancer", {}).get("ingress") or [{}]
    ip: str | None = ingress[0].get("ip")
    return ip


def _has(url: str, text: str) -> bool:
    return any(message["text"] == text for message in http_json(f"{url}/api/messages")["messages"])


def _seen(url: str, seen: set[str]) -> int:
    """Ask once more and return how many different pods have answered so far."""
    seen.add(http_json(f"{url}/api/messages")["pod"])
    return len(seen)
