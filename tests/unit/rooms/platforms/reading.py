"""A small reader of Heat's template language: which references a template makes, and which it answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from causeway.rooms.platforms import hot


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Yield (function, name) of every reference below ``node`` to something the template defines."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in {"get_param", "get_resource", "get_file"} and len(node) == 1:
                yield key, value[0] if isinstance(value, list) else value
            elif key == "get_attr" and len(node) == 1:
                yield "get_resource", value[0]
            elif key == "depends_on":
                for name in value if isinstance(value, list) else [value]:
                    yield "get_resource", name
            elif key == "if" and len(node) == 1:
                yield "condition", value[0]
                yield from references(value[1:])
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def unresolved(text: str, files: Mapping[str, str]) -> list[str]:
    """Return what a template refers to without defining it."""
    template = hot.parse(text)
    known = {
        "get_param": set(template.get("parameters", {})),
        "get_resource": set(template["resources"]),
        "get_file": set(files),
        "condition": set(template.get("conditions", {})),
    }
    conditions = [each["condition"] for each in template["resources"].values() if "condition" in each]
    found = [*references(template["resources"]), *references(template.get("outputs", {}))]
    found += [("condition", name) for name in conditions]
    found += list(references(template.get("conditions", {})))
    return [f"{kind} {name}" for kind, name in found if name not in known[kind]]
