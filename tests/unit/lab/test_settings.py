import stat
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.lab.settings import Settings, clouds, from_environment, load, passwords


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"CAUSEWAY_LAB_DIR": str(tmp_path / "lab"), "CAUSEWAY_CACHE_DIR": str(tmp_path / "cache"), **more}


def test_addresses_follow_from_the_ranges(tmp_path: Path) -> None:
    lab = Settings(tmp_path, tmp_path, network="10.9.0.0/28", external="172.30.0.0/24")
    assert (lab.host_address, lab.address, lab.network_prefix) == ("10.9.0.1", "10.9.0.2", 28)
    assert (lab.external_gateway, lab.external_pool) == ("172.30.0.1", ("172.30.0.10", "172.30.0.253"))
    assert lab.identity_url == "http://10.9.0.2:5000"


def test_two_directories_share_no_name_on_the_machine(tmp_path: Path) -> None:
    one, two = Settings(tmp_path / "one", tmp_path), Settings(tmp_path / "two", tmp_path)
    assert one.link != two.link
    assert one.cgroup != two.cgroup
    # The kernel's limit for the name of a device.
    assert len(one.link) <= 15


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/30", "10.0.0.0/8", "fd00::/64", "lab"])
def test_a_range_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Problem, match="CAUSEWAY_LAB_NETWORK"):
        from_environment(environment(tmp_path, CAUSEWAY_LAB_NETWORK=text))


def test_a_lab_keeps_its_ranges_and_collects_extras(tmp_path: Path) -> None:
    made = from_environment(environment(tmp_path, CAUSEWAY_LAB_NETWORK="10.9.0.0/24"), extras=("objects",))
    made.directory.mkdir()
    made.save()
    assert load(made.directory) == made
    again = from_environment(environment(tmp_path), extras=("dns",))
    assert again.network == "10.9.0.0/24"
    assert again.extras == ("dns", "objects")
    with pytest.raises(Problem, match="was made with"):
        from_environment(environment(tmp_path, CAUSEWAY_LAB_NETWORK="10.8.0.0/24"))


def test_another_user_is_told_to_be_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(Problem, match="root"):
        from_environment(environment(tmp_path))


def test_passwords_are_random_private_and_stay(tmp_path: Path) -> None:
    first = passwords(tmp_path)
    assert passwords(tmp_path) == first
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert passwords(other)["admin"] != first["admin"]


def test_clouds_has_a_plain_user_and_the_administrator(tmp_path: Path) -> None:
    lab = Settings(tmp_path, tmp_path)
    content = clouds(lab, passwords(tmp_path))["clouds"]
    assert content["lab"]["auth"]["username"] == "demo"
    assert content["lab-admin"]["auth"]["username"] == "admin"
