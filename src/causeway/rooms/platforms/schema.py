"""The published JSON Schema of a platform file, for editors and for people."""

import json
from functools import cache
from typing import Any

from causeway.rooms.platforms.model import Platform

Schema = dict[str, Any]


@cache
def platform_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a platform file; treat it as read-only."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Platform.model_json_schema()}


def text() -> str:
    """Return the schema as it is published: indented, with a newline at its end."""
    return json.dumps(platform_schema(), indent=2) + "\n"


def at(path: tuple[str | int, ...]) -> Schema:
    """Return the part of the schema that describes the value at ``path``; empty when nothing does."""
    schema = _resolved(platform_schema())
    for part in path:
        below = schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part)
        if below is None:
            return {}
        schema = _resolved(below)
    return schema


def _resolved(schema: Schema) -> Schema:
    """Follow a reference and look through "or null"; a description beside the reference wins."""
    choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if choices:
        return {**_resolved(choices[0]), **{key: schema[key] for key in ("description",) if key in schema}}
    if "$ref" in schema:
        target = platform_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return {**target, **schema}
    return schema
