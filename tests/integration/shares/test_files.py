"""Shares of CephFS mounted for real on two nodes by ``ceph-fuse``: what happens to their bytes."""

import os
import signal
from pathlib import Path

from tests.integration.projects import Project, until
from tests.integration.shares import cloud
from tests.integration.shares.kubernetes import MANY, Kubernetes

from causeway.engine.storage.model import GIB
from causeway.rooms.shares.node import KEYS
from causeway.serve.csi.spec import csi_pb2 as csi


def arguments() -> dict[int, str]:
    """Return the arguments of all programs that run, by their ids."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        found[int(file.parent.name)] = words.decode(errors="replace")
    return found


def served(node: Kubernetes, share: str) -> int:
    """Return the id of the program that serves a share on a node."""
    (found,) = (
        each for each, words in arguments().items() if "ceph-fuse" in words and node.staged(share) in words
    )
    return found


def test_two_nodes_write_one_share_each_with_a_key_of_its_own(
    kubernetes: Kubernetes, elsewhere: Kubernetes, mine: Project
) -> None:
    made = kubernetes.share("files", **cloud.ON_CEPH)
    share = made.volume_id
    nodes = (kubernetes, elsewhere)
    given = [each.open(share) for each in nodes]
    assert {each["protocol"] for each in given} == {"CEPHFS"}
    assert sorted(cloud.rules(mine.cloud, share)) == sorted(each["user"] for each in given)
    keys = [each["key"] for each in given]
    assert len(set(keys)) == 2
    for node, entry in zip(nodes, given, strict=True):
        node.stage(share, entry)
        node.stage(share, entry)
    one, two = (node.show(share) for node in nodes)
    kubernetes.said(f"echo from one > {one}/file")
    assert elsewhere.said(f"cat {two}/file") == "from one"
    elsewhere.said(f"echo from two >> {two}/file")
    assert kubernetes.said(f"cat {one}/file") == "from one\nfrom two"
    reader = kubernetes.show(share, "reader", readonly=True)
    assert kubernetes.said(f"cat {reader}/file") == "from one\nfrom two"
    assert kubernetes.shell(f"touch {reader}/no").returncode != 0
    kubernetes.hide(share, "reader")

    running = "\n".join(arguments().values())
    assert "ceph-fuse" in running
    logs = [file.read_text() for node in nodes for file in node.driver.directory.glob("*.log")]
    for key in keys:
        assert not [text for text in (running, str(made), *logs) if key in text]
    assert not list(KEYS.iterdir())

    larger = csi.CapacityRange(required_bytes=2 * GIB)
    grown = kubernetes.call("ControllerExpandVolume", volume_id=share, capacity_range=larger)
    assert not grown.node_expansion_required
    until(lambda: kubernetes.total(share) == elsewhere.total(share) == 2 * GIB)

    kubernetes.away(share)
    assert elsewhere.said(f"cat {two}/file") == "from one\nfrom two"
    _, cause = kubernetes.refused(
        "NodeStageVolume",
        volume_id=share,
        staging_target_path=kubernetes.staged(share),
        volume_capability=MANY,
        publish_context=given[0],
    )
    assert keys[0] not in cause, "the key is dead, but nobody's business"
    elsewhere.away(share)
    assert cloud.rules(mine.cloud, share) == {}
    kubernetes.delete(share)


def test_a_share_whose_program_was_killed_is_there_again_for_the_next_pod(kubernetes: Kubernetes) -> None:
    share = kubernetes.share("killed", **cloud.ON_CEPH).volume_id
    kubernetes.stage(share, kubernetes.open(share))
    first = kubernetes.show(share)
    kubernetes.said(f"echo kept > {first}/file; sync {first}/file")
    os.kill(served(kubernetes, share), signal.SIGKILL)
    until(lambda: kubernetes.shell(f"cat {first}/file").returncode != 0)
    # The kubelet asks for no staging while another pod has it.
    second = kubernetes.show(share, "second", readonly=True)
    assert kubernetes.said(f"cat {second}/file") == "kept"
    assert kubernetes.show(share) == first
    kubernetes.said(f"echo more >> {first}/file")  # that the one who came first only reads is its own affair
    assert kubernetes.said(f"cat {second}/file") == "kept\nmore"

    kubernetes.hide(share, "second")
    os.kill(served(kubernetes, share), signal.SIGKILL)
    until(lambda: kubernetes.shell(f"cat {first}/file").returncode != 0)
    kubernetes.away(share)  # what is dead can be taken away as well
    kubernetes.delete(share)


def test_a_copy_of_a_snapshot_has_the_bytes_of_then(kubernetes: Kubernetes) -> None:
    share = kubernetes.share("then", **cloud.ON_CEPH).volume_id
    kubernetes.stage(share, kubernetes.open(share))
    path = kubernetes.show(share)
    kubernetes.said(f"echo before > {path}/file; sync {path}/file")
    taken = kubernetes.call("CreateSnapshot", name="then-1", source_volume_id=share).snapshot.snapshot_id
    kubernetes.said(f"echo after > {path}/file")
    copy = kubernetes.share("then-copy", source=taken, **cloud.ON_CEPH).volume_id
    kubernetes.stage(copy, kubernetes.open(copy))
    assert kubernetes.said(f"cat {kubernetes.show(copy)}/file") == "before"
    assert kubernetes.said(f"cat {path}/file") == "after"
    for each in (copy, share):
        kubernetes.away(each)
    kubernetes.delete(copy)
    kubernetes.call("DeleteSnapshot", snapshot_id=taken)
    kubernetes.delete(share)
