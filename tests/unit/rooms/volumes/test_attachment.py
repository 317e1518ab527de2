from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rooms.volumes.examples import BLOCKS, ONE, OTHER, SERVER, attached, volume

from causeway.cloud.cinder_objects import Attachment
from causeway.rooms.volumes.attachment import (
    PASSING,
    Attach,
    Attached,
    Detach,
    Gone,
    Pass,
    holders,
    settled,
    to_attach,
    to_detach,
)
from causeway.rooms.volumes.model import Capability, Mode, Reason, Refused

statuses = st.sampled_from([*PASSING, "available", "in-use", "error", "maintenance"])
servers = st.lists(st.sampled_from([SERVER, OTHER]), unique=True)


@given(statuses, servers, st.booleans(), st.sampled_from([ONE, BLOCKS]))
def test_a_volume_never_comes_to_a_second_server(
    status: str, at: list[str], shared: bool, capability: Capability
) -> None:
    found = attached(*at, status=status, multiattach=shared)
    try:
        step = to_attach(found, SERVER, capability)
    except Refused as refused:
        assert refused.reason is Reason.PRECONDITION
        assert SERVER not in at
        return
    if isinstance(step, Attach):
        assert SERVER not in at
        assert OTHER not in at or (shared and capability is BLOCKS)
        assert status in ("available", "in-use")
    if isinstance(step, Attached):
        assert SERVER in at


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (volume(), Attach()),
        (attached(SERVER), Attached("/dev/vdb")),
        (attached(SERVER, status="extending"), Attached("/dev/vdb")),
        (attached(SERVER, status="detaching"), Pass()),
        (volume(status="reserved"), Pass()),
        (volume(status="creating"), Pass()),
        (attached(OTHER, status="detaching"), Pass()),
        (attached(OTHER, multiattach=True), Attach()),
    ],
)
def test_steps_to_attach(found: Any, step: object) -> None:
    assert to_attach(found, SERVER, BLOCKS) == step


@pytest.mark.parametrize("found", [attached(OTHER), volume(status="error"), volume(status="maintenance")])
def test_what_forbids_it_is_told(found: Any) -> None:
    with pytest.raises(Refused) as refused:
        to_attach(found, SERVER, ONE)
    assert refused.value.reason is Reason.PRECONDITION


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (None, Gone()),
        (volume(), Gone()),
        (attached(OTHER), Gone()),
        (volume(status="attaching"), Pass()),
        (attached(SERVER, status="detaching"), Pass()),
        (attached(OTHER, status="detaching"), Gone()),
        (attached(SERVER), Detach(tuple(attached(SERVER).attachments))),
    ],
)
def test_steps_to_detach(found: Any, step: object) -> None:
    assert to_detach(found, SERVER) == step


HOST = Attachment(None, "at-host", "/dev/sda")
"""A host has it that is no server: Cinder's attachments know that, and Nova does not."""


def test_what_a_host_has_is_left_to_it_and_given_to_no_server() -> None:
    found = volume(status="in-use", attachments=[HOST])
    assert found.servers == []
    assert "host" in holders(found)
    with pytest.raises(Refused, match="a host that is no server") as refused:
        to_attach(found, SERVER, ONE)
    assert refused.value.reason is Reason.PRECONDITION
    several = volume(status="in-use", attachments=[HOST], multiattach=True)
    assert to_attach(several, SERVER, BLOCKS) == Attach()
    for server in ("", SERVER):
        assert to_detach(found, server) == Gone()
    both = attached(SERVER)
    shared = volume(status="in-use", attachments=[HOST, *both.attachments])
    assert to_detach(shared, "") == Detach(tuple(both.attachments))


def test_a_volume_that_is_only_read_comes_to_a_second_server_by_its_type_alone() -> None:
    readers = Capability(Mode.MANY_READERS)
    assert to_attach(volume(), SERVER, readers) == Attach()
    assert to_attach(attached(OTHER, multiattach=True), SERVER, readers) == Attach()
    with pytest.raises(Refused, match=OTHER):
        to_attach(attached(OTHER), SERVER, readers)


def test_without_a_server_it_is_detached_from_all() -> None:
    assert to_detach(attached(SERVER, OTHER), "") == Detach(tuple(attached(SERVER, OTHER).attachments))


def test_what_is_passing_is_not_settled() -> None:
    assert not any(settled(volume(status=each)) for each in PASSING)
    assert settled(volume())
    assert settled(None)
