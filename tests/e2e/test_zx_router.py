"""The router from outside while a node of it is lost. Last but for what does not come back."""

import time
from functools import partial

from openstack.connection import Connection
from tests.e2e.routed import BY_ROUTE, SECONDS, Ask, Asking

from causeway.kit.progress import Progress
from demo.commands import CommandEnded, Kubectl
from demo.waiting import until

ENOUGH = 30  # answers in a row that nobody gets by luck while every second request is lost


def test_a_host_answers_when_a_node_of_the_router_is_lost(
    kubectl: Kubectl, cloud: Connection, ask: Ask
) -> None:
    """Its members are left out once the load balancer has looked, and taken in again when it is back."""
    lost = min(
        each["metadata"]["name"]
        for each in kubectl.json("get", "nodes", "-l", "causeway.dev/role=infra")["items"]
    )
    server = cloud.compute.find_server(lost, ignore_missing=False)
    progress = Progress()
    asking = Asking(partial(ask, BY_ROUTE, seconds=2))

    def status() -> str:
        return str(cloud.compute.get_server(server.id).status)

    def states() -> set[str]:
        """Return how the members on the node are, of all the router's pools."""
        balancer = cloud.load_balancer.find_load_balancer("demo-router", ignore_missing=False)
        address = next(each["addr"] for each in server.addresses["demo-nodes"] if each["version"] == 4)
        return {
            member.operating_status
            for pool in cloud.load_balancer.pools(loadbalancer_id=balancer.id)
            for member in cloud.load_balancer.members(pool)
            if member.address == address
        }

    with progress.phase("a node of the router lost") as phase, asking:
        until(phase, "answers", lambda: asking.row >= ENOUGH, seconds=SECONDS)
        until(phase, "both to be looked at", lambda: states() == {"ONLINE"}, seconds=SECONDS)
        began, before = time.monotonic(), asking.asked
        cloud.compute.stop_server(server)
        try:
            until(phase, f"{lost} to be off", lambda: status() == "SHUTOFF", seconds=SECONDS)
            until(phase, "it to be left out", lambda: states() == {"ERROR"}, seconds=SECONDS)
            asking.row = 0
            until(phase, "answers of the other", lambda: asking.row >= ENOUGH, seconds=SECONDS)
            failed = [moment for moment, _ in asking.failed if moment > began]
            asked = asking.asked - before
        finally:
            until(phase, f"{lost} to be off", lambda: status() == "SHUTOFF", seconds=SECONDS)
            started = time.monotonic()
            cloud.compute.start_server(server)
        until(phase, "it to be taken in", lambda: states() == {"ONLINE"}, seconds=SECONDS)
        back = time.monotonic() - started
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        until(
            phase, "requests that it has", lambda: BY_ROUTE in log_on(kubectl, lost, since), seconds=SECONDS
        )
    last = max(failed, default=began) - began
    progress.note(
        f"{lost} was lost: {len(failed)} of {asked} requests failed, the last after {last:.0f} s; "
        f"taken in {back:.0f} s after its start"
    )


def log_on(kubectl: Kubectl, node: str, since: str) -> str:
    """Return what the router on a node has written since a moment; "" while it cannot be had."""
    chosen = ("-l", "app.kubernetes.io/name=causeway-router", f"--field-selector=spec.nodeName={node}")
    pods = kubectl.json("get", "pods", "-n", "kube-system", *chosen)["items"]
    names = [each["metadata"]["name"] for each in pods]
    try:
        return "".join(kubectl("logs", "-n", "kube-system", each, f"--since-time={since}") for each in names)
    except CommandEnded:  # its kubelet does not answer yet
        return ""
