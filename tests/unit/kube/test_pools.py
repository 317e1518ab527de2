"""How full a pool is."""

from causeway.kube.objects import Claim, Meta, PoolPort, PortPool, PortPoolSpec, PortPoolStatus
from causeway.kube.pools import Levels, levels_of


def port(name: str, *, pod: str = "", retiring: bool = False) -> PoolPort:
    return PoolPort(port_id=name, mac_address="", fixed_ips=(), mtu=1442, pod_uid=pod, retiring=retiring)


def test_every_port_counts_once() -> None:
    ports = (port("a"), port("b"), port("c", pod="u"), port("d", retiring=True), port("e", retiring=True))
    claims = tuple(Claim(port_id=name, pod_uid="u", namespace="n", name="p") for name in ("b", "e", "gone"))
    pool = PortPool(Meta(name="w1"), PortPoolSpec(ports), PortPoolStatus(claims=claims))
    assert levels_of(pool) == Levels(free=1, awaited=1, claimed=2, retiring=1)
