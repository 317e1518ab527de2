"""The lab's Ceph as its users meet it: file systems shared by two clients, quotas, access, and S3."""

import subprocess
import time
import urllib.error
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.lab import s3
from tests.integration.lab.cephfs import MOUNTED_AT, client

from causeway.lab import state, tree
from causeway.lab.settings import Settings
from causeway.lab.verify import connect

LIMIT = 240.0
DAEMONS = ("ceph-osd", "ceph-mds", "ceph-mon")


@dataclass(frozen=True)
class Share:
    """A share, where it is, and the keys of who may write it and who may only read it."""

    export: str
    writer: tuple[str, str]
    reader: tuple[str, str]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition; return what it returned."""
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def cloud(lab: Settings) -> Any:
    assert "ceph" in lab.extras, "this lab has no Ceph: bring it up by `causeway lab up --with ceph`"
    return connect(lab, "lab")


@pytest.fixture(scope="module")
def share(cloud: Any) -> Iterator[Share]:
    """A share of 1 GiB, made by a plain user."""
    manila = cloud.shared_file_system
    name = f"test-ceph-{uuid.uuid4().hex[:6]}"
    made = manila.create_share(name=name, size=1, share_protocol="CEPHFS", share_type="cephfs")
    manila.wait_for_status(made, status="available", failures=["error"], interval=0.2, wait=LIMIT)

    def key(user: str, level: str) -> tuple[str, str]:
        rule = manila.create_access_rule(made.id, access_type="cephx", access_to=user, access_level=level)

        def active() -> Any:
            now = manila.get_access_rule(rule.id)
            assert now.state != "error"
            return now if now.state == "active" and now.access_key else None

        return user, until(active, f"the key of {user}").access_key

    export = next(iter(manila.export_locations(made.id))).path
    yield Share(export, key(f"{name}-writer", "rw"), key(f"{name}-reader", "ro"))
    manila.delete_share(made)
    until(lambda: made.id not in {each.id for each in manila.shares()}, "the end of the share")


def test_what_one_client_writes_another_reads(lab: Settings, share: Share) -> None:
    file = f"{MOUNTED_AT}/greeting"
    with client(lab, 1) as one, client(lab, 2) as two:
        one.mount(share.export, *share.writer)
        two.mount(share.export, *share.writer)
        one.run("tee", file, stdin="from one\n")
        assert two.run("cat", file) == "from one\n"
        two.run("tee", "--append", file, stdin="from two\n")
        assert one.run("cat", file) == "from one\nfrom two\n"


def test_a_share_is_as_large_as_was_asked_for(lab: Settings, share: Share) -> None:
    with client(lab, 1) as one:
        one.mount(share.export, *share.writer)
        assert one.run("df", "--output=size", "-BG", MOUNTED_AT).split()[-1] == "1G"
        one.run("truncate", "--size=900M", f"{MOUNTED_AT}/fits")
        with pytest.raises(AssertionError, match="quota exceeded"):
            one.run("truncate", "--size=1100M", f"{MOUNTED_AT}/too-large")
        one.run("rm", f"{MOUNTED_AT}/fits")


def test_a_reader_cannot_write_and_a_stranger_cannot_mount(lab: Settings, share: Share) -> None:
    with client(lab, 1) as one, client(lab, 2) as two:
        one.mount(share.export, *share.reader)
        with pytest.raises(AssertionError, match=r"Permission denied|Read-only"):
            one.run("touch", f"{MOUNTED_AT}/mine")
        _, key = share.reader
        with pytest.raises(AssertionError, match="handle_auth_bad_method"):
            two.mount(share.export, share.writer[0], key)


def test_files_outlive_the_daemons(lab: Settings, share: Share) -> None:
    with client(lab, 1) as one:
        one.mount(share.export, *share.writer)
        one.run("sh", "-c", f"echo kept > {MOUNTED_AT}/kept && sync")
    running, before = tree.running(lab), state.read(lab.state_file)
    assert running is not None
    assert before is not None
    pids = [str(before.units[name].pid) for name in DAEMONS]
    subprocess.run(tree.enter(running, "kill", "-9", *pids), check=True)

    def back() -> bool:
        now = state.read(lab.state_file)
        return now is not None and all(
            now.units[name].status == state.READY and now.units[name].restarts > before.units[name].restarts
            for name in DAEMONS
        )

    until(back, "the daemons")
    with client(lab, 1) as one:
        one.mount(share.export, *share.writer)
        assert one.run("cat", f"{MOUNTED_AT}/kept") == "kept\n"


def test_objects_are_put_and_got_with_keys_of_keystone(cloud: Any) -> None:
    mine, keys = s3.of_user(cloud)
    bucket = f"/test-ceph-{uuid.uuid4().hex[:6]}"
    mine.request("PUT", bucket)
    mine.request("PUT", f"{bucket}/greeting", b"hello")
    assert mine.request("GET", f"{bucket}/greeting") == b"hello"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        s3.S3(mine.url, mine.access, "not its secret").request("GET", f"{bucket}/greeting")
    mine.request("DELETE", f"{bucket}/greeting")
    mine.request("DELETE", bucket)
    cloud.identity.delete(keys)
