from typing import Any

import msgspec
import pytest

from causeway.kube.objects import LabelSelector, Pod
from causeway.rooms.policies.model import GroupKey, Labels, member_of


def pod(status: dict[str, Any] | None = None, **spec: Any) -> Pod:
    whole = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec, "status": status or {}}
    return msgspec.convert(whole, Pod)


@pytest.mark.parametrize(
    "apart",
    [
        pod(),
        pod(nodeName="n1", hostNetwork=True),
        pod({"phase": "Succeeded"}, nodeName="n1"),
        pod({"phase": "Failed"}, nodeName="n1"),
    ],
)
def test_some_pods_take_no_part(apart: Pod) -> None:
    assert member_of(apart) is None


def test_ports_of_containers_and_of_those_that_stay() -> None:
    port = {"name": "web", "containerPort": 80}
    member = member_of(
        pod(
            nodeName="n1",
            containers=[{"ports": [port, {"containerPort": 81}, {**port, "containerPort": 82}]}],
            initContainers=[
                {"ports": [{"name": "setup", "containerPort": 1}]},
                {
                    "restartPolicy": "Always",
                    "ports": [{"name": "side", "containerPort": 2, "protocol": "UDP"}],
                },
            ],
        )
    )
    assert member is not None
    assert member.number("web", "TCP") == 80
    assert member.number("web", "UDP") == 0
    assert (member.number("side", "UDP"), member.number("setup", "TCP")) == (2, 0)


def test_selectors_that_say_the_same_are_equal() -> None:
    def of(**selector: Any) -> Labels:
        return Labels.of(msgspec.convert(selector, LabelSelector))

    one = {"key": "a", "operator": "In", "values": ["x", "y"]}
    two = {"key": "b", "operator": "Exists"}
    turned = {**one, "values": ["y", "x"]}
    assert of(matchExpressions=[one, two]) == of(matchExpressions=[two, turned])
    assert hash(of(matchExpressions=[one])) == hash(of(matchExpressions=[turned]))
    assert of(matchLabels={"a": "b"}) != of(matchLabels={"a": "c"})
    assert str(of()) == "*"


def test_keys_are_read_back() -> None:
    for key in (GroupKey("policy", "uid", "variant"), GroupKey("policy-node", "n1")):
        assert GroupKey.parse(str(key)) == key
