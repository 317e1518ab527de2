from typing import Any

from causeway.kube.objects import LabelSelector, Meta, Namespace, NetworkPolicy, NetworkPolicySpec, Pod
from causeway.kube.podnetwork import has_own_network, is_plain

POLICY = NetworkPolicy(Meta("p", "shop"), NetworkPolicySpec(LabelSelector({"app": "web"})))


def pod(**meta: Any) -> Pod:
    return Pod(Meta("web-0", "shop", "u", **meta))


def test_a_pod_is_plain_unless_a_policy_or_an_annotation_is_about_it() -> None:
    assert is_plain(pod(), [])
    assert is_plain(pod(labels={"app": "db"}), [POLICY])
    assert not is_plain(pod(labels={"app": "web"}), [POLICY])
    assert not is_plain(pod(annotations={"causeway.dev/port": "p1"}), [])
    assert not is_plain(pod(annotations={"k8s.v1.cni.cncf.io/networks": "storage"}), [])


def test_a_namespace_says_whether_it_has_a_network_or_the_platform_does() -> None:
    silent = Namespace(Meta("a"))
    own = Namespace(Meta("a", annotations={"causeway.dev/network": "own"}))
    shared = Namespace(Meta("a", annotations={"causeway.dev/network": "shared"}))
    assert [has_own_network(one, by_default=False) for one in (silent, own, shared)] == [False, True, False]
    assert [has_own_network(one, by_default=True) for one in (silent, own, shared)] == [True, True, False]
