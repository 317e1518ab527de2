"""A platform file as a ``Platform``, or everything that is wrong in it with its line and column.

All findings come at once, in the order of the file. Rules over several keys of one part are judged when each
key of that part is right by itself.
"""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from causeway.kit.errors import Exit, Finding, Problem
from causeway.rooms.platforms import schema, source
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.records import Violations
from causeway.rooms.platforms.source import Source, dotted

MAX_BYTES = 1 << 20


def load(path: Path) -> Platform:
    """Return the platform the file describes; raise ``Problem`` with every finding when it is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise _unreadable(path, f"is larger than {MAX_BYTES >> 20} MiB")
        text = raw.decode()
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"is not UTF-8 text (byte {error.start})") from error
    return parse(text, str(path))


def parse(text: str, name: str = "platform.yaml") -> Platform:
    """Return the platform that ``text`` describes; ``name`` stands for the file in findings."""
    document = source.read(text, name)
    if isinstance(document, Finding):
        raise Problem(document, exit_code=Exit.USAGE)
    if other := _of_another_kind(document):
        raise Problem(*other, exit_code=Exit.USAGE)
    findings = list(document.findings)
    try:
        platform = Platform.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        told = {finding.place for finding in findings}
        findings += [finding for finding in _findings(document, error) if finding.place not in told]
    else:
        if not findings:
            return platform
    raise Problem(*sorted(findings, key=_position), exit_code=Exit.USAGE)


def _unreadable(path: Path, why: str) -> Problem:
    return Problem.of(str(path), why, "Name a platform file that can be read.", exit_code=Exit.USAGE)


def _of_another_kind(document: Source) -> list[Finding]:
    """Return what says that this is no platform at all; a hundred unknown keys would hide it."""
    if not isinstance(document.value, dict):
        cause = f"expected a mapping, found {document.found(())}"
        return [Finding(document.place(()), cause, "Begin with apiVersion and kind.")]
    wrong = [
        key
        for key in ("apiVersion", "kind")
        if key in document.value and document.value[key] != schema.at((key,))["const"]
    ]
    return [
        Finding(
            document.place((key,)),
            f"{key}: expected {schema.at((key,))['const']}, found {document.found((key,))}",
            f"Write {key}: {schema.at((key,))['const']} if this is a platform; if not, name another file.",
        )
        for key in wrong
    ]


def _findings(document: Source, error: ValidationError) -> Iterator[Finding]:
    for each in error.errors(include_url=False, include_input=False):
        if each["type"] == "too_short" and document.at(each["loc"]):
            continue  # there are entries, and each that is wrong has a finding of its own
        yield from _finding(document, each["type"], each["loc"], each.get("ctx", {}), each["msg"])


def _position(finding: Finding) -> tuple[int, int]:
    line, column = finding.place.rsplit(":", 2)[1:]
    return int(line), int(column)


def _finding(
    document: Source, kind: str, path: source.Path, context: dict[str, Any], message: str
) -> Iterator[Finding]:
    about = schema.at(path).get("description", "")
    if kind == "extra_forbidden":
        yield _unknown_key(document, path)
    elif kind == "missing":
        place = document.place(path[:-1], key=True)
        yield Finding(place, f"{dotted(path)}: expected this key, found none", f"Add it. {about}".strip())
    elif isinstance(context.get("error"), Violations):
        for violation in context["error"].violations:
            where = (*path, *violation.path)
            cause = f"{dotted(where)}: expected {violation.expected}, found {violation.found}"
            remedy = violation.remedy or schema.at(where).get("description", "Correct it.")
            yield Finding(document.place(where), cause, remedy)
    else:
        expected = _expected(kind, path, context, message)
        cause = f"{dotted(path)}: expected {expected}, found {document.found(path)}"
        yield Finding(document.place(path), cause, _repair(kind, document, path) or about or "Correct it.")


def _unknown_key(document: Source, path: source.Path) -> Finding:
    allowed = list(schema.at(path[:-1]).get("properties", {}))
    by_folded = {key.lower(): key for key in allowed}
    folded = str(path[-1]).replace("_", "").replace("-", "").lower()
    similar = get_close_matches(folded, by_folded, n=1)
    remedy = f"Keys of {dotted(path[:-1])}: {', '.join(allowed)}."
    if similar:
        remedy = f"Did you mean {by_folded[similar[0]]}? {remedy}"
    return Finding(document.place(path, key=True), f"{dotted(path)}: there is no such key", remedy)


_EXPECTED = {
    "string_type": "text",
    "string_too_short": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "tuple_type": "a list",
    "too_short": "at least one entry",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_FORMATS = {
    "ipv4network": "an IPv4 range such as 10.20.0.0/16",
    "ipv6network": "an IPv6 range such as fd00:20::/64",
    "ipv4": "an IPv4 address such as 10.20.0.1",
}
_PATTERNS = {
    "]{0,61}": "a domain in lower case such as apps.example.org",
    "record_type": "lower-case letters, digits, hyphens, dots and %{record_type}",
    r"[-.\w]": "letters, digits, hyphens, dots and underscores",
    r"*[a-z0-9])?(\.": "a name in lower case: letters, digits, hyphens and dots",
    "-a-z0-9": "a DNS label: lower-case letters, digits and hyphens, a letter or digit at both ends",
    r"^v1\.": "a release such as v1.35.4",
    "^https?": "a URL such as https://s3.example.org",
    "^[a-z0-9][-.": "a bucket's name: lower-case letters, digits, hyphens and dots",
    r"^\S": "text without blanks at its ends",
}


def _expected(kind: str, path: source.Path, context: dict[str, Any], message: str) -> str:
    described = schema.at(path)
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind == "string_pattern_mismatch":
        return next(words for mark, words in _PATTERNS.items() if mark in context["pattern"])
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"a number from {described['minimum']} to {described['maximum']}"
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    fallback = message[:1].lower() + message[1:]
    return _FORMATS.get(described.get("format", "")) or _EXPECTED.get(kind, fallback)


def _repair(kind: str, document: Source, path: source.Path) -> str | None:
    """Return the very text to write, where it can be told from what was found."""
    value = document.at(path)
    if kind == "string_type" and (
        isinstance(value, bool | int | float) or document.found(path).endswith("(a date)")
    ):
        return "Put it in quotes if it is meant as text."
    if kind == "int_type" and isinstance(value, str):
        return "Write it in digits and without quotes."
    if schema.at(path).get("format") in ("ipv4network", "ipv6network") and isinstance(value, str):
        try:
            return f"Write {ip_network(value, strict=False)} if that range is meant."
        except ValueError:
            return None
    return None
