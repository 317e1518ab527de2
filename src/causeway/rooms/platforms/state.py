"""What a platform needs kept outside the cloud: its keys, beside the platform file.

``.causeway/<name>/`` holds ``platform.json`` (the cluster's UUID and what the last apply took) and ``pki/``.
Nobody but its owner can read it. Everything else about a platform is read from its stack and its API.
"""

import json
import os
import stat
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from causeway.kit.errors import Problem
from causeway.kit.progress import Timing
from causeway.rooms.platforms.pki import Pki, make_pki, make_token

_NAMES = (
    *("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key"),
    *("etcd/ca.crt", "etcd/ca.key", "sa.pub", "sa.key"),
)


@dataclass(frozen=True)
class State:
    """The kept facts of one platform.

    ``token`` is what the nodes of the first deployment join with: until the cluster has ``started`` it stays
    the same, however often apply is interrupted, because servers that exist already know it.
    """

    directory: Path
    cluster_id: str
    pki: Pki
    token: str
    started: bool = False
    last_apply: tuple[Timing, ...] = field(default=())


def directory_of(platform_file: Path, name: str) -> Path:
    """Return where the platform of that file and name keeps its keys."""
    return platform_file.resolve().parent / ".causeway" / name


def load(directory: Path) -> State | None:
    """Return the kept facts, None if there are none; raises ``Problem`` if they are damaged or exposed."""
    facts = directory / "platform.json"
    if not facts.exists():
        return None
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        raise Problem.of(
            str(directory), f"is open to others (mode {mode:04o})", f"Run: chmod -R go= {directory}"
        )
    try:
        content = json.loads(facts.read_text())
        cluster_id = str(uuid.UUID(content["clusterId"]))
        timings = tuple(Timing(str(name), float(took)) for name, took in content.get("lastApply", []))
        token, started = str(content["token"]), bool(content["started"])
        pki = Pki.from_files({name: (directory / "pki" / name).read_text() for name in _NAMES})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem.of(
            str(directory),
            f"the platform's keys cannot be read: {error}",
            "Restore this directory from a backup; without it no node can be added.",
        ) from error
    return State(directory, cluster_id, pki, token, started, timings)


def fresh(directory: Path) -> State:
    """Return the facts of a new platform: another UUID, other authorities. Nothing is written."""
    return State(directory, str(uuid.uuid4()), make_pki(), make_token())


def create(state: State) -> None:
    """Keep the facts of a new platform."""
    directory = state.directory
    for folder in (directory.parent, directory, directory / "pki", directory / "pki" / "etcd"):
        folder.mkdir(mode=0o700, exist_ok=True)
    for name, text in state.pki.files().items():
        _write(directory / "pki" / name, text)
    save(state)  # last: its presence says that everything else is there


def save(state: State) -> None:
    """Write the facts that may change."""
    content = {
        "clusterId": state.cluster_id,
        "token": state.token,
        "started": state.started,
        "lastApply": [[timing.phase, timing.seconds] for timing in state.last_apply],
    }
    _write(state.directory / "platform.json", json.dumps(content, indent=2) + "\n")


def forget(directory: Path) -> None:
    """Remove the kept facts of a platform that is gone."""
    if not directory.exists():
        return
    for path in (directory / "platform.json", *(directory / "pki" / name for name in _NAMES)):
        path.unlink(missing_ok=True)
    for folder in (directory / "pki" / "etcd", directory / "pki", directory):
        if folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


def _write(path: Path, text: str) -> None:
    """Replace a file at once: an interruption leaves the old or the new one, readable by nobody else."""
    temporary = path.with_name(path.name + ".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)
