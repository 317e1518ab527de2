"""The node image, registered in the lab and booted there."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pace import pauses

from causeway.lab.images import glance
from causeway.lab.images.build import NodeImage
from causeway.lab.settings import Settings
from causeway.lab.verify import connect

CLI = (sys.executable, "-c", "from causeway.main import main; main()")
LIMIT = 240.0
PREFLIGHT = """apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.0.2.1}
nodeRegistration: {imagePullPolicy: Never, ignorePreflightErrors: [SystemVerification]}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.35.4
proxy: {disabled: true}
"""


def causeway(*words: str) -> str:
    done = subprocess.run([*CLI, *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; return what it returned."""
    deadline, pause = time.monotonic() + LIMIT, pauses()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(next(pause))
    return found


def inside(server: Any, script: str, *, check: bool = True) -> str:
    """Return what a shell script prints inside a server."""
    done = subprocess.run(
        [*CLI, "lab", "exec", server.id, "sh", "-ec", script], capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def facts(lab: Settings) -> Any:
    """What `causeway lab image` says of the image it made."""
    return json.loads(causeway("lab", "image", "-o", "json"))


@pytest.fixture(scope="module")
def server(lab: Settings, facts: Any) -> Iterator[Any]:
    """A server of the image, without a network."""
    compute = connect(lab, "lab").compute
    flavor = compute.find_flavor("m1.small")
    server = compute.create_server(
        name="test-image", image_id=facts["id"], flavor_id=flavor.id, networks="none"
    )
    try:
        server = compute.wait_for_server(server, wait=LIMIT, interval=0.5)
        until(
            lambda: inside(server, "systemctl is-system-running", check=False) in {"running", "degraded"},
            "systemd to have started",
        )
        yield server
    finally:
        compute.delete_server(server, ignore_missing=True)
        compute.wait_for_delete(server, wait=LIMIT, interval=0.5)


def test_the_image_is_public_and_says_what_it_is(lab: Settings, facts: Any) -> None:
    (image,) = connect(lab, "lab").image.images(name="causeway-node-v1.35.4")
    assert (image.id, image.status, image.visibility) == (facts["id"], "active", "public")
    assert (image.disk_format, image.container_format) == ("raw", "bare")
    assert image.os_distro == "debian"
    assert image.properties["causeway_kubernetes_version"] == "v1.35.4"
    assert image.properties["causeway_content"] == facts["content"]


def test_a_second_registration_changes_nothing(facts: Any) -> None:
    again = json.loads(causeway("lab", "image", "-o", "json"))
    assert (again["id"], again["content"], again["uploaded"]) == (facts["id"], facts["content"], False)


def test_kubectl_of_the_release_is_there_for_people(facts: Any) -> None:
    version = subprocess.run(
        [facts["kubectl"], "version", "--client"], capture_output=True, text=True, check=True
    )
    assert "v1.35.4" in version.stdout


def test_every_unit_of_a_node_starts_and_the_kubelet_waits_for_its_configuration(server: Any) -> None:
    assert inside(server, "systemctl --failed --no-legend") == ""
    assert inside(server, "systemctl is-enabled kubelet containerd").split() == ["enabled", "enabled"]
    assert inside(server, "systemctl is-active kubelet", check=False) == "inactive"
    assert inside(server, "test -w /opt/cni/bin && ls /etc/cni/net.d") == ""


def test_kubeadm_finds_all_it_needs_without_any_registry(server: Any, facts: Any) -> None:
    present = set(inside(server, "ctr -n k8s.io images list -q").split())
    assert set(facts["containers"]) <= present
    script = f"cat > /root/kubeadm.yaml <<'END'\n{PREFLIGHT}END\n"
    inside(server, f"{script}kubeadm init phase preflight --config /root/kubeadm.yaml 2>&1")


@pytest.mark.parametrize(
    ("image", "command", "answer"),
    [
        ("localhost/causeway:0.1.0", "/usr/bin/python3 -m causeway --help", "Usage"),
        ("localhost/guestbook-redis:0.1.0", "redis-server --version", "Redis server"),
    ],
)
def test_our_containers_run(server: Any, image: str, command: str, answer: str) -> None:
    assert answer in inside(server, f"ctr -n k8s.io run --rm --net-host {image} test {command}")


def test_the_guestbook_writes_to_its_leader_and_reads_from_a_follower(server: Any) -> None:
    run = "ctr -n k8s.io run --detach --net-host"
    redis = "localhost/guestbook-redis:0.1.0"
    start = "redis-server /etc/guestbook/redis.conf"
    inside(
        server,
        f"""
        ip link set lo up
        {run} {redis} leader {start} --bind 127.0.0.2
        {run} {redis} follower {start} --bind 127.0.0.3 --replicaof 127.0.0.2 6379
        {run} --env REDIS_LEADER=127.0.0.2 --env REDIS_FOLLOWER=127.0.0.3 --env POD_NAME=one \\
            localhost/guestbook-frontend:0.1.0 frontend
        """,
    )
    url = "http://127.0.0.1:8080/api/messages"
    post = f"""curl -sf -d '{{"text": "hello"}}' {url}"""
    until(lambda: "hello" in inside(server, post, check=False), "a message to be taken")
    until(lambda: "hello" in inside(server, f"curl -sf {url}", check=False), "the message to be read")
    assert json.loads(inside(server, f"curl -sf {url}"))["pod"] == "one"


def test_another_content_replaces_an_image_nobody_uses(lab: Settings, tmp_path: Path) -> None:
    image = connect(lab, "lab-admin").image
    archive = tmp_path / "archive"
    archive.write_bytes(b"no system")
    version = "v0.0.1-test"

    def made(content: str) -> NodeImage:
        return NodeImage(archive, content, version, (), archive)

    try:
        first, uploaded = glance.register(made("a"), lab)
        assert uploaded
        assert glance.register(made("a"), lab) == (first, False)
        second, uploaded = glance.register(made("b"), lab)
        assert uploaded
        assert [each.id for each in image.images(name=glance.name_of(version))] == [second]
    finally:
        for each in image.images(name=glance.name_of(version)):
            image.delete_image(each)
