from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.serve.registry.settings import Settings


def test_the_host_is_enough() -> None:
    found = Settings.from_environment({"CAUSEWAY_REGISTRY_HOST": "registry.example"})
    assert found == Settings(
        "registry.example", Path("/etc/causeway/registry"), 5001, "http://127.0.0.1:5000/"
    )


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "CAUSEWAY_REGISTRY_HOST"),
        ({"CAUSEWAY_REGISTRY_HOST": "r", "CAUSEWAY_REGISTRY_AUTH_PORT": "x"}, "CAUSEWAY_REGISTRY_AUTH_PORT"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], name: str) -> None:
    with pytest.raises(Problem) as refusal:
        Settings.from_environment(environment)
    assert refusal.value.findings[0].place == name
