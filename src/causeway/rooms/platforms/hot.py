"""Heat templates evaluated as far as text allows: which resources they define, with which properties. Pure.

Heat's own preview of an update cannot be used: without identifiers at hand it takes every resource that
refers to another for changed, and it refuses trunks. Here references stay symbols, so that two stacks can be
compared: groups are counted out, nested templates opened, parameters filled in, conditions decided.

Understands what the templates of ``templates/`` use; anything else stays as it is written, which compares as
well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice, product
from typing import Any

import yaml

Path = tuple[str, ...]
HIDDEN = "******"
"""What Heat gives instead of a hidden parameter's value."""

GROUP = "OS::Heat::ResourceGroup"
_ABSENT = object()
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Reference:
    """Another resource of the stack, or with ``attribute`` something that is known once it exists."""

    path: Path
    attribute: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Resource:
    """A resource as the template defines it; in ``properties`` other resources are ``Reference``s."""

    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class _Scope:
    """Where an expression stands: the path of its stack, its values and conditions, and the stack's files."""

    path: Path
    values: Mapping[str, Any]
    conditions: Mapping[str, Any]
    files: Mapping[str, str]


def evaluate(text: str, files: Mapping[str, str], parameters: Mapping[str, Any]) -> dict[Path, Resource]:
    """Return the resources of a stack by path, those of nested stacks included, groups themselves not."""
    return dict(_resources((), parse(text), files, parameters))


def parse(text: str) -> Any:
    """Return YAML as data, by the parser written in C where there is one: templates are large."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  # both are safe loaders


def references(value: Any) -> Iterator[Reference]:
    """Yield every reference in a property's value."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def _resources(
    path: Path, template: Mapping[str, Any], files: Mapping[str, str], parameters: Mapping[str, Any]
) -> Iterator[tuple[Path, Resource]]:
    values = _values(template.get("parameters", {}), parameters)
    scope = _Scope(path, values, template.get("conditions", {}), files)
    for name, definition in template["resources"].items():
        if "condition" in definition and not _holds(definition["condition"], scope):
            continue
        properties = _resolve(definition.get("properties", {}), scope)
        yield from _opened((*path, name), definition["type"], properties, files)


def _opened(
    path: Path, kind: str, properties: Mapping[str, Any], files: Mapping[str, str]
) -> Iterator[tuple[Path, Resource]]:
    """Yield the resource itself, or what a group or a nested template consists of."""
    if kind == GROUP:
        definition = properties["resource_def"]
        for index in _indexes(properties):
            member = _numbered(definition.get("properties", {}), str(index))
            yield from _opened((*path, str(index)), definition["type"], member, files)
    elif kind in files:
        yield from _resources(path, parse(files[kind]), files, properties)
    else:
        yield path, Resource(kind, properties)


def _values(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, schema in declared.items():
        value = given.get(name, schema.get("default"))
        if schema.get("hidden"):
            value = HIDDEN  # neither side can be seen, so neither tells a difference
        elif schema.get("type") == "json" and isinstance(value, str):
            value = parse(value)
        elif schema.get("type") == "number" and isinstance(value, str):
            value = float(value) if "." in value else int(value)
        values[name] = value
    return values


def _indexes(properties: Mapping[str, Any]) -> Sequence[int]:
    removed = {
        int(index)
        for policy in properties.get("removal_policies", [])
        for index in policy.get("resource_list") or []
    }
    return tuple(
        islice((index for index in count() if index not in removed), int(properties.get("count", 1)))
    )


def _numbered(value: Any, index: str) -> Any:
    if isinstance(value, str):
        return value.replace("%index%", index)
    if isinstance(value, Mapping):
        return {key: _numbered(each, index) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbered(each, index) for each in value]
    return value


def _holds(condition: Any, scope: _Scope) -> bool:
    if isinstance(condition, str):
        return _holds(scope.conditions[condition], scope)
    if isinstance(condition, Mapping) and len(condition) == 1:
        ((name, argument),) = condition.items()
        if name == "not":
            return not _holds(argument, scope)
        if name == "and":
            return all(_holds(each, scope) for each in argument)
        if name == "or":
            return any(_holds(each, scope) for each in argument)
        if name == "equals":
            one, other = (_resolve(each, scope) for each in argument)
            return bool(one == other)
    return bool(condition)


def _resolve(node: Any, scope: _Scope) -> Any:
    if isinstance(node, list):
        return [value for each in node if (value := _resolve(each, scope)) is not _ABSENT]
    if not isinstance(node, Mapping):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        function = _FUNCTIONS.get(name)
        if function is not None:
            return function(argument, scope)
    resolved = {key: _resolve(each, scope) for key, each in node.items()}
    return {key: value for key, value in resolved.items() if value is not _ABSENT}


def _get_param(argument: Any, scope: _Scope) -> Any:
    name, *keys = argument if isinstance(argument, list) else [argument]
    value = scope.values.get(name)
    for key in keys:
        if value == HIDDEN:
            return value
        value = value[key] if value is not None else None
    return value


def _get_resource(argument: Any, scope: _Scope) -> Any:
    return Reference((*scope.path, argument))


def _get_attr(argument: Any, scope: _Scope) -> Any:
    name, *attribute = argument
    return Reference((*scope.path, name), tuple(attribute))


def _get_file(argument: Any, scope: _Scope) -> Any:
    return scope.files[argument]


def _if(argument: Any, scope: _Scope) -> Any:
    condition, *branches = argument
    if _holds(condition, scope):
        return _resolve(branches[0], scope)
    return _resolve(branches[1], scope) if len(branches) > 1 else _ABSENT


def _str_replace(argument: Any, scope: _Scope) -> Any:
    template, params = _resolve(argument["template"], scope), _resolve(argument["params"], scope)
    if not isinstance(template, str) or any(True for _ in references(params)):
        return {"str_replace": {"template": template, "params": params}}
    for key in sorted(params, key=len, reverse=True):
        template = template.replace(key, str(params[key]))
    return template


def _list_join(argument: Any, scope: _Scope) -> Any:
    glue, *lists = _resolve(argument, scope)
    items = [each for part in lists for each in part]
    if any(True for _ in references(items)):
        return {"list_join": [glue, items]}
    return str(glue).join(str(each) for each in items)


def _repeat(argument: Any, scope: _Scope) -> Any:
    lists = {key: _resolve(each, scope) for key, each in argument["for_each"].items()}
    return [
        _resolve(_substituted(argument["template"], dict(zip(lists, chosen, strict=True))), scope)
        for chosen in product(*lists.values())
    ]


def _substituted(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, str):
        for key, value in values.items():
            node = node.replace(key, str(value))
        return node
    if isinstance(node, Mapping):
        return {key: _substituted(each, values) for key, each in node.items()}
    if isinstance(node, list):
        return [_substituted(each, values) for each in node]
    return node


_FUNCTIONS: Mapping[str, Any] = {
    "get_param": _get_param,
    "get_resource": _get_resource,
    "get_attr": _get_attr,
    "get_file": _get_file,
    "if": _if,
    "str_replace": _str_replace,
    "list_join": _list_join,
    "repeat": _repeat,
}
