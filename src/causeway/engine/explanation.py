"""What a room says about one object when asked: desired, actual, what remains to be done, and why."""

from dataclasses import dataclass
from typing import Any

from causeway.kit.errors import Finding


@dataclass(frozen=True)
class Explanation:
    """Facts about ``subject``; ``desired`` and ``actual`` are plain data, ``steps`` are in words.

    ``findings`` name causes, the likeliest first; none and no step means that all is as desired.
    """

    subject: str
    desired: dict[str, Any] | None
    actual: dict[str, Any]
    steps: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def well(self) -> bool:
        """Return whether nothing is wrong and nothing remains to be done."""
        return not self.steps and not self.findings
