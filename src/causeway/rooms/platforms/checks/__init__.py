"""What a check of preflight says: what it found, and what stands in the way with cause and remedy."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from causeway.kit.errors import Finding


class Severity(StrEnum):
    """How bad a finding is: a blocker would make apply fail; a warning only something later or rare."""

    OK = "ok"
    WARNING = "warning"
    BLOCKER = "blocker"


@dataclass(frozen=True)
class Remark:
    """A finding and how bad it is."""

    severity: Severity
    finding: Finding


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its name, the fact found in a few words, and the remarks on it."""

    name: str
    fact: str
    remarks: tuple[Remark, ...] = ()

    @property
    def severity(self) -> Severity:
        """Return the worst severity among the remarks."""
        found = {remark.severity for remark in self.remarks}
        return next((each for each in (Severity.BLOCKER, Severity.WARNING) if each in found), Severity.OK)


def blocker(place: str, cause: str, remedy: str) -> Remark:
    """Return what would make apply fail."""
    return Remark(Severity.BLOCKER, Finding(place, cause, remedy))


def warning(place: str, cause: str, remedy: str) -> Remark:
    """Return what does no harm to apply, but later or to some uses."""
    return Remark(Severity.WARNING, Finding(place, cause, remedy))


def unreadable(name: str, finding: Finding) -> Check:
    """Return the check that could not be made, because its part of the cloud could not be read."""
    return Check(name, "cannot be read", (Remark(Severity.BLOCKER, finding),))


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Return names for a remedy, sorted, shortened when there are many."""
    ordered = sorted(names)
    more = len(ordered) - limit
    text = ", ".join(ordered[:limit]) or "none"
    return f"{text} and {more} more" if more > 0 else text
