"""What the cloud is given allows exactly what Kubernetes says, for everybody, on every port."""

from hypothesis import HealthCheck, given, settings
from tests.unit.rooms.policies.semantics import (
    Cloud,
    alive,
    kubernetes_allows,
    kubernetes_allows_front,
    parties,
)
from tests.unit.rooms.policies.worlds import OUTSIDE, TRAFFIC, World, worlds

quick = settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(worlds)
def test_the_cloud_allows_what_kubernetes_allows(world: World) -> None:
    cloud, everybody = Cloud(world.compiled()), parties(world, OUTSIDE)
    for me in filter(alive, world.pods.values()):
        versions = {":" in one.ip for one in me.status.pod_ips}
        for other in everybody:
            if (other.pod and other.pod.metadata.uid == me.metadata.uid) or (
                ":" in other.address
            ) not in versions:
                continue
            for direction in ("Ingress", "Egress"):
                for protocol, port in TRAFFIC:
                    meant = kubernetes_allows(world, direction, me, other, protocol, port)
                    done = cloud.allows(direction, me, other.address, protocol, port)
                    assert meant == done, (direction, me.metadata.name, other.address, protocol, port)


@quick
@given(worlds)
def test_a_service_is_reached_when_all_that_answers_behind_it_is_allowed(world: World) -> None:
    cloud = Cloud(world.compiled())
    for me in filter(alive, world.pods.values()):
        for (front,) in world.services.values():
            twins = [
                each
                for (each,) in world.services.values()
                if (each.address, each.port) == (front.address, front.port)
            ]
            if front.backends and len(twins) == 1:
                meant = kubernetes_allows_front(world, me, front)
                assert meant == cloud.allows("Egress", me, front.address, front.protocol, front.port)
