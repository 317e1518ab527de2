"""An image is pushed by its registry's name, pods run it, and the registry's node may be lost in between."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from openstack.connection import Connection

from causeway.kit.progress import Progress
from causeway.lab import settings
from causeway.lab.images import debian
from causeway.lab.images.oci import Entry, write_archive, write_layer
from demo.commands import Kubectl
from demo.path import Demo
from demo.waiting import until

NAMESPACE = "images"
HOST = "registry.apps.demo.causeway.test"  # below the router's suffix, of the platform file's zone
IMAGE = f"{HOST}/{NAMESPACE}/still:1"
PUSHED = "registry.causeway.dev/pushed"
OFF = "node.kubernetes.io/out-of-service"
SECONDS = 300.0
# A name of its own for one command: the machine's own file stays.
NAMED = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'

Push = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image nobody has yet: a program that does nothing, and bytes of its own."""
    directory = tmp_path_factory.mktemp("image")
    tree = debian.tree(settings.from_environment().cache, "pause", ("catatonit",), log=directory / "log")
    layer = write_layer(
        [Entry("pause", tree / "usr/bin/catatonit"), Entry("own", os.urandom(1 << 20))], directory / "layer"
    )
    write_archive(IMAGE, [layer], {"Entrypoint": ["/pause", "-P"]}, directory / "image.tar")
    return directory / "image.tar"


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")


@pytest.fixture(scope="module")
def push(demo: Demo, kubectl: Kubectl, archive: Path, namespace: str) -> Push:
    """Push the image as somebody, through the platform's router from outside."""
    del namespace
    directory = archive.parent
    status = json.loads(demo.causeway("status", str(demo.platform), "-o", "json"))
    (directory / "hosts").write_text(f"{status['addresses']['router']} {HOST}\n")
    (directory / "trust").mkdir()
    (entry,) = yaml.safe_load(kubectl.kubeconfig.read_text())["clusters"]
    authority = base64.b64decode(entry["cluster"]["certificate-authority-data"])
    (directory / "trust/ca.crt").write_bytes(authority)

    def by(token: str) -> "subprocess.CompletedProcess[str]":
        password = base64.b64encode(f"any:{token}".encode()).decode()
        (directory / "auth.json").write_text(json.dumps({"auths": {HOST: {"auth": password}}}))
        skopeo = ["skopeo", "--insecure-policy", "--command-timeout=240s", "copy"]
        skopeo += [f"--dest-cert-dir={directory / 'trust'}", f"--authfile={directory / 'auth.json'}"]
        skopeo += [f"oci-archive:{archive}", f"docker://{IMAGE}"]
        inside = ["unshare", "--mount", "sh", "-c", NAMED, "sh", str(directory / "hosts"), *skopeo]
        return subprocess.run(inside, capture_output=True, text=True, check=False)

    return by


def pod(name: str, node: str) -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec:
  terminationGracePeriodSeconds: 1
  nodeSelector: {{kubernetes.io/hostname: {node}}}
  containers:
    - {{name: main, image: {IMAGE}, imagePullPolicy: Always}}
"""


def test_an_image_is_pulled_by_name_also_after_its_registrys_node_is_lost(
    kubectl: Kubectl, cloud: Connection, push: Push
) -> None:
    inside = ("-n", NAMESPACE)
    registry = ("-n", "kube-system", "-l", "app.kubernetes.io/name=causeway-registry")
    first, second = (
        each["metadata"]["name"]
        for each in kubectl.json("get", "nodes", "-l", "causeway.dev/role=compute")["items"][:2]
    )

    def runs(name: str) -> bool:
        found = kubectl.json("get", "pod", name, *inside)
        return any(each.get("ready") for each in found["status"].get("containerStatuses", []))

    def place() -> str:
        """The node on which the registry is ready, "" for none."""
        for each in kubectl.json("get", "pods", *registry)["items"]:
            ready = {one["type"]: one["status"] for one in each["status"].get("conditions", [])}.get("Ready")
            if ready == "True" and "deletionTimestamp" not in each["metadata"]:
                return str(each["spec"]["nodeName"])
        return ""

    def collected(job: tuple[str, ...]) -> bool:
        status = kubectl.json("get", *job)["status"]
        assert "failed" not in status, status
        return bool(status.get("succeeded") == 1)

    def accounted() -> bool:
        return bool(kubectl("get", "serviceaccount", "default", *inside, "--ignore-not-found"))

    with Progress(sys.stdout).phase("images") as phase:
        kubectl("create", "serviceaccount", "builder", *inside)
        token = kubectl("create", "token", "builder", *inside).strip()
        refused = push(token)
        assert refused.returncode != 0
        assert "denied" in refused.stderr, refused.stderr
        role = ("--clusterrole=causeway-registry-pusher", f"--serviceaccount={NAMESPACE}:builder")
        kubectl("create", "rolebinding", "builder", *role, *inside)
        done = push(token)
        assert done.returncode == 0, done.stderr

        until(phase, "the namespace's account", accounted, seconds=SECONDS)
        kubectl("apply", "-f", "-", stdin=pod("first", first))
        until(phase, "a pod of the image", lambda: runs("first"), seconds=SECONDS)

        # Nobody pushes: nothing has to be waited for.
        kubectl("-n", "kube-system", "annotate", "lease", "causeway-registry", f"{PUSHED}-")
        job = ("job", "collect", "-n", "kube-system")
        kubectl("create", *job, "--from=cronjob/causeway-registry-collector")
        until(phase, "unused blobs to be collected", lambda: collected(job), seconds=SECONDS)
        kubectl("delete", *job)
        lease = kubectl.json("get", "lease", "causeway-registry", "-n", "kube-system")
        assert lease["spec"]["holderIdentity"] == ""

        lost = place()
        server = next(each.id for each in cloud.compute.servers() if each.name == lost)
        cloud.compute.stop_server(server)
        until(phase, "the registry elsewhere", lambda: place() not in ("", lost), seconds=SECONDS)
        other = second if lost != second else first
        kubectl("apply", "-f", "-", stdin=pod("second", other))
        until(phase, "a pod of the image again", lambda: runs("second"), seconds=SECONDS)

        def back() -> bool:
            node = kubectl.json("get", "node", lost)
            ready = {each["type"]: each["status"] for each in node["status"]["conditions"]}["Ready"]
            return ready == "True" and OFF not in {each["key"] for each in node["spec"].get("taints", [])}

        cloud.compute.start_server(server)
        until(phase, "the node to be back", back, seconds=SECONDS)
