"""Applications by host name: through the platform's router, over HTTPS, by the platform's own authority."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from causeway.kit.progress import Phase, Progress
from demo.commands import Kubectl
from demo.path import Demo
from demo.waiting import until

SUFFIX = "apps.demo.causeway.test"  # of the platform file's zone
BY_ROUTE, BY_INGRESS = f"front-default.{SUFFIX}", f"front-door.{SUFFIX}"
SECONDS = 300.0
WANTED = f"""
apiVersion: route.openshift.io/v1
kind: Route
metadata: {{name: front, namespace: default}}
spec:
  to: {{kind: Service, name: frontend}}
  tls: {{termination: edge, insecureEdgeTerminationPolicy: Redirect}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front, namespace: default}}
spec:
  ingressClassName: causeway
  rules:
    - host: {BY_INGRESS}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {{service: {{name: frontend, port: {{number: 80}}}}}}
  tls:
    - hosts: [{BY_INGRESS}]
"""
SYSTEM = ("-n", "kube-system")
PODS = ("get", "pods", *SYSTEM, "-l", "app.kubernetes.io/name=causeway-router")

Ask = Callable[[str], Any]


@pytest.fixture(scope="module")
def ask(demo: Demo, kubectl: Kubectl, url: str) -> Iterator[Ask]:
    """Ask an application behind the router by its host name; needs the guestbook."""
    status = json.loads(demo.causeway("status", str(demo.platform), "-o", "json"))
    authority = authority_of(kubectl.kubeconfig)
    kubectl("apply", "-f", "-", stdin=WANTED)
    yield partial(answer, status["addresses"]["router"], authority)
    kubectl("delete", "route/front", "ingress/front", "-n", "default")


def authority_of(kubeconfig: Path) -> ssl.SSLContext:
    """Return what trusts the platform's authority and nobody else."""
    (entry,) = yaml.safe_load(kubeconfig.read_text())["clusters"]
    pem = base64.b64decode(entry["cluster"]["certificate-authority-data"]).decode()
    return ssl.create_default_context(cadata=pem)


def answer(address: str, authority: ssl.SSLContext, host: str) -> Any:
    """Return what ``host`` at ``address`` answers, by a connection of its own; raises ``OSError``."""
    plain = socket.create_connection((address, 443), 30)
    with authority.wrap_socket(plain, server_hostname=host) as connection:
        client = http.client.HTTPConnection(host)
        client.sock = connection
        client.request("GET", "/api/messages")
        try:
            response = client.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{error!r}") from error
    if response.status != 200:
        raise ConnectionError(f"status {response.status}")
    return json.loads(text)


def router_pods(kubectl: Kubectl) -> dict[str, bool]:
    """Return whether each of the router's pods that stay is ready, by uid."""
    return {
        pod["metadata"]["uid"]: any(
            each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"]
        )
        for pod in kubectl.json(*PODS)["items"]
        if "deletionTimestamp" not in pod["metadata"] and "conditions" in pod["status"]
    }


def replaced(kubectl: Kubectl, before: set[str]) -> bool:
    """Return whether there are others in the place of the pods ``before``, all of them ready."""
    now = router_pods(kubectl)
    return len(now) == len(before) and not before & now.keys() and all(now.values())


def both_answer(phase: Phase, ask: Ask) -> None:
    for host in (BY_ROUTE, BY_INGRESS):
        told = until(phase, f"an answer of {host}", partial(ask, host), seconds=SECONDS)
        assert told["pod"].startswith("frontend-")


def test_a_route_and_an_ingress_answer_with_a_certificate_of_the_platform(ask: Ask) -> None:
    with Progress().phase("by host name") as phase:
        both_answer(phase, ask)


def test_statuses_say_which_router_serves(ask: Ask, kubectl: Kubectl) -> None:
    def told() -> bool:
        route = kubectl.json("get", "route", "front", "-n", "default")
        ingress = kubectl.json("get", "ingress", "front", "-n", "default")
        of_route = [
            (each["host"], each["routerCanonicalHostname"])
            for each in route.get("status", {}).get("ingress", [])
            if each.get("conditions", [{}])[0].get("status") == "True"
        ]
        of_ingress = ingress["status"].get("loadBalancer", {}).get("ingress", [])
        return of_route == [(BY_ROUTE, name)] and of_ingress == [{"hostname": name}]

    name = f"router-default.{SUFFIX}"
    with Progress().phase("statuses") as phase:
        until(phase, "both statuses", told, seconds=SECONDS)


def test_the_router_is_replaced_without_a_gap(ask: Ask, kubectl: Kubectl) -> None:
    """Who is turned away by the one that leaves is taken at once by the one that came."""
    before = set(router_pods(kubectl))
    ended, failed, asked = threading.Event(), list[str](), list[None]()

    def keep_asking() -> None:
        while not ended.is_set():
            try:
                persistently(ask, BY_ROUTE)
            except OSError as error:
                failed.append(repr(error))
            asked.append(None)

    asking = threading.Thread(target=keep_asking)
    with Progress().phase("another router") as phase:
        both_answer(phase, ask)
        asking.start()
        try:
            kubectl("rollout", "restart", *SYSTEM, "daemonset/causeway-router")
            until(phase, "the next router", lambda: replaced(kubectl, before), seconds=SECONDS)
            seen = len(asked)
            until(phase, "answers of it alone", lambda: len(asked) > seen + 10, seconds=SECONDS)
        finally:
            ended.set()
            asking.join()
    assert failed == []


def persistently(ask: Ask, host: str) -> None:
    """Ask again at once, five times in all, which takes no longer than a gap that a person would notice."""
    for _ in range(4):
        with contextlib.suppress(OSError):
            ask(host)
            return
    ask(host)


def test_a_router_that_is_deleted_comes_back(ask: Ask, kubectl: Kubectl) -> None:
    before = set(router_pods(kubectl))
    with Progress().phase("router deleted") as phase:
        kubectl("delete", "pods", *SYSTEM, "-l", "app.kubernetes.io/name=causeway-router", "--wait=false")
        until(phase, "another router", lambda: replaced(kubectl, before), seconds=SECONDS)
        both_answer(phase, ask)
