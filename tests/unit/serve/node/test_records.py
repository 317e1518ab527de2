from pathlib import Path

import msgspec

from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd
from causeway.serve.node.records import Attachment, Records


def attachment(container: str = "c1", vlan: int = 7) -> Attachment:
    return Attachment(
        container_id=container,
        ifname="eth0",
        netns="/run/netns/x",
        namespace="default",
        pod="web",
        pod_uid="u",
        port_id="p",
        trunk="eth0",
        vlan=vlan,
        mac="fa:16:3e:00:00:07",
        mtu=1442,
        addresses=(Address("10.0.0.7/16", "10.0.0.1"),),
    )


def test_on_the_bridge_a_place_is_a_port(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.load()
    one = msgspec.structs.replace(attachment("c1", vlan=0), port_id="p1")
    records.put(one)
    records.put(msgspec.structs.replace(attachment("c2", vlan=0), port_id="p2"))
    assert records.at("p1") == [one]


def test_a_new_daemon_knows_what_the_old_one_did(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.load()
    intended = attachment()
    records.put(intended)
    made = msgspec.structs.replace(intended, node_end=NodeEnd("bpf", 1442, "cwp7", 12, "02:00:00:00:00:01"))
    records.put(made)
    records.put(attachment("c2", vlan=8))

    successor = Records(tmp_path)
    assert successor.load() == []
    assert successor.get(("c1", "eth0")) == made
    assert successor.at("8") == [attachment("c2", vlan=8)]

    successor.remove(("c1", "eth0"))
    successor.remove(("c1", "eth0"))
    assert [record.key for record in successor.all()] == [("c2", "eth0")]
    assert [path.name for path in tmp_path.iterdir()] == ["c2@eth0.json"]


def test_a_half_written_record_does_not_stop_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "c1@eth0.json").write_text('{"container_id": "c')
    (tmp_path / "c2@eth0.new").write_text("{")
    records = Records(tmp_path)
    assert records.load() == ["c1@eth0.json"]
    assert list(tmp_path.iterdir()) == []
