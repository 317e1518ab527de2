"""Messages of the interface as the shares' words, with the names cloud-provider-openstack gave them."""

from typing import Any

import pytest
from tests.unit.rooms.shares.examples import share, snapshot

from causeway.engine.storage.model import GIB, Reason, Refused
from causeway.rooms.shares.model import CEPHFS, NFS, Clients, Entry
from causeway.serve.csi.settings import SHARES, Common, common
from causeway.serve.csi.shares import convert
from causeway.serve.csi.spec import csi_pb2 as csi

PLAIN = Common(driver=SHARES, zones=False)
ZONES = Common(driver=SHARES, zones=True)
CLAIM = "csi.storage.k8s.io/pvc/name"
WAY = csi.VolumeCapability(
    mount=csi.VolumeCapability.MountVolume(),
    access_mode=csi.VolumeCapability.AccessMode(mode="MULTI_NODE_MULTI_WRITER"),
)


def request(**parameters: str) -> csi.CreateVolumeRequest:
    asked = csi.CreateVolumeRequest(name="pvc-a", volume_capabilities=[WAY], parameters=parameters)
    for zone in ("b", "a"):
        asked.accessibility_requirements.preferred.add(segments={ZONES.topology_key: zone})
    return asked


def test_the_parameters_of_a_class_are_understood() -> None:
    asked = request(
        type="gold",
        shareNetworkID="net",
        availability="z",
        groupID="group",
        appendShareMetadata='{"team": "media"}',
    )
    wish = convert.wish(asked, ZONES)
    assert (wish.share_type, wish.network, wish.zone, wish.group) == ("gold", "net", "z", "group")
    assert wish.metadata == {"team": "media"}
    assert wish.protocol == NFS


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("null", {}),
        ('{"team": null}', {"team": ""}),
        (f'{{"{CLAIM}": "forged", "team": "media"}}', {"team": "media"}),
    ],
)
def test_what_a_class_adds_leaves_the_claims_names(given: str, written: dict[str, str]) -> None:
    names = {CLAIM: "data"}
    wish = convert.wish(request(appendShareMetadata=given, **names), PLAIN)
    assert wish.metadata == names | written


@pytest.mark.parametrize(
    ("driver", "parameter", "protocol"),
    [
        (SHARES, "", NFS),
        (f"cephfs.{SHARES}", "", CEPHFS),
        (f"nfs.{SHARES}", "", NFS),
        (SHARES, "cephfs", CEPHFS),
        (f"cephfs.{SHARES}", "NFS", NFS),
    ],
)
def test_the_protocol_is_the_classs_or_that_of_the_drivers_name(
    driver: str, parameter: str, protocol: str
) -> None:
    asked = request(protocol=parameter) if parameter else request()
    assert convert.wish(asked, Common(driver=driver)).protocol == protocol


def test_a_zone_is_followed_only_when_it_is_asked_for() -> None:
    follow = request(autoTopology="true")
    assert convert.wish(follow, ZONES).zone == "b"
    assert convert.wish(follow, PLAIN).zone == ""
    assert convert.wish(request(), ZONES).zone == ""
    (reached,) = convert.topology(follow, share(availability_zone="b"), ZONES)
    assert dict(reached.segments) == {ZONES.topology_key: "b"}
    assert convert.topology(follow, share(availability_zone="b"), PLAIN) == []
    assert len(convert.topology(request(), share(), ZONES)) == 2
    named = request(autoTopology="true", availability="z")
    assert convert.wish(named, ZONES).zone == "z"
    told = convert.topology(named, share(availability_zone="z"), ZONES)
    assert [dict(each.segments) for each in told] == [{ZONES.topology_key: "b"}, {ZONES.topology_key: "a"}]
    assert common({}, SHARES) == PLAIN
    assert common({"CAUSEWAY_CSI_ZONES": "same"}, SHARES) == ZONES


def refused(asked: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        convert.wish(asked, PLAIN)
    return caught.value


def test_what_a_share_cannot_be_is_refused() -> None:
    block = request()
    block.volume_capabilities[0].block.SetInParent()
    copy = request()
    copy.volume_content_source.volume.volume_id = "v"
    added = (request(appendShareMetadata=each) for each in ("[]", "no", "0", '{"a": 1}', '"null"'))
    for asked in (block, copy, request(protocol="CIFS"), *added):
        assert refused(asked).reason is Reason.INVALID


def test_the_context_says_which_share_it_is_and_how_it_is_mounted_but_no_key() -> None:
    kept = {
        "cephfs-mounter": "fuse",
        "cephfs-fuseMountOptions": "x",
        "nfs-shareClient": "192.0.2.1, 192.0.2.2",
    }
    context = convert.volume_context(share(share_group_id="g"), {**kept, "type": "gold"})
    assert context == {"shareID": share().id, "groupID": "g", **kept}
    assert convert.clients(context) == Clients(("192.0.2.1", "192.0.2.2"))
    assert convert.named(context) == share().id
    assert convert.named({"shareName": "media", "shareAccessIDs": "a,b"}) == "media"
    assert convert.volume(share(size=3), context).capacity_bytes == 3 * GIB


def test_what_a_node_gets_is_read_there_again() -> None:
    ceph = Entry(CEPHFS, "10.0.0.1:6789:/a", "u", "k")
    apart = Entry(CEPHFS, "10.0.0.1:6789:/a", "u", "k", "slow")
    for entry in (Entry(NFS, "10.0.0.1:/a"), ceph, apart):
        assert convert.entry_from(convert.entry(entry), "") == entry
    of_before = {"protocol": CEPHFS, "location": "10.0.0.1:6789:/a", "user": "u", "key": "k"}
    assert convert.entry(ceph) == of_before
    assert convert.entry(apart) == of_before | {"filesystem": "slow"}
    with pytest.raises(Refused):
        convert.entry_from({}, "share a")


def test_snapshots_are_ready_when_they_are_available() -> None:
    assert convert.snapshot(snapshot()).ready_to_use
    assert not convert.snapshot(snapshot(status="creating")).ready_to_use
