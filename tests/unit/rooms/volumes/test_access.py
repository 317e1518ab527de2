import pytest

from causeway.rooms.volumes.access import for_several, hindrance, refusal, require_usable
from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused


@pytest.mark.parametrize(
    ("mode", "block", "multiattach", "possible"),
    [
        (Mode.ONE_NODE, False, False, True),
        (Mode.ONE_NODE, True, False, True),
        (Mode.MANY_READERS, False, False, True),  # at one server at a time
        (Mode.MANY_READERS, True, False, True),
        (Mode.MANY_READERS, False, True, True),
        (Mode.MANY_WRITERS, True, False, False),
        (Mode.MANY_WRITERS, True, True, True),
        (Mode.MANY_WRITERS, False, True, False),  # two nodes, one ext4: the end of its data
    ],
)
def test_what_may_be_used_how(mode: Mode, block: bool, multiattach: bool, possible: bool) -> None:
    assert (hindrance(Capability(mode, block), multiattach=multiattach) is None) is possible


def test_only_known_file_systems() -> None:
    assert hindrance(Capability(Mode.ONE_NODE, filesystem="xfs"), multiattach=False) is None
    found = hindrance(Capability(Mode.ONE_NODE, filesystem="btrfs"), multiattach=False)
    assert found
    assert "btrfs" in found.cause


FILES = Capability(Mode.MANY_WRITERS)
BLOCKS = Capability(Mode.MANY_WRITERS, block=True)
BTRFS = Capability(Mode.ONE_NODE, filesystem="btrfs")
PATCH = """kubectl patch pv PV --type=merge -p '{"spec": {"accessModes": ["ReadWriteOnce"]}}'"""


@pytest.mark.parametrize(
    ("capability", "there", "told", "not_told"),
    [
        (BTRFS, False, ["csi.storage.k8s.io/fstype", "ext4, ext3, xfs"], ["ReadWriteOnce", "multiattach"]),
        (BTRFS, True, ["fsType", "ext4, ext3, xfs", "Copy"], ["ReadWriteOnce", "multiattach"]),
        (FILES, False, ["ReadWriteOnce", "docs/how-to/shares.md", "volumeMode Block and"], ["fstype"]),
        (FILES, True, [PATCH, "docs/how-to/shares.md"], ["multiattach", "fstype"]),
        (BLOCKS, False, ["multiattach='<is> True'", "ReadWriteOnce"], ["volumeMode", "shares.md"]),
        (BLOCKS, True, ["multiattach='<is> True'", PATCH], ["volumeMode", "shares.md"]),
    ],
)
def test_each_cause_has_its_own_remedy(
    capability: Capability, there: bool, told: list[str], not_told: list[str]
) -> None:
    refused = refusal([capability], "v", multiattach=False, there=there)
    assert refused
    remedy = refused.findings[0].remedy
    assert [each for each in told if each not in remedy] == []
    assert [each for each in not_told if each in remedy] == []


def test_one_impossible_way_of_several_is_refused() -> None:
    ways = [Capability(Mode.ONE_NODE), Capability(Mode.MANY_WRITERS, block=True)]
    assert for_several(ways)
    assert not for_several([Capability(Mode.ONE_NODE), Capability(Mode.MANY_READERS)])
    with pytest.raises(Refused) as refused:
        require_usable(ways, "v", multiattach=False)
    assert refused.value.reason is Reason.INVALID
