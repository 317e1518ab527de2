"""The words in which the lab's services are described: plain data, read by the supervisor.

A unit is a service (a process that stays) or a step (a command that ends). Units name what they need; a
service is there for others once it is ready, a step once it has been done. All commands run inside the lab's
namespaces, chrooted into the services' root file system unless ``chroot`` is false.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Command = tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file made from a template of this package; paths are those inside the root file system."""

    template: str
    path: str
    owner: str = "root"
    mode: int = 0o600
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Copy:
    """A file of this package that is copied as it is."""

    source: str
    path: str


@dataclass(frozen=True)
class Directory:
    """A directory that must be there before the unit starts."""

    path: str
    owner: str = "root"
    mode: int = 0o755


@dataclass(frozen=True)
class Tcp:
    """Ready when something accepts connections on the port of the lab's loopback."""

    port: int


@dataclass(frozen=True)
class Http:
    """Ready when a request is answered with a status below 500."""

    port: int
    path: str = "/"


@dataclass(frozen=True)
class Exists:
    """Ready when the path exists in the root file system."""

    path: str


@dataclass(frozen=True)
class Succeeds:
    """Ready when the command ends with status zero."""

    command: Command


@dataclass(frozen=True)
class Logged:
    """Ready when the process has written the text since it was started."""

    text: str


Ready = Tcp | Http | Exists | Succeeds | Logged


@dataclass(frozen=True)
class Service:
    """A process that stays, is restarted when it dies, and is stopped before what it needs."""

    name: str
    command: Command
    needs: tuple[str, ...] = ()
    ready: Ready | None = None
    files: tuple[File | Copy, ...] = ()
    directories: tuple[Directory, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = "root"
    chroot: bool = True
    # Run each time the service has become ready, and before others are told so.
    then: tuple[Command, ...] = ()
    # Seconds until one that is not ready is reported as slow, and until one that will not stop is killed.
    patience: float = 90
    grace: float = 4
    # Send the stop signal to all its processes (for wrappers that do not pass it on).
    stop_group: bool = False


@dataclass(frozen=True)
class Step:
    """A command that ends; with ``once`` it is never run again in this lab after it has succeeded."""

    name: str
    command: Command
    needs: tuple[str, ...] = ()
    files: tuple[File | Copy, ...] = ()
    directories: tuple[Directory, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    # A template whose text the command reads on its standard input.
    stdin: str | None = None
    # Environment variables whose values are passwords of the lab: variable to name of the password.
    passwords: Mapping[str, str] = field(default_factory=dict)
    chroot: bool = True
    once: bool = True
    tries: int = 1


Unit = Service | Step


def checked(units: Iterable[Unit]) -> tuple[Unit, ...]:
    """Return the units in an order in which each comes after all it needs.

    Raises ``ValueError`` for a name used twice, a need nobody fulfils and a circle of needs: defects of ours.
    """
    by_name: dict[str, Unit] = {}
    for unit in units:
        if unit.name in by_name:
            raise ValueError(f"two units are called {unit.name}")
        by_name[unit.name] = unit
    order: dict[str, Unit] = {}
    pending: list[str] = []

    def visit(name: str, wanted_by: str) -> None:
        if name in order:
            return
        if name not in by_name:
            raise ValueError(f"{wanted_by} needs {name}, which does not exist")
        if name in pending:
            raise ValueError(f"circle of needs: {' -> '.join([*pending, name])}")
        pending.append(name)
        for need in by_name[name].needs:
            visit(need, name)
        pending.pop()
        order[name] = by_name[name]

    for name in by_name:
        visit(name, name)
    return tuple(order.values())
