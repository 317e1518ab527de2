"""What a room tells about one object when somebody asks why it is as it is."""

from dataclasses import dataclass

from causeway.kit.errors import Finding


@dataclass(frozen=True)
class Explanation:
    """Desired and actual as named facts, the steps that remain, and what is wrong, the likeliest cause first.

    Without causes nothing is wrong, though steps may still be under way.
    """

    subject: str
    desired: dict[str, object]
    actual: dict[str, object]
    remaining: tuple[str, ...] = ()
    causes: tuple[Finding, ...] = ()
