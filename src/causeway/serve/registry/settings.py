"""The settings of what stands beside the registry: from the environment."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from causeway.kit.errors import Exit, Problem
from causeway.rooms.registry.bucket import Bucket, Place
from causeway.rooms.registry.store import Directory, Store

_PREFIX = "CAUSEWAY_REGISTRY_"


@dataclass(frozen=True)
class Settings:
    """The token service's: ``service`` is what the registry calls itself, ``registry`` its URL.

    ``directory`` is where keys are, ``place`` where images are; ``quota`` bytes of them a namespace may hold
    by default, None: all there are.
    """

    service: str
    directory: Path
    port: int
    registry: str
    place: Path | Place
    quota: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings; raises ``Problem`` naming the variable that is missing or malformed."""
        service = environment.get(f"{_PREFIX}HOST", "")
        if not service:
            raise _wrong("HOST", "is not set", "Give the host images are named by.")
        return cls(
            service=service,
            directory=Path(environment.get(f"{_PREFIX}KEYS", "/etc/causeway/registry")),
            port=_number(environment, "AUTH_PORT", "5001", "Give a port."),
            registry=environment.get(f"{_PREFIX}URL", "http://127.0.0.1:5000/"),
            place=_place(environment),
            quota=_number(environment, "QUOTA", "", "Give bytes.")
            if _PREFIX + "QUOTA" in environment
            else None,
        )


@dataclass(frozen=True)
class Collector:
    """The collector's: ``place`` is where images are, ``identity`` the name of its pod.

    ``untagged`` says whether images without a tag go as well; what is younger than ``age`` stays in any case.
    """

    place: Path | Place
    identity: str
    untagged: bool = False
    age: timedelta = timedelta(days=1)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Collector":
        """Return the settings; raises ``Problem`` naming the variable that is missing or malformed."""
        identity = environment.get(f"{_PREFIX}POD", "")
        if not identity:
            raise _wrong("POD", "is not set", "Give the name of the pod.")
        untagged = environment.get(f"{_PREFIX}UNTAGGED", "keep")
        if untagged not in ("keep", "delete"):
            raise _wrong("UNTAGGED", f"is {untagged!r}", "Give keep or delete.")
        age = timedelta(seconds=_number(environment, "AGE", "86400", "Give seconds."))
        return cls(_place(environment), identity, untagged == "delete", age)


@asynccontextmanager
async def opened(place: Path | Place) -> AsyncIterator[Store]:
    """Yield the store at a place."""
    if isinstance(place, Path):
        yield Directory(place)
        return
    async with Bucket(place) as bucket:
        yield bucket


def _place(environment: Mapping[str, str]) -> Path | Place:
    """Return where images are: in a bucket if one is named, in a directory if not."""
    endpoint = environment.get(f"{_PREFIX}ENDPOINT", "")
    if not endpoint:
        return Path(environment.get(f"{_PREFIX}IMAGES", "/var/lib/registry"))
    parts = {}
    for name in ("BUCKET", "REGION", "ACCESS_KEY", "SECRET_KEY"):
        parts[name] = environment.get(_PREFIX + name, "")
        if not parts[name]:
            raise _wrong(name, "is not set", f"Give it together with {_PREFIX}ENDPOINT.")
    authority = environment.get(f"{_PREFIX}AUTHORITY", "")
    try:
        trusted = Path(authority).read_text() if authority else ""
    except OSError as error:
        raise _wrong("AUTHORITY", f"cannot be read: {error}", "Give a file with certificates.") from error
    bucket, region, access, secret = parts.values()
    return Place(endpoint, bucket, region, access, secret, trusted)


def _number(environment: Mapping[str, str], name: str, default: str, remedy: str) -> int:
    text = environment.get(_PREFIX + name, default)
    if not (text.isascii() and text.isdigit()):
        raise _wrong(name, f"{text!r} is not a number", remedy)
    return int(text)


def _wrong(name: str, cause: str, remedy: str) -> Problem:
    return Problem.of(_PREFIX + name, cause, remedy, exit_code=Exit.USAGE)
