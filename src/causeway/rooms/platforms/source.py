"""YAML text as plain values that remember where each of them stands.

PyYAML's constructor forgets lines, keeps the last of two equal keys and turns dates into objects; so the node
tree is read here, and what a person can get wrong in YAML itself is found here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from causeway.kit.errors import Finding

Path = tuple[str | int, ...]
Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

MAX_NODES = 20_000  # aliases can make a few lines mean billions of values
MAX_DEPTH = 30  # far more than any right file has, and far from Python's own limit

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_TAG = "tag:yaml.org,2002:"
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "a boolean",
    "null": "nothing",
    "timestamp": "a date",
    "seq": "a list",
    "map": "a mapping",
}


@dataclass(frozen=True)
class Spot:
    """Where a key and its value stand (lines and columns from 1), and what the value looks like."""

    key: tuple[int, int]
    value: tuple[int, int]
    found: str


@dataclass(frozen=True)
class Source:
    """A YAML document: its name for messages, its value, each path's spot, what is bad YAML in it."""

    name: str
    value: Value
    spots: Mapping[Path, Spot]
    findings: tuple[Finding, ...]

    def place(self, path: Path, *, key: bool = False) -> str:
        """Return ``name:line:column`` of the value at ``path``, of its key, or of what is nearest around."""
        while path not in self.spots:
            path, key = path[:-1], True
        spot = self.spots[path]
        line, column = spot.key if key else spot.value
        return f"{self.name}:{line}:{column}"

    def at(self, path: Path) -> Value:
        """Return the value at ``path``; None when there is none."""
        value = self.value
        for part in path:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def found(self, path: Path) -> str:
        """Return the value at ``path`` in words."""
        return self.spots[path].found if path in self.spots else "nothing"


def read(text: str, name: str) -> Source | Finding:
    """Return the single YAML document in ``text``, or why it is none."""
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        return _syntax(error, name)
    except RecursionError:
        return Finding(f"{name}:1:1", "it is nested too deeply", "Close what is opened.")
    except yaml.YAMLError as error:  # a character YAML does not allow
        before = text[: getattr(error, "position", 0)].split("\n")
        place = f"{name}:{len(before)}:{len(before[-1]) + 1}"
        return Finding(place, f"not YAML: {getattr(error, 'reason', error)}", "Take the character out.")
    if not nodes:
        return Finding(f"{name}:1:1", "the file is empty", "Write a platform, or start from an example.")
    if len(nodes) > 1:
        place = f"{name}:{nodes[1].start_mark.line + 1}:1"
        return Finding(place, f"expected one document, found {len(nodes)}", "Keep one platform per file.")
    reader = _Reader(name)
    value = reader.value((), nodes[0], _position(nodes[0]))
    return Source(name, value, reader.spots, tuple(reader.findings))


class _Reader:
    """Walks a node tree once, collecting values, spots and findings."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spots: dict[Path, Spot] = {}
        self.findings: list[Finding] = []
        self._constructor = yaml.constructor.SafeConstructor()
        self._visited = 0
        self._above: set[int] = set()

    def value(self, path: Path, node: yaml.Node, key: tuple[int, int]) -> Value:
        self._visited += 1
        if id(node) in self._above or self._visited > MAX_NODES:
            if self._visited <= MAX_NODES + 1:
                self._refuse(path, node, "an alias repeats what it is part of, or too much", "Write it out.")
            return None
        if len(path) > MAX_DEPTH:
            self._refuse(path, node, "it is nested too deeply", "Close what is opened.")
            return None
        self.spots[path] = Spot(key, _position(node), _describe(node))
        self._above.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
                return dict(self._entries(path, node))
            if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
                return [
                    self.value((*path, index), item, _position(item)) for index, item in enumerate(node.value)
                ]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(path, node)
        finally:
            self._above.discard(id(node))
        self._refuse(path, node, f"the tag {node.tag} has no meaning here", "Take the tag out.")
        return None

    def _entries(self, path: Path, node: yaml.MappingNode) -> Iterator[tuple[str, Value]]:
        seen: dict[str, int] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
                self._refuse(
                    path, key, f"expected text as a key, found {_describe(key)}", "Quote it, or correct it."
                )
            elif _UNPRINTABLE.search(key.value):
                self._refuse(path, key, "a character that no text has here", "Take it out.")
            elif key.value in seen:
                cause = f"the key stands in line {seen[key.value]} already"
                self._refuse((*path, key.value), key, cause, "Keep one of the two.")
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key.value, self.value((*path, key.value), child, _position(key))

    def _scalar(self, path: Path, node: yaml.ScalarNode) -> Value:
        if node.tag == f"{_TAG}timestamp":
            return {}  # no key wants a date; a mapping is refused everywhere a scalar is wanted
        if node.tag.removeprefix(_TAG) not in _WORDS:
            self._refuse(path, node, f"the tag {node.tag} has no meaning here", "Take the tag out.")
            return None
        if _UNPRINTABLE.search(node.value):
            self._refuse(path, node, "a character that no text has here", "Take it out.")
            return None
        if node.tag == f"{_TAG}int" and not _DECIMAL.fullmatch(node.value):
            # YAML would read 010 as 8 and 1:30 as 90.
            self._refuse(
                path, node, f"expected a decimal number, found {_short(node)}", "Write plain digits."
            )
            return None
        try:
            value: Value = self._constructor.construct_object(node)
        except (ValueError, yaml.YAMLError):  # !!float x
            self._refuse(
                path, node, f"{_short(node)} is not {_WORDS[node.tag.removeprefix(_TAG)]}", "Correct it."
            )
            return None
        return value

    def _refuse(self, path: Path, node: yaml.Node, cause: str, remedy: str) -> None:
        line, column = _position(node)
        cause = f"{dotted(path)}: {cause}"
        self.findings.append(Finding(f"{self.name}:{line}:{column}", cause, remedy))


def dotted(path: Path) -> str:
    """Return a path as people write it: ``spec.pools[0].name``; the whole document is "the file"."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the file"


def _position(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _describe(node: yaml.Node) -> str:
    words = _WORDS.get(node.tag.removeprefix(_TAG), node.tag)
    if not isinstance(node, yaml.ScalarNode):
        return words if node.value else f"an empty {words.removeprefix('a ')}"
    if words == "nothing":
        return words
    shown = _short(node)
    return f"{shown!r} ({words})" if words == "text" else f"{shown} ({words})"


def _short(node: yaml.ScalarNode) -> str:
    return node.value if len(node.value) <= 60 else f"{node.value[:57]}..."


def _syntax(error: yaml.MarkedYAMLError, name: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else f"{name}:1:1"
    cause = f"not YAML: {error.problem or error.context}"
    if error.context and error.problem:
        cause += f" {error.context}" + (
            f" of line {error.context_mark.line + 1}" if error.context_mark else ""
        )
    tab = "'\\t'" in cause
    return Finding(place, cause, "Indent with spaces." if tab else "Correct the syntax here or just before.")
