"""Pods and services with addresses of both families, on a platform whose file names IPv6 ranges."""

import json
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from tests.e2e import namespaces

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.waiting import until

NAMESPACE = "ipv6"
IMAGE = "localhost/guestbook-frontend:0.1.0"
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: NAMESPACE, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: server
      image: IMAGE
      command: [python3, -m, http.server, "8080", --bind, "::"]
      ports: [{name: http, containerPort: 8080}]
      readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: NAMESPACE}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: client, image: IMAGE, command: [python3, -c, "import time; time.sleep(9999)"]}]
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: NAMESPACE}
spec:
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  selector: {app: server}
  ports: [{port: 80, targetPort: http}]
"""
ASK = """
import json, socket, sys
found = {}
for address, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        with socket.create_connection((address, int(port)), 2) as connection:
            connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            found[address] = connection.recv(15).decode()
    except OSError as error:
        found[address] = str(error)
print(json.dumps(found))
"""


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    with namespaces.namespace(kubectl, NAMESPACE):
        kubectl("apply", "-f", "-", stdin=PODS.replace("NAMESPACE", NAMESPACE).replace("IMAGE", IMAGE))
        yield NAMESPACE


def test_pods_and_services_answer_by_both_families(kubectl: Kubectl, namespace: str) -> None:
    def answers() -> bool:
        words = [word for address in asked for word in (address, "80" if address in virtual else "8080")]
        found = json.loads(kubectl("exec", "-n", namespace, "client", "--", "python3", "-c", ASK, *words))
        phase.waiting_for(f"an answer by each: {found}")
        return all(each.startswith("HTTP/1.0 200") for each in found.values())

    def addresses() -> Any:
        return kubectl.json("get", "pod", "-n", namespace, "server")["status"].get("podIPs")

    with Progress().phase("IPv6") as phase:
        own = [each["ip"] for each in until(phase, "the server's addresses", addresses, seconds=300)]
        virtual = kubectl.json("get", "service", "-n", namespace, "server")["spec"]["clusterIPs"]
        for both in (own, virtual):
            assert [ip_address(each).version for each in both] == [4, 6]
        asked = [*own, *virtual]
        until(phase, "an answer by each", answers, seconds=300)
