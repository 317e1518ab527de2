"""What pods are told of their interfaces."""

import json

from causeway.kube.objects import Claim, FixedIP, Meta, Pod, PoolPort
from causeway.rooms.pods.statuses import status_of

FIRST = PoolPort("p1", "02:00:00:00:00:01", (FixedIP("10.1.0.5", 16, "10.1.0.1"),), 1442)
DATA = PoolPort("p2", "02:00:00:00:00:02", (FixedIP("10.9.0.7", 24),), 1500, interface="net1", pod_uid="u")


def asking(text: str) -> Pod:
    return Pod(Meta("web", "shop", "u", annotations={"k8s.v1.cni.cncf.io/networks": text}))


def claims(*ports: PoolPort) -> dict[str, Claim]:
    return {each.port_id: Claim(each.port_id, "u", "shop", "web", each.interface) for each in ports}


def test_a_pod_is_told_when_it_has_all_its_interfaces() -> None:
    pod = asking("infra/data")
    assert status_of(pod, [FIRST, DATA], claims(FIRST)) is None
    assert json.loads(status_of(pod, [FIRST, DATA], claims(FIRST, DATA)) or "") == [
        {
            "name": "causeway",
            "interface": "eth0",
            "ips": ["10.1.0.5"],
            "mac": "02:00:00:00:00:01",
            "mtu": 1442,
            "default": True,
            "dns": {},
        },
        {
            "name": "infra/data",
            "interface": "net1",
            "ips": ["10.9.0.7"],
            "mac": "02:00:00:00:00:02",
            "mtu": 1500,
            "default": False,
            "dns": {},
        },
    ]


def test_plain_pods_and_wrong_wishes_are_told_nothing() -> None:
    assert status_of(asking(""), [FIRST], claims(FIRST)) is None
    assert status_of(asking("data@eth0"), [FIRST], claims(FIRST)) is None
