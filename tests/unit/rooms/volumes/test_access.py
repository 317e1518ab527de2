import pytest

from causeway.rooms.volumes.access import for_several, require_usable, why_not
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
    assert (why_not(Capability(mode, block), multiattach=multiattach) == "") is possible


def test_only_known_file_systems() -> None:
    assert why_not(Capability(Mode.ONE_NODE, filesystem="xfs"), multiattach=False) == ""
    assert "btrfs" in why_not(Capability(Mode.ONE_NODE, filesystem="btrfs"), multiattach=False)


def test_one_impossible_way_of_several_is_refused() -> None:
    ways = [Capability(Mode.ONE_NODE), Capability(Mode.MANY_WRITERS, block=True)]
    assert for_several(ways)
    assert not for_several([Capability(Mode.ONE_NODE), Capability(Mode.MANY_READERS)])
    with pytest.raises(Refused) as refused:
        require_usable(ways, "v", multiattach=False)
    assert refused.value.reason is Reason.INVALID
