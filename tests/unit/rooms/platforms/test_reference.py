"""The reference documentation names every key, and its example is a right one."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from causeway.rooms.platforms import schema
from causeway.rooms.platforms.document import parse
from causeway.rooms.platforms.model import Platform

REFERENCE = (Path(__file__).parents[4] / "docs/reference/platform.md").read_text()
(EXAMPLE,) = [
    each for each in re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL) if "kind: Platform" in each
]


def keys(part: dict[str, Any]) -> Iterator[str]:
    yield from part.get("properties", {})
    for definition in part.get("$defs", {}).values():
        yield from keys(definition)


def test_the_example_is_a_platform() -> None:
    assert isinstance(parse(EXAMPLE), Platform)


@pytest.mark.parametrize("key", sorted(set(keys(schema.platform_schema()))))
def test_every_key_is_in_the_example_and_explained(key: str) -> None:
    assert re.search(rf"\b{key}:", EXAMPLE)
    assert re.search(rf"`[\w.]*\b{key}\b", REFERENCE.replace(EXAMPLE, ""))
