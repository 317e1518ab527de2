from pathlib import Path

import pytest

from causeway.kit.errors import Exit, Problem
from causeway.lab.servers import enter, record
from causeway.lab.servers.layout import Layout
from causeway.lab.servers.record import Record
from causeway.lab.settings import Settings

FIRST = "5a6f2c3e-0000-4000-8000-000000000001"
SECOND = "5a6f2c3e-1111-4000-8000-000000000002"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(Settings(tmp_path, tmp_path))
    for server_id, name in ((FIRST, "web"), (SECOND, "db")):
        files = layout.server(server_id)
        files.directory.mkdir(parents=True)
        record.save(files, Record(server_id, name, "i", 512, 1))
    return layout


@pytest.mark.parametrize("wanted", ["web", FIRST, FIRST[:13]])
def test_a_server_is_found_by_name_or_beginning_of_its_id(layout: Layout, wanted: str) -> None:
    assert enter.find(layout, wanted).id == FIRST


@pytest.mark.parametrize("wanted", ["mail", "5a6f2c3e"])
def test_none_and_several_are_refused_with_the_names_there_are(layout: Layout, wanted: str) -> None:
    with pytest.raises(Problem) as caught:
        enter.find(layout, wanted)
    assert caught.value.exit_code == Exit.USAGE


def test_a_name_goes_before_ids() -> None:
    assert enter.matches({"a1": "b1", "b1": "x"}, "b1") == ["a1"]


def test_the_first_process_is_the_servers_not_a_containers() -> None:
    numbers = {900: [900, 40, 1], 910: [910, 50, 11, 1], 905: [905, 45, 6]}
    assert enter.first_process(numbers) == 900
    assert enter.first_process({}) is None


def test_a_server_that_is_off_cannot_be_entered(layout: Layout) -> None:
    with pytest.raises(Problem, match="it is off"):
        enter.command_in(layout.server(FIRST), ["true"])
