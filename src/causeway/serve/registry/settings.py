"""The token service's settings: from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from causeway.kit.errors import Exit, Problem

_PREFIX = "CAUSEWAY_REGISTRY_"


@dataclass(frozen=True)
class Settings:
    """``service`` is what the registry calls itself, ``registry`` its URL, ``directory`` where keys are."""

    service: str
    directory: Path
    port: int
    registry: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings; raises ``Problem`` naming the variable that is missing or malformed."""
        service = environment.get(f"{_PREFIX}HOST", "")
        if not service:
            raise _wrong("HOST", "is not set", "Give the host images are named by.")
        port = environment.get(f"{_PREFIX}AUTH_PORT", "5001")
        if not (port.isascii() and port.isdigit()):
            raise _wrong("AUTH_PORT", f"{port!r} is not a number", "Give a port.")
        directory = environment.get(f"{_PREFIX}KEYS", "/etc/causeway/registry")
        registry = environment.get(f"{_PREFIX}URL", "http://127.0.0.1:5000/")
        return cls(service, Path(directory), int(port), registry)


def _wrong(name: str, cause: str, remedy: str) -> Problem:
    return Problem.of(_PREFIX + name, cause, remedy, exit_code=Exit.USAGE)
