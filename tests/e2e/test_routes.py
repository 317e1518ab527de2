"""Applications by host name: through the platform's router, over HTTPS, by the platform's own authority."""

from functools import partial

from tests.e2e.routed import BY_INGRESS, BY_ROUTE, SECONDS, SUFFIX, Ask, Asking, persistently

from causeway.kit.progress import Phase, Progress
from demo.commands import Kubectl
from demo.waiting import until

SYSTEM = ("-n", "kube-system")
PODS = ("get", "pods", *SYSTEM, "-l", "app.kubernetes.io/name=causeway-router")


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
    with Progress().phase("another router") as phase:
        both_answer(phase, ask)
        with Asking(partial(persistently, ask, BY_ROUTE)) as asking:
            kubectl("rollout", "restart", *SYSTEM, "daemonset/causeway-router")
            until(phase, "the next router", lambda: replaced(kubectl, before), seconds=SECONDS)
            seen = asking.asked
            until(phase, "answers of it alone", lambda: asking.asked > seen + 10, seconds=SECONDS)
    assert asking.failed == []


def test_a_router_that_is_deleted_comes_back(ask: Ask, kubectl: Kubectl) -> None:
    before = set(router_pods(kubectl))
    with Progress().phase("router deleted") as phase:
        kubectl("delete", "pods", *SYSTEM, "-l", "app.kubernetes.io/name=causeway-router", "--wait=false")
        until(phase, "another router", lambda: replaced(kubectl, before), seconds=SECONDS)
        both_answer(phase, ask)
