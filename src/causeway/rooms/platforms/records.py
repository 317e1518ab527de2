"""What all parts of a platform file share: the base of their records, and rules over several keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_ZONE = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?\.?$"
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Zone = Annotated[str, Field(max_length=200, pattern=_ZONE)]
Affix = Annotated[str, Field(max_length=40, pattern=r"^([-.a-z0-9_]|%\{record_type\})*$")]


@dataclass(frozen=True)
class Violation:
    """One broken rule: the path of the key below the record that was checked, and both sides of the rule."""

    path: tuple[str | int, ...]
    expected: str
    found: str
    remedy: str = ""  # without it, what the key means


class Violations(ValueError):
    """All rules over several keys that a record breaks."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(
            "; ".join(f"expected {each.expected}, found {each.found}" for each in self.violations)
        )


class Record(BaseModel):
    """Base of all parts: camelCase keys in the file, nothing unknown, no silent conversion, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)
