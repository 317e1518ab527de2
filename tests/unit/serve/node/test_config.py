from pathlib import Path

import pytest

from causeway.kit.errors import Problem
from causeway.serve.node.config import NodeConfig


def test_only_the_name_of_the_node_is_required() -> None:
    config = NodeConfig.from_environment({"NODE_NAME": "n1"})
    assert config == NodeConfig("n1")
    assert config.socket == Path("/run/causeway/cni.sock")


def test_settings_are_taken_from_the_environment() -> None:
    config = NodeConfig.from_environment(
        {"NODE_NAME": "n1", "CAUSEWAY_RUN_DIR": "/x", "CAUSEWAY_PORT_DEADLINE": "0.5"}
    )
    assert (config.run_dir, config.port_deadline) == (Path("/x"), 0.5)


@pytest.mark.parametrize(
    ("environment", "place"),
    [({}, "NODE_NAME"), ({"NODE_NAME": "n1", "CAUSEWAY_HEALTH_PORT": "http"}, "CAUSEWAY_HEALTH_PORT")],
)
def test_what_is_wrong_is_named(environment: dict[str, str], place: str) -> None:
    with pytest.raises(Problem) as caught:
        NodeConfig.from_environment(environment)
    assert caught.value.findings[0].place == place
