"""Errors a person reads: each names the place, the cause and the remedy.

Every layer raises ``Problem`` (or a subclass) for what a user can do something about; anything else that
escapes is a defect of ours and keeps its traceback.
"""

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line, the same for every command."""

    OK = 0
    FAILED = 1  # the command ran and found or met a problem
    USAGE = 2  # the command line or an input file is wrong; nothing was touched
    INTERRUPTED = 130


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: ``place`` says where, ``cause`` why, ``remedy`` what to do about it."""

    place: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.cause}. {self.remedy}"


class Problem(Exception):
    """One or more findings that stop the work, and the exit code the command ends with."""

    def __init__(self, *findings: Finding, exit_code: Exit = Exit.FAILED) -> None:
        if not findings:
            raise ValueError("a problem needs at least one finding")
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
        self.exit_code = exit_code

    @classmethod
    def of(cls, place: str, cause: str, remedy: str, *, exit_code: Exit = Exit.FAILED) -> "Problem":
        """Return a problem with a single finding."""
        return cls(Finding(place, cause, remedy), exit_code=exit_code)
