"""Namespaces of the platform in which pods can be made at once."""

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

    kubectl("create", "namespace", name)
    with Progress().phase(f"namespace {name}") as phase:
        until(phase, "its account", accounted, seconds=SECONDS)
    yield name
    kubectl("delete", "namespace", name, "--wait=true")
