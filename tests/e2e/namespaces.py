"""Namespaces of the platform in which pods can be made at once."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from causeway.kit.progress import Progress
from demo.commands import Kubectl
from demo.waiting import until

SECONDS = 300.0


@contextmanager
def namespace(kubectl: Kubectl, name: str) -> Iterator[str]:
    """Make a namespace and wait for its account, without which the API takes no pod; it goes at the end."""

    def accounted() -> str:
        return kubectl("get", "serviceaccount", "default", "-n", name, "--ignore-not-found")

    wanted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    kubectl("apply", "-f", "-", stdin=json.dumps(wanted))
    try:
        with Progress().phase(f"namespace {name}") as phase:
            until(phase, "its account", accounted, seconds=SECONDS)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=true")
