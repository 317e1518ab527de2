"""The controller is killed while pods and services are being made: nothing is lost, doubled or left."""

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

from openstack.connection import Connection
from tests.e2e.test_path import claimed_ports

from causeway.kit.progress import Progress
from demo.commands import CommandEnded, Kubectl, causeway
from demo.path import Demo
from demo.waiting import until

NAMESPACE = "crash"
PODS, SERVICES, KILLS = 12, 3, 2


def manifest() -> str:
    services = "".join(
        f"""
---
apiVersion: v1
kind: Service
metadata: {{name: crash-{number}, namespace: {NAMESPACE}}}
spec:
  type: LoadBalancer
  selector: {{app: crash}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]"""
        for number in range(SERVICES)
    )
    return f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: crash, namespace: {NAMESPACE}}}
spec:
  replicas: {PODS}
  selector: {{matchLabels: {{app: crash}}}}
  template:
    metadata: {{labels: {{app: crash}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: sleep
          image: localhost/guestbook-frontend:0.1.0
          command: [python3, -m, http.server, "8080"]
{services}
"""


def controllers(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = kubectl.json(
        "get", "pods", "-n", "kube-system", "-l", "app.kubernetes.io/name=causeway-controller"
    )["items"]
    return [pod for pod in found if pod["status"]["phase"] == "Running"]


def restarts(kubectl: Kubectl) -> int:
    return sum(
        container["restartCount"]
        for pod in controllers(kubectl)
        for container in pod["status"]["containerStatuses"]
    )


def kill_controller(kubectl: Kubectl) -> int:
    """Kill every instance; return how many there were: one may be between two lives."""
    killed = 0
    for pod in controllers(kubectl):
        with contextlib.suppress(CommandEnded):
            causeway("lab", "exec", pod["spec"]["nodeName"], "pkill", "-9", "-f", "causeway serve controller")
            killed += 1
    return killed


def tagged(objects: Callable[[], Any], uids: set[str]) -> Counter[str]:
    """How many objects carry each of the UIDs."""
    marks = {f"causeway-uid={uid}" for uid in uids}
    return Counter(tag for each in objects() for tag in each.tags if tag in marks)


def test_a_controller_killed_in_the_middle_loses_and_doubles_nothing(
    demo: Demo, kubectl: Kubectl, cloud: Connection
) -> None:
    before = restarts(kubectl)
    kubectl("apply", "-f", "-", stdin=manifest())
    with Progress().phase("crash") as phase:
        for kill in range(1, KILLS + 1):
            before += until(phase, "a controller to kill", lambda: kill_controller(kubectl), seconds=300)

            def restarted(times: int = before) -> bool:
                return restarts(kubectl) >= times

            until(phase, f"restart {kill}", restarted, seconds=300)
        until(phase, "all pods running", lambda: running(kubectl) == PODS, seconds=300)
        until(phase, "all services with an address", lambda: addresses(kubectl) == SERVICES, seconds=300)

        pods = {pod["metadata"]["uid"] for pod in items(kubectl, "pods")}
        services = {service["metadata"]["uid"] for service in items(kubectl, "services")}
        until(phase, "all claims told", lambda: pods <= set(claimed_ports(kubectl)), seconds=300)
        ports = {port for pod, port in claimed_ports(kubectl).items() if pod in pods}
        assert len(ports) == PODS
        assert ports <= {port.id for port in cloud.network.ports()}
        assert set(tagged(cloud.load_balancer.load_balancers, services).values()) == {1}
        assert tagged(cloud.load_balancer.load_balancers, services).total() == SERVICES

        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        until(phase, "a controller to kill", lambda: kill_controller(kubectl), seconds=300)

        def gone() -> bool:
            return not (
                pods & set(claimed_ports(kubectl))
                or pool_ports(kubectl) != our_ports(cloud)
                or tagged(cloud.load_balancer.load_balancers, services)
                or any(ip.description and f"{NAMESPACE}/" in ip.description for ip in cloud.network.ips())
            )

        until(phase, "nothing left in the cloud", gone, seconds=300)


def pool_ports(kubectl: Kubectl) -> set[str]:
    """Return the ids of all ports in pools."""
    pools = kubectl.json("get", "portpools")["items"]
    return {port["portID"] for pool in pools for port in pool["spec"].get("ports", [])}


def our_ports(cloud: Connection) -> set[str]:
    """Return the ids of the ports made for pods."""
    return {port.id for port in cloud.network.ports() if "causeway-kind=pod" in port.tags}


def items(kubectl: Kubectl, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kubectl.json("get", kind, "-n", NAMESPACE)["items"]
    return found


def running(kubectl: Kubectl) -> int:
    return sum(pod["status"]["phase"] == "Running" for pod in items(kubectl, "pods"))


def addresses(kubectl: Kubectl) -> int:
    services = items(kubectl, "services")
    return sum(bool(service["status"]["loadBalancer"].get("ingress")) for service in services)
