import json
from pathlib import Path

import pytest

from causeway.host.instance import (
    CLOUD_INIT,
    Instance,
    discover,
    of_cloud_init,
    of_metadata,
)


def test_cloud_init_tells_which_server_it_is(tmp_path: Path) -> None:
    text = json.dumps({"v1": {"instance_id": "a", "availability_zone": "nova", "cloud_name": "openstack"}})
    assert of_cloud_init(text) == Instance("a", "nova")
    assert of_cloud_init(json.dumps({"v1": {"instance_id": "a", "availability_zone": None}})) == Instance(
        "a", ""
    )
    (tmp_path / CLOUD_INIT).parent.mkdir(parents=True)
    (tmp_path / CLOUD_INIT).write_text(text)
    assert discover(tmp_path) == Instance("a", "nova")


def test_so_does_the_metadata_service() -> None:
    assert of_metadata(json.dumps({"uuid": "a", "availability_zone": "nova"})) == Instance("a", "nova")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"v1": 3}', '{"v1": {}}'])
def test_what_says_nothing_is_no_server(text: str) -> None:
    assert of_cloud_init(text) is None
    assert of_metadata(text) is None
