"""The demo's path, in order: what a user sees from the first command to the last."""

import json

from openstack.connection import Connection

from causeway.kit.progress import Progress
from causeway.lab import settings
from demo.commands import Kubectl, causeway, http_json
from demo.path import Demo
from demo.resolver import ask
from demo.waiting import until


def test_the_application_answers_through_a_floating_ip(url: str) -> None:
    assert http_json(f"{url}/api/messages")["pod"].startswith("frontend-")


def test_a_message_is_posted_and_read_back(demo: Demo, url: str) -> None:
    demo.messages(url)


def test_the_address_of_a_pod_is_the_address_of_its_port(kubectl: Kubectl, cloud: Connection) -> None:
    pods = kubectl.json("get", "pods", "-l", "app=guestbook")["items"]
    assert len(pods) == 6
    uids = {pod["metadata"]["uid"] for pod in pods}
    with Progress().phase("names of ports") as phase:
        until(phase, "all claims told", lambda: uids <= set(claimed_ports(kubectl)), seconds=300)
        claims = claimed_ports(kubectl)
        for pod in pods:
            port_id = claims[pod["metadata"]["uid"]]
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"

            def named(port_id: str = port_id, name: str = name) -> bool:
                port = cloud.network.get_port(port_id)
                return (port.name, port.status) == (name, "ACTIVE")

            until(phase, f"the port of {name} is named after it and active", named, seconds=300)
            port = cloud.network.get_port(port_id)
            told = {each["ip"] for each in pod["status"]["podIPs"]}
            assert {each["ip_address"] for each in port.fixed_ips} == told
            assert "causeway-kind=pod" in port.tags


def claimed_ports(kubectl: Kubectl) -> dict[str, str]:
    """Return the ports of pods by the pods' uids, as the nodes tell them."""
    return {
        claim["podUID"]: claim["portID"]
        for pool in kubectl.json("get", "portpools")["items"]
        for claim in pool.get("status", {}).get("claims", [])
    }


def test_a_pod_finds_a_service_by_name(kubectl: Kubectl) -> None:
    connect = "socket.create_connection(('redis-leader.default.svc', 6379), 60)"
    program = f"import socket; print({connect}.getpeername()[0])"
    address = kubectl("exec", "deployment/frontend", "--", "python3", "-c", program).strip()
    assert address == kubectl.json("get", "service", "redis-leader")["spec"]["clusterIP"]


def test_the_api_is_known_by_its_name_in_the_zone(kubectl: Kubectl) -> None:
    name = "api.demo.causeway.test"
    assert kubectl("--tls-server-name", name, "get", "--raw", "/readyz") == "ok"
    kept = kubectl.json("get", "configmap", "-n", "kube-system", "kubeadm-config")["data"]
    assert name in kept["ClusterConfiguration"]  # of masters that come in later


def test_a_server_that_is_no_node_reaches_a_service(kubectl: Kubectl, cloud: Connection) -> None:
    address = kubectl.json("get", "service", "frontend")["spec"]["clusterIP"]
    resources = {each.logical_resource_id: each for each in cloud.orchestration.resources("demo")}
    server = cloud.create_server(
        "no-node",
        image="causeway-node-v1.35.4",
        flavor="m1.small",
        network=resources["net"].physical_resource_id,
        auto_ip=False,
        wait=True,
        timeout=600,
    )
    try:
        fetch = ("curl", "-sS", "--retry", "300", "--retry-all-errors", "--retry-delay", "1", "-m", "5")
        answer = causeway("lab", "exec", "no-node", *fetch, f"http://{address}/api/messages")
        assert json.loads(answer)["pod"].startswith("frontend-")
    finally:
        cloud.delete_server(server.id, wait=True, timeout=600)


def test_the_front_end_scales_and_every_replica_answers(demo: Demo, url: str) -> None:
    demo.scale(url, 5)


def test_deleted_pods_come_back(demo: Demo, url: str) -> None:
    demo.heal(url)


def test_explain_says_that_nothing_remains_to_be_done(demo: Demo, kubectl: Kubectl) -> None:
    platform = ("--platform", str(demo.platform), "-o", "json")
    pod = kubectl.json("get", "pods", "-l", "app=guestbook")["items"][0]["metadata"]["name"]

    def done(kind: str, name: str) -> bool:
        said = json.loads(demo.causeway("explain", kind, f"default/{name}", *platform))
        phase.waiting_for(f"{kind} {name} to be done: {said['remaining']}")
        return bool(said["remaining"] == [])

    with Progress().phase("explain") as phase:  # the load balancer may be taking in the last new pod
        until(phase, "nothing remains for the service", lambda: done("service", "frontend"), seconds=300)
        until(phase, "nothing remains for a pod", lambda: done("pod", pod), seconds=300)


def test_status_shows_every_node_ready(demo: Demo) -> None:
    with Progress().phase("status") as phase:
        assert [node["ready"] for node in demo.working(phase)["nodes"]] == [True] * 5


def test_the_zones_name_server_tells_the_api_and_every_node(demo: Demo, kubectl: Kubectl) -> None:
    server = settings.from_environment().address
    with Progress().phase("status") as phase:
        status = demo.working(phase)
    wanted = {f"api.{demo.zone}": (str(status["addresses"]["api"]),)}
    for node in kubectl.json("get", "nodes")["items"]:
        addresses = [each for each in node["status"]["addresses"] if "." in each["address"]]
        outside, inside = (
            tuple(sorted(each["address"] for each in addresses if each["type"] == kind))
            for kind in ("ExternalIP", "InternalIP")
        )
        wanted[f"{node['metadata']['name']}.nodes.{demo.zone}"] = outside or inside
    with Progress().phase("names of the platform") as phase:
        for name, found in wanted.items():

            def told(name: str = name, found: tuple[str, ...] = found) -> bool:
                return ask(server, name).records == found

            until(phase, f"{name} to be {', '.join(found)}", told, seconds=300)


def test_the_application_survived_all_this(demo: Demo, url: str) -> None:
    with Progress().phase("guestbook") as phase:
        until(phase, "an answer", lambda: http_json(f"{url}/api/messages"), seconds=300)
    demo.messages(url)
