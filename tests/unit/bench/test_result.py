"""What a run's record says of the calls made."""

from collections import Counter

from bench.proxy import Call
from bench.result import Case, counted


def case(**calls: int) -> Case:
    named = {name.replace("_", " ").replace("load balancer", "load-balancer"): n for name, n in calls.items()}
    return Case("pods", "us", 4, 1.0, 4, calls=named)


def test_calls_are_told_for_each_object_and_writes_apart() -> None:
    made = case(kubernetes_GET_pods=8, kubernetes_PATCH_pods=2, network_POST_ports=1)
    assert made.calls_each("kubernetes") == 2.5
    assert made.calls_each("kubernetes", writes=True) == 0.5
    assert made.calls_each("network") == 0.2
    assert made.calls_each("load-balancer") == 0


def test_without_calls_or_objects_there_is_nothing_to_tell() -> None:
    assert case().calls_each("network") is None
    assert Case("pods", "us", 4, None, 0, calls={"network GET x": 1}).calls_each("network") is None


def test_leases_watches_and_tokens_belong_to_no_object() -> None:
    calls = Counter(
        {
            Call("kubernetes", "PUT", "leases"): 3,
            Call("kubernetes", "GET", "pods (watch)"): 1,
            Call("identity", "POST", "/v3/auth/tokens"): 1,
            Call("network", "GET", "/v2.0/ports"): 2,
        }
    )
    assert counted(calls) == {"network GET /v2.0/ports": 2}
