from datetime import timedelta
from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.rooms.registry.bucket import Bucket, Place
from causeway.rooms.registry.store import Directory
from causeway.serve.registry.settings import Collector, Settings, opened

BUCKET = {
    "CAUSEWAY_REGISTRY_ENDPOINT": "https://s3.example",
    "CAUSEWAY_REGISTRY_BUCKET": "images",
    "CAUSEWAY_REGISTRY_REGION": "r",
    "CAUSEWAY_REGISTRY_ACCESS_KEY": "access",
    "CAUSEWAY_REGISTRY_SECRET_KEY": "a-secret",
}


def test_the_host_is_enough() -> None:
    found = Settings.from_environment({"CAUSEWAY_REGISTRY_HOST": "registry.example"})
    assert found == Settings(
        service="registry.example",
        directory=Path("/etc/causeway/registry"),
        port=5001,
        registry="http://127.0.0.1:5000/",
        place=Path("/var/lib/registry"),
        quota=None,
    )


def test_a_bucket_is_named_with_its_keys_and_its_authority(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    given = {
        **BUCKET,
        "CAUSEWAY_REGISTRY_POD": "one",
        "CAUSEWAY_REGISTRY_UNTAGGED": "delete",
        "CAUSEWAY_REGISTRY_AUTHORITY": str(tmp_path / "ca.crt"),
    }
    place = Place("https://s3.example", "images", "r", "access", "a-secret", "PEM")
    assert Collector.from_environment(given) == Collector(place, "one", untagged=True)
    assert Collector.from_environment(given).age == timedelta(days=1)
    assert Collector.from_environment({**given, "CAUSEWAY_REGISTRY_AGE": "0"}).age == timedelta(0)
    more = {**BUCKET, "CAUSEWAY_REGISTRY_HOST": "h", "CAUSEWAY_REGISTRY_QUOTA": "1024"}
    assert Settings.from_environment(more).quota == 1024


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "CAUSEWAY_REGISTRY_HOST"),
        ({"CAUSEWAY_REGISTRY_HOST": "r", "CAUSEWAY_REGISTRY_AUTH_PORT": "x"}, "CAUSEWAY_REGISTRY_AUTH_PORT"),
        ({"CAUSEWAY_REGISTRY_HOST": "r", "CAUSEWAY_REGISTRY_QUOTA": "5Gi"}, "CAUSEWAY_REGISTRY_QUOTA"),
        (
            {"CAUSEWAY_REGISTRY_HOST": "r", **BUCKET, "CAUSEWAY_REGISTRY_SECRET_KEY": ""},
            "CAUSEWAY_REGISTRY_SECRET_KEY",
        ),
        (
            {"CAUSEWAY_REGISTRY_HOST": "r", **BUCKET, "CAUSEWAY_REGISTRY_AUTHORITY": "/nonexistent"},
            "CAUSEWAY_REGISTRY_AUTHORITY",
        ),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(Problem) as refusal:
        Settings.from_environment(environment)
    assert refusal.value.findings[0].place == name


def test_a_collector_has_to_know_its_name() -> None:
    with pytest.raises(Problem) as refusal:
        Collector.from_environment({})
    assert refusal.value.findings[0].place == "CAUSEWAY_REGISTRY_POD"


async def test_a_store_is_what_its_place_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert isinstance(store, Directory)
    async with opened(Place("http://s3.example", "images", "r", "a", "s")) as store:
        assert isinstance(store, Bucket)
