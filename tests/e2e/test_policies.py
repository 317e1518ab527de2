"""NetworkPolicies on a platform: in force before a container talks, opened, closed, gone without a trace."""

from collections.abc import Callable, Iterator

import pytest
from openstack.connection import Connection
from tests.e2e import namespaces

from causeway.kit.progress import Progress
from demo.commands import CommandEnded, Kubectl
from demo.waiting import until

NAMESPACE = "policies"
IMAGE = "localhost/guestbook-frontend:0.1.0"
ASK = """
import socket, sys, time
while True:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5).close()
        print("open", flush=True)
    except OSError:
        print("closed", flush=True)
    time.sleep(0.2)
"""
SERVER = f"""
apiVersion: v1
kind: Pod
metadata: {{name: server, namespace: {NAMESPACE}, labels: {{app: server}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: server
      image: {IMAGE}
      command: [python3, -m, http.server, "8080"]
      ports: [{{name: http, containerPort: 8080}}]
      readinessProbe: {{tcpSocket: {{port: http}}, periodSeconds: 1, failureThreshold: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: server, namespace: {NAMESPACE}}}
spec:
  selector: {{app: server}}
  ports: [{{port: 80, targetPort: http}}]
"""


TO_SERVER = """policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchLabels: {app: server}}}]
      ports: [{port: http}]
"""


def policy(name: str, app: str, rest: str) -> str:
    return f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec:
  podSelector: {{matchLabels: {{app: {app}}}}}
  {rest}
"""


def client(name: str, address: str, port: int) -> str:
    program = ASK.replace("\n", "\n        ")
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {NAMESPACE}, labels: {{app: client}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: client
      image: {IMAGE}
      command:
      - python3
      - -c
      - |{program}
      - "{address}"
      - "{port}"
"""


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with namespaces.namespace(kubectl, NAMESPACE):
        kubectl("apply", "-f", "-", stdin=SERVER)
        yield NAMESPACE


def words(kubectl: Kubectl, pod: str) -> list[str]:
    try:
        return kubectl("logs", "-n", NAMESPACE, pod).split()
    except CommandEnded:  # its container has not started yet
        return []


def test_policies_hold_from_a_containers_first_packet_on(
    kubectl: Kubectl, cloud: Connection, namespace: str
) -> None:
    def ready() -> bool:
        found = kubectl.json("get", "pod", "-n", NAMESPACE, "server")["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in found)

    def lately(pod: str, word: str) -> Callable[[], bool]:
        return lambda: words(kubectl, pod)[-5:] == [word] * 5

    def talked(pod: str) -> Callable[[], list[str]]:
        return lambda: said if len(said := words(kubectl, pod)) >= 10 else []

    with Progress().phase("policies") as phase:
        until(phase, "the server ready", ready, seconds=300)
        server = kubectl.json("get", "pod", "-n", NAMESPACE, "server")["status"]["podIP"]
        service = kubectl.json("get", "service", "-n", NAMESPACE, "server")["spec"]["clusterIP"]

        kubectl("apply", "-f", "-", stdin=policy("out", "client", "policyTypes: [Egress]"))
        for name, address, port in (("direct", server, 8080), ("served", service, 80)):
            kubectl("apply", "-f", "-", stdin=client(name, address, port))
            said = until(phase, f"{name}: ten attempts", talked(name), seconds=300)
            assert set(said) == {"closed"}

        kubectl("apply", "-f", "-", stdin=policy("allow", "client", TO_SERVER))
        for name in ("direct", "served"):
            until(phase, f"{name}: open", lately(name, "open"), seconds=300)

        kubectl("apply", "-f", "-", stdin=policy("in", "server", "policyTypes: [Ingress]"))
        for name in ("direct", "served"):
            until(phase, f"{name}: closed again", lately(name, "closed"), seconds=300)
        until(phase, "its node still asks it every second", ready, seconds=300)  # one answer may be late

        kubectl("delete", "networkpolicy", "-n", NAMESPACE, "--all")
        for name in ("direct", "served"):
            until(phase, f"{name}: open to all", lately(name, "open"), seconds=300)
        until(phase, "nothing left", lambda: not leftovers(cloud), seconds=300)


def leftovers(cloud: Connection) -> list[str]:
    groups = [
        each.name for each in cloud.network.security_groups() if "causeway-kind=policy" in each.description
    ]
    peers = [each.name for each in cloud.network.address_groups() if "policy-peers" in each.description]
    return groups + peers
