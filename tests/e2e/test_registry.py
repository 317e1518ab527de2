"""An image is pushed by its registry's name, pods run it, and the registry's node may be lost in between."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from openstack.connection import Connection
from tests.e2e import namespaces

from causeway.kit.progress import Phase, Progress
from causeway.lab import settings
from causeway.lab.images import debian
from causeway.lab.images.oci import Entry, write_archive, write_layer
from demo.commands import Kubectl
from demo.path import Demo
from demo.waiting import until

NAMESPACE = "images"
INSIDE = ("-n", NAMESPACE)
HOST = "registry.apps.demo.causeway.test"  # below the router's suffix, of the platform file's zone
REGISTRY = ("-n", "kube-system", "-l", "app.kubernetes.io/name=causeway-registry")
PUSHED = "registry.causeway.dev/pushed"
OFF = "node.kubernetes.io/out-of-service"
ON_A_VOLUME = "storage: cinder, size: 5"
SECONDS = 600.0
# A name of its own for one command: the machine's own file stays.
NAMED = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'

Push = Callable[[str, str], "subprocess.CompletedProcess[str]"]
"""Of an image, by its name and tag, with a token."""


def image(name: str) -> str:
    return f"{HOST}/{NAMESPACE}/{name}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that does nothing, in a tree of files."""
    log = tmp_path_factory.mktemp("tree") / "log"
    return debian.tree(settings.from_environment().cache, "pause", ("catatonit",), log=log)


@pytest.fixture(scope="module")
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with namespaces.namespace(kubectl, NAMESPACE):
        yield NAMESPACE


