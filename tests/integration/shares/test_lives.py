"""Shares through the driver as Kubernetes would use them, on a real Manila: who may mount what, and when."""

from typing import Any

import grpc
from tests.integration.projects import Project, until
from tests.integration.shares import cloud
from tests.integration.shares.kubernetes import MANY, Kubernetes

from causeway.engine.storage.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

Code = grpc.StatusCode


def address(server: Any) -> str:
    (ports,) = server.addresses.values()
    return str(ports[0]["addr"])


def test_a_share_is_open_to_exactly_the_nodes_that_have_it(
    kubernetes: Kubernetes, mine: Project, servers: list[Any]
) -> None:
    made = kubernetes.share("exactly")
    share = made.volume_id
    assert dict(made.volume_context) == {"shareID": share}
    assert made.capacity_bytes == GIB
    assert cloud.rules(mine.cloud, share) == {}

    opening = [kubernetes.opening(share, each.id) for each in servers for _ in range(2)]
    given = [dict(each.result().publish_context) for each in opening]
    assert given == [{"protocol": "NFS", "location": given[0]["location"]}] * 4
    assert cloud.rules(mine.cloud, share) == {address(each): "active" for each in servers}

    code, cause = kubernetes.refused("DeleteVolume", volume_id=share)
    assert code is Code.FAILED_PRECONDITION
    assert servers[0].id in cause
    kubernetes.close(share, servers[0].id)
    assert cloud.rules(mine.cloud, share) == {address(servers[1]): "active"}
    kubernetes.close(share)
    kubernetes.close(share, servers[1].id)
    assert cloud.rules(mine.cloud, share) == {}
    kubernetes.delete(share)
    assert not cloud.shares(mine.cloud, "exactly")


def test_what_others_let_in_stays_and_a_class_may_name_its_clients(
    kubernetes: Kubernetes, mine: Project, servers: list[Any]
) -> None:
    clients = {"nfs-shareClient": "192.0.2.0/24, 198.51.100.7"}
    share = kubernetes.share("others", "", **clients)
    given = {"allow_access": {"access_type": "ip", "access_to": "203.0.113.0/24", "access_level": "ro"}}
    cloud.act(mine.cloud, share.volume_id, given)
    kubernetes.open(share.volume_id, context=dict(share.volume_context))
    asked = dict.fromkeys(("192.0.2.0/24", "198.51.100.7", "203.0.113.0/24"), "active")
    assert until(lambda: cloud.rules(mine.cloud, share.volume_id) == asked)
    kubernetes.close(share.volume_id)
    assert cloud.rules(mine.cloud, share.volume_id) == asked
    kubernetes.delete(share.volume_id)


def test_a_share_grows_and_is_made_again_of_its_snapshot(kubernetes: Kubernetes, mine: Project) -> None:
    share = kubernetes.share("grows").volume_id
    larger = csi.CapacityRange(required_bytes=2 * GIB)
    grown = kubernetes.call("ControllerExpandVolume", volume_id=share, capacity_range=larger)
    assert (grown.capacity_bytes, grown.node_expansion_required) == (2 * GIB, False)
    taken = kubernetes.call("CreateSnapshot", name="grows-1", source_volume_id=share).snapshot
    assert taken.ready_to_use
    assert taken.size_bytes == 2 * GIB
    code, cause = kubernetes.refused("DeleteVolume", volume_id=share)
    assert code is Code.FAILED_PRECONDITION
    assert "snapshot" in cause
    copy = kubernetes.share("grows-copy", source=taken.snapshot_id)
    assert copy.capacity_bytes == 2 * GIB
    assert copy.content_source.snapshot.snapshot_id == taken.snapshot_id
    kubernetes.delete(copy.volume_id)
    kubernetes.call("DeleteSnapshot", snapshot_id=taken.snapshot_id)
    kubernetes.delete(share)


def test_a_volume_of_the_old_driver_and_one_of_a_chosen_handle_go_on(
    kubernetes: Kubernetes, mine: Project, servers: list[Any]
) -> None:
    share = kubernetes.share("prepared").volume_id
    old = {"shareID": share, "shareAccessID": "0a1b2c3d-0000-4000-8000-000000000000"}
    for handle, context in (
        (share, old),
        ("media-of-the-team", old),
        ("by-name", {"shareName": "prepared", "shareAccessIDs": "a,b"}),
    ):
        kubernetes.open(handle, context=context)
        assert list(cloud.rules(mine.cloud, share)) == [address(servers[0])]
        kubernetes.close(handle)
        assert cloud.rules(mine.cloud, share) == {}
    both = (("media-of-the-team", old), ("by-name", {"shareName": "prepared"}))
    for handle, context in both:
        kubernetes.open(handle, context=context)
    kubernetes.close("by-name")
    kubernetes.close("by-name")
    assert list(cloud.rules(mine.cloud, share)) == [address(servers[0])], "another volume is still there"
    kubernetes.close("media-of-the-team")
    assert cloud.rules(mine.cloud, share) == {}
    kubernetes.call("DeleteVolume", volume_id="media-of-the-team")  # what people made stays
    assert cloud.shares(mine.cloud, "prepared")
    kubernetes.delete(share)


def test_what_manila_cannot_make_is_taken_away_and_told(kubernetes: Kubernetes, mine: Project) -> None:
    limit = {"quota_set": {"shares": 0}}
    quotas = f"/quota-sets/{mine.id}"
    manila = mine.admin.shared_file_system
    assert manila.put(quotas, json=limit, microversion=cloud.VERSION).ok
    code, cause = kubernetes.refused(
        "CreateVolume", name="too-many", volume_capabilities=[MANY], parameters=cloud.PARAMETERS
    )
    assert manila.delete(quotas, microversion=cloud.VERSION).ok
    assert code is Code.RESOURCE_EXHAUSTED, cause
    huge = csi.CapacityRange(required_bytes=900_000 * GIB)
    code, cause = kubernetes.refused(
        "CreateVolume",
        name="too-large",
        volume_capabilities=[MANY],
        parameters=cloud.PARAMETERS,
        capacity_range=huge,
    )
    assert code is Code.RESOURCE_EXHAUSTED, cause
    assert not cloud.shares(mine.cloud)


def test_a_controller_killed_at_its_work_goes_on_with_it(
    kubernetes: Kubernetes, mine: Project, servers: list[Any]
) -> None:
    asked = {"name": "killed", "volume_capabilities": [MANY], "parameters": cloud.PARAMETERS}
    kubernetes.begin("CreateVolume", **asked)
    until(lambda: cloud.shares(mine.cloud, "killed"))
    kubernetes.kill_controller()
    share = kubernetes.call("CreateVolume", **asked).volume.volume_id
    assert [each["id"] for each in cloud.shares(mine.cloud, "killed")] == [share]

    kubernetes.opening(share)
    until(lambda: cloud.rules(mine.cloud, share))
    kubernetes.kill_controller()
    kubernetes.open(share)
    assert cloud.rules(mine.cloud, share) == {address(servers[0]): "active"}

    kubernetes.begin("ControllerUnpublishVolume", volume_id=share, node_id=kubernetes.server)
    kubernetes.kill_controller()
    kubernetes.close(share)
    assert cloud.rules(mine.cloud, share) == {}
    kubernetes.begin("DeleteVolume", volume_id=share)
    kubernetes.kill_controller()
    kubernetes.delete(share)
    assert not cloud.shares(mine.cloud)
