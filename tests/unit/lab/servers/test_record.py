import os
from pathlib import Path

import pytest

from causeway.lab.servers import record
from causeway.lab.servers.layout import ServerFiles
from causeway.lab.servers.record import Interface, Process, Record, Runtime, Volume

SERVER = Record("1a", "web", "2b", 512, 1)


@pytest.fixture
def files(tmp_path: Path) -> ServerFiles:
    directory = tmp_path / "server"
    directory.mkdir()
    return ServerFiles(directory, "above")


def interface(port: str) -> Interface:
    return Interface(port, "fa:16:3e:00:00:01", 1442)


def test_a_record_is_read_as_it_was_written(files: ServerFiles) -> None:
    server = SERVER.with_interface(interface("p1")).with_volume(Volume("vdb", "/file", "s1"))
    record.save(files, server)
    assert record.load(files) == server
    assert [path.name for path in files.directory.iterdir()] == ["record.json"]


def test_no_record_means_no_server(files: ServerFiles) -> None:
    assert record.load(files) is None


def test_interfaces_take_the_first_free_name() -> None:
    server = SERVER.with_interface(interface("p1")).with_interface(interface("p2"))
    server = server.with_interface(interface("p3")).without_interface("p2").with_interface(interface("p4"))
    assert {each.port: each.name for each in server.interfaces} == {"p1": "eth0", "p3": "eth2", "p4": "eth1"}


def test_an_interface_attached_twice_is_there_once() -> None:
    server = SERVER.with_interface(interface("p1")).with_interface(interface("p1"))
    assert [each.name for each in server.interfaces] == ["eth0"]


def test_an_interface_is_called_outside_as_neutron_calls_it() -> None:
    tap = interface("0f21b7a2-9c6e-4a51-8d7e-3c2f1c0b9a00").tap
    assert tap == "tap0f21b7a2-9c"
    assert len(tap) < 16  # what the kernel takes


def test_a_volume_takes_the_place_of_one_of_its_serial_or_device() -> None:
    server = SERVER.with_volume(Volume("vdb", "/one", "s1")).with_volume(Volume("vdc", "/one", "s1"))
    server = server.with_volume(Volume("vdc", "/two", "s2"))
    assert server.volumes == (Volume("vdc", "/two", "s2"),)
    assert server.without_volume("s2").volumes == ()


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    this = Process.of(os.getpid())
    assert this.alive
    assert not Process(this.pid, this.started - 1).alive


def test_there_is_no_process_of_an_unused_number() -> None:
    with pytest.raises(ProcessLookupError):
        Process.of(2**22 + 1)


def test_the_start_time_is_found_behind_any_program_name() -> None:
    fields = " ".join(str(n) for n in range(4, 50))
    assert record.start_time(f"42 (a) S 1 (b)) S {fields}") == 22
    assert record.start_time(f"42 (init) Z {fields}") is None


def test_the_runtime_of_a_monitor_that_is_gone_counts_as_off(files: ServerFiles) -> None:
    this = Process.of(os.getpid())
    record.save_runtime(files, Runtime(this, this, 1))
    assert record.load_runtime(files) == Runtime(this, this, 1)
    record.save_runtime(files, Runtime(Process(this.pid, 1), this, 1))
    assert record.load_runtime(files) is None


def test_half_a_runtime_counts_as_off(files: ServerFiles) -> None:
    files.runtime.write_text('{"monitor"')
    assert record.load_runtime(files) is None
