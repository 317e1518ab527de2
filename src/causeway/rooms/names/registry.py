"""Who owns a record set, as external-dns writes it into the zone: a TXT record set beside each. Pure.

The record set of a name and type has its TXT at ``TYPE-NAME`` (since external-dns 0.12); before, all types of
a name had one TXT at the name itself, which is still read. Prefix, suffix and the replacement of a wildcard's
asterisk are options of external-dns that change where the TXT lies; they must be those the zone was written
with. The text is ``heritage=external-dns,external-dns/owner=ID,external-dns/resource=KIND/NAMESPACE/NAME``.

Ours also says ``causeway=marked``, or ``causeway=wildcard`` for a wildcard, which external-dns skips: such a
TXT speaks only of a record set that has a description of ours. It is written before its record set is made.
If somebody else makes a record set of that name in between, it lacks the description, and our TXT does not
make it ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_HERITAGE = "external-dns"
_TEMPLATE = "%{record_type}"
_MARK = "causeway"
WILDCARD = "wildcard"
"""What stands for an asterisk unless something else is said."""

_TYPES = ("A", "AAAA", "CNAME", "NS", "MX", "PTR", "SRV", "NAPTR", "TXT", "DNAME")
_WITHOUT_OLD_FORM = "AAAA"


@dataclass(frozen=True)
class Affixes:
    """Where a TXT lies: external-dns's ``--txt-prefix``, ``--txt-suffix``, ``--txt-wildcard-replacement``."""

    prefix: str = ""
    suffix: str = ""
    wildcard: str = WILDCARD

    def plain(self, name: str) -> str:
        """Return a name as a TXT can hold it: without an asterisk."""
        return f"{self.wildcard}{name[1:]}" if name.startswith("*.") else name

    def txt_name(self, name: str, kind: str) -> str:
        """Return the name of the TXT of a record set."""
        first, _, rest = self.plain(name).partition(".")
        kind = kind.lower()
        if _TEMPLATE not in self.prefix + self.suffix:
            first = f"{kind}-{first}"
        prefix, suffix = (each.replace(_TEMPLATE, kind) for each in (self.prefix, self.suffix))
        return f"{prefix}{first}{suffix}.{rest}"

    def record_of(self, txt: str) -> tuple[str, str]:
        """Return (plain name, type) a TXT is about; type "" for the old form, name "" if it fits nothing."""
        if not self.suffix:
            return self._without_affix(txt)
        labels = 1 + self.suffix.count(".")
        parts = txt.split(".", labels)
        name, kind = self._without_affix(".".join(parts[:labels]))
        return (".".join([name, *parts[labels:]]) if name else "", kind)

    def _without_affix(self, name: str) -> tuple[str, str]:
        prefix, suffix = self.prefix, self.suffix
        if _TEMPLATE in prefix + suffix:
            for kind in _TYPES:
                before, after = (each.replace(_TEMPLATE, kind.lower()) for each in (prefix, suffix))
                if name.startswith(before) and name.endswith(after):
                    return name[len(before) : len(name) - len(after)], kind
            prefix, suffix = prefix.replace(_TEMPLATE, ""), suffix.replace(_TEMPLATE, "")
        if not (name.startswith(prefix) and name.endswith(suffix)):
            return "", ""
        name = name[len(prefix) : len(name) - len(suffix)]
        first, dash, rest = name.partition("-")
        if dash and first.upper() in _TYPES and first.islower():
            return rest, first.upper()
        return name, ""


class Mark(StrEnum):
    """Which record sets a TXT speaks of: any that its name means, or one that has a description of ours."""

    NONE = ""
    NAME = "marked"
    WILDCARD = "wildcard"

    @classmethod
    def of(cls, name: str) -> "Mark":
        """Return the mark for the record sets of a name."""
        return cls.WILDCARD if name.startswith("*.") else cls.NAME


@dataclass(frozen=True)
class Claim:
    """What a TXT says."""

    owner: str
    resource: str = ""
    mark: Mark = Mark.NONE

    @property
    def kind(self) -> str:
        """Return the kind of its resource, such as "service"."""
        return self.resource.partition("/")[0]

    def text(self) -> str:
        """Return the one record of its TXT."""
        parts = [f"heritage={_HERITAGE}", f"{_HERITAGE}/owner={self.owner}"]
        parts += [f"{_HERITAGE}/resource={self.resource}"] if self.resource else []
        return '"' + ",".join([*parts, *([f"{_MARK}={self.mark}"] if self.mark else [])]) + '"'


def claim_in(records: Sequence[str]) -> Claim | None:
    """Return what the records of a TXT claim; None for a TXT that is nobody's claim."""
    if len(records) != 1:
        return None
    found: dict[str, str] = {}
    for token in records[0].strip('"').split(","):
        key, equals, value = token.partition("=")
        if equals and "=" not in value:
            found[key] = value
    if found.get("heritage") != _HERITAGE:
        return None
    owner, resource = (found.get(f"{_HERITAGE}/{key}", "") for key in ("owner", "resource"))
    mark = found.get(_MARK, "")
    return Claim(owner, resource, Mark(mark) if mark in [*Mark] else Mark.NONE)


def old_form_speaks_of(kind: str) -> bool:
    """Return whether a TXT of the old form is about record sets of this type."""
    return kind != _WITHOUT_OLD_FORM