@pytest.fixture(scope="module")
def push(
    router_address: str,
    kubectl: Kubectl,
    tree: Path,
    namespace: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Push:
    """Push an image nobody has yet as somebody, through the platform's router from outside."""
    del namespace
    directory = tmp_path_factory.mktemp("push")
    (directory / "hosts").write_text(f"{router_address} {HOST}\n")
    (directory / "trust").mkdir()
    (entry,) = yaml.safe_load(kubectl.kubeconfig.read_text())["clusters"]
    authority = base64.b64decode(entry["cluster"]["certificate-authority-data"])
    (directory / "trust/ca.crt").write_bytes(authority)

    def by(name: str, token: str) -> "subprocess.CompletedProcess[str]":
        archive = directory / f"{name.replace(':', '-')}.tar"  # skopeo ends a path at a colon
        if not archive.exists():
            own = Entry("own", os.urandom(1 << 20))
            layer = write_layer([Entry("pause", tree / "usr/bin/catatonit"), own], directory / "layer")
            write_archive(image(name), [layer], {"Entrypoint": ["/pause", "-P"]}, archive)
        password = base64.b64encode(f"any:{token}".encode()).decode()
        (directory / "auth.json").write_text(json.dumps({"auths": {HOST: {"auth": password}}}))
        skopeo = ["skopeo", "--insecure-policy", "--command-timeout=240s", "copy"]
        skopeo += [f"--dest-cert-dir={directory / 'trust'}", f"--authfile={directory / 'auth.json'}"]
        skopeo += [f"oci-archive:{archive}", f"docker://{image(name)}"]
        inside = ["unshare", "--mount", "sh", "-c", NAMED, "sh", str(directory / "hosts"), *skopeo]
        return subprocess.run(inside, capture_output=True, text=True, check=False)

    return by


def account(kubectl: Kubectl, name: str) -> str:
    """Make a service account; return a token of it."""
    kubectl("create", "serviceaccount", name, *INSIDE)
    return kubectl("create", "token", name, *INSIDE).strip()


def let_push(kubectl: Kubectl, name: str) -> None:
    role = ("--clusterrole=causeway-registry-pusher", f"--serviceaccount={NAMESPACE}:{name}")
    kubectl("create", "rolebinding", name, *role, *INSIDE)


def pushed(phase: Phase, push: Push, name: str, token: str) -> None:
    """Push, once the right to is in force and the routers know where the registry is."""

    def taken() -> bool:
        done = push(name, token)
        phase.waiting_for(f"{name} to be taken: {done.stderr.strip()[-300:]}")
        return done.returncode == 0

    until(phase, f"{name} to be taken", taken, seconds=SECONDS)


def compute_nodes(kubectl: Kubectl) -> tuple[str, str]:
    found = kubectl.json("get", "nodes", "-l", "causeway.dev/role=compute")["items"]
    first, second = (each["metadata"]["name"] for each in found[:2])
    return first, second


def run_pod(kubectl: Kubectl, phase: Phase, pod: str, name: str, node: str) -> None:
    """Run a pod of an image on a node, for which it is pulled."""
    text = f"""
apiVersion: v1
kind: Pod
metadata: {{name: {pod}, namespace: {NAMESPACE}}}
spec:
  terminationGracePeriodSeconds: 1
  nodeSelector: {{kubernetes.io/hostname: {node}}}
  containers:
    - {{name: main, image: "{image(name)}", imagePullPolicy: Always}}
"""

    def runs() -> bool:
        found = kubectl.json("get", "pod", pod, *INSIDE)
        return any(each.get("ready") for each in found["status"].get("containerStatuses", []))

    kubectl("apply", "-f", "-", stdin=text)
    until(phase, f"a pod of {name}", runs, seconds=SECONDS)


def place(kubectl: Kubectl) -> str:
    """The node on which the registry is ready, "" for none."""
    for each in kubectl.json("get", "pods", *REGISTRY)["items"]:
        ready = {one["type"]: one["status"] for one in each["status"].get("conditions", [])}.get("Ready")
        if ready == "True" and "deletionTimestamp" not in each["metadata"]:
            return str(each["spec"]["nodeName"])
    return ""


def _is_off(cloud: Connection, server: str) -> bool:
    return bool(cloud.compute.get_server(server).status == "SHUTOFF")


@contextmanager
def lost(kubectl: Kubectl, cloud: Connection, phase: Phase) -> Iterator[str]:
    """Lose the registry's node, and go on when the registry is elsewhere; then the node comes back."""
    node = place(kubectl)
    server = next(each.id for each in cloud.compute.servers() if each.name == node)
    cloud.compute.stop_server(server)

    def back() -> bool:
        found = kubectl.json("get", "node", node)
        ready = {each["type"]: each["status"] for each in found["status"]["conditions"]}["Ready"]
        return ready == "True" and OFF not in {each["key"] for each in found["spec"].get("taints", [])}

    try:
        until(phase, "the registry elsewhere", lambda: place(kubectl) not in ("", node), seconds=SECONDS)
        yield node
    finally:
        try:
            until(phase, f"{node} to be off", partial(_is_off, cloud, server), seconds=SECONDS)
        finally:
            cloud.compute.start_server(server)
        until(phase, "the node to be back", back, seconds=SECONDS)


def test_an_image_is_pulled_by_name_also_after_its_registrys_node_is_lost(
    kubectl: Kubectl, cloud: Connection, push: Push
) -> None:
    first, second = compute_nodes(kubectl)

    def collected(job: tuple[str, ...]) -> bool:
        status = kubectl.json("get", *job)["status"]
        assert "failed" not in status, status
        return bool(status.get("succeeded") == 1)

    with Progress(sys.stdout).phase("images") as phase:
        token = account(kubectl, "builder")
        refused = push("still:1", token)
        assert refused.returncode != 0
        assert "denied" in refused.stderr, refused.stderr
        let_push(kubectl, "builder")
        pushed(phase, push, "still:1", token)

        run_pod(kubectl, phase, "first", "still:1", first)

        # Nobody pushes: nothing has to be waited for.
        kubectl("-n", "kube-system", "annotate", "lease", "causeway-registry", f"{PUSHED}-")
        job = ("job", "collect", "-n", "kube-system")
        kubectl("create", *job, "--from=cronjob/causeway-registry-collector")
        until(phase, "unused blobs to be collected", lambda: collected(job), seconds=SECONDS)
        kubectl("delete", *job)
        lease = kubectl.json("get", "lease", "causeway-registry", "-n", "kube-system")
        assert lease["spec"]["holderIdentity"] == ""

        with lost(kubectl, cloud, phase) as node:
            run_pod(kubectl, phase, "second", "still:1", second if node != second else first)


def test_the_same_where_the_file_names_the_object_store_by_now(
    demo: Demo, kubectl: Kubectl, cloud: Connection, push: Push
) -> None:
    first, second = compute_nodes(kubectl)
    token = account(kubectl, "mover")
    let_push(kubectl, "mover")
    text = demo.platform.read_text()
    assert ON_A_VOLUME in text
    demo.platform.write_text(text.replace(ON_A_VOLUME, "storage: swift"))
    told = demo.causeway("apply", str(demo.platform), "--yes")
    assert "stay in the claim kube-system/causeway-registry, and are not moved" in told
    with Progress(sys.stdout).phase("images in the object store") as phase:
        until(phase, "the registry", lambda: place(kubectl), seconds=SECONDS)
        pushed(phase, push, "moved:1", token)
        run_pod(kubectl, phase, "third", "moved:1", second if place(kubectl) == second else first)
        with lost(kubectl, cloud, phase) as node:
            run_pod(kubectl, phase, "fourth", "moved:1", second if node != second else first)
