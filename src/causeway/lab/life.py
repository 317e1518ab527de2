"""The life of a lab: up, down, destroyed. Each can be interrupted anywhere and repeated."""

import shutil
import time

import yaml

from causeway.kit.errors import Finding, Problem
from causeway.kit.progress import Phase, Progress
from causeway.lab import conditions, leftovers, rootfs, settings, state, tree, verify
from causeway.lab.settings import Settings

# Nothing takes longer than this between two changes of the state.
STALLED = 600.0


def up(lab: Settings, progress: Progress) -> None:
    """Bring the lab up, or verify the one that is; raises ``Problem`` with all that stands against it."""
    running = tree.running(lab)
    if running and _is_past(lab):
        with progress.phase("stopping the lab as it was"):
            down(lab)
        running = None
    if running is None:
        _start(lab, progress)
    with progress.phase("services") as phase:
        _wait(lab, phase)
    with progress.phase("verification by a call to each API") as phase:
        _verify(lab, phase)


def down(lab: Settings) -> bool:
    """Stop the lab's own processes; return whether it ran. Its data stays."""
    was_up = tree.stop(lab)
    leftovers.clear(lab)
    return was_up


def destroy(lab: Settings) -> bool:
    """Stop the lab and remove everything of it; return whether there was anything. The cache stays."""
    if not (lab.directory / "settings.json").exists():
        return False
    down(lab)
    shutil.rmtree(lab.directory)
    return True


def _start(lab: Settings, progress: Progress) -> None:
    built = all(path.is_dir() for path in rootfs.lower_directories(lab.cache, lab.extras))
    found = conditions.findings(lab, conditions.look(lab), built=built and lab.done.exists())
    if found:
        raise Problem(*found)
    _keep_base(lab)
    lab.logs.mkdir(parents=True, exist_ok=True)
    lab.directory.chmod(0o700)
    lab.save()
    secrets = settings.passwords(lab.directory)
    settings.write_private(lab.clouds_file, yaml.safe_dump(settings.clouds(lab, secrets), sort_keys=False))
    if not built:
        log = lab.logs / "rootfs.log"
        with progress.phase("root file system (some minutes, once)") as phase:
            phase.waiting_for(f"packages of the base, see {log}")
            rootfs.build_base(lab.cache, log)
            if lab.extras:
                phase.waiting_for(f"packages of {', '.join(lab.extras)}, see {log}")
                rootfs.build_layer(lab.cache, lab.extras, log)
    with progress.phase("namespaces"):
        leftovers.clear(lab)
        tree.start(lab)


def _keep_base(lab: Settings) -> None:
    """Refuse to put a lab's data above another root file system: users have other numbers there."""
    base = rootfs.base_path(lab.cache).name
    note = lab.directory / "base"
    if lab.done.exists() and note.exists() and note.read_text() != base:
        raise Problem.of(
            str(lab.directory),
            "this lab was made by another release of Causeway, with other packages",
            "Run `causeway lab destroy` and then `causeway lab up`.",
        )
    lab.directory.mkdir(parents=True, exist_ok=True)
    note.write_text(base)


def _wait(lab: Settings, phase: Phase) -> None:
    """Follow the supervisor until all is there; raises ``Problem`` naming the step that failed."""
    changed = time.monotonic()
    last = ""
    while True:
        current = state.read(lab.state_file)
        if current is not None:
            if current.complete:
                return
            if _has_failed(current):
                raise Problem(*_failures(lab, current))
            pending = [unit.name for unit in current.units.values() if unit.status == state.STARTING]
            troubled = [f"{unit.name} (died: {unit.reason})" for unit in current.broken]
            text = ", ".join(troubled + pending) or "the supervisor"
            if text != last:
                last, changed = text, time.monotonic()
            phase.waiting_for(text)
        if tree.running(lab) is None:
            remedy = f"Read {lab.logs / 'supervisor.log'} and run `causeway lab up` again."
            raise Problem.of("supervisor", "it ended while the lab was coming up", remedy)
        if time.monotonic() - changed > STALLED:
            remedy = "See `causeway lab status` and `causeway lab logs NAME`."
            raise Problem.of("services", f"no progress for {STALLED:.0f} s, waiting for {last}", remedy)
        time.sleep(0.2)


def _verify(lab: Settings, phase: Phase) -> None:
    missing = []
    pending = set(verify.CALLS)
    phase.waiting_for(", ".join(sorted(pending)))
    for answer in verify.answers(lab, lab.extras):
        pending.discard(answer.service)
        if answer.problem:
            remedy = (
                "See `causeway lab status` and `causeway lab logs NAME`, then run `causeway lab up` again."
            )
            missing.append(Finding(answer.service, f"it does not work: {answer.problem}", remedy))
    if missing:
        raise Problem(*missing)


def _is_past(lab: Settings) -> bool:
    """Return whether the lab that runs will never be the one that is wanted."""
    current = state.read(lab.state_file)
    if current is not None and (current.stopping or _has_failed(current)):
        return True
    return settings.load(lab.directory).extras != lab.extras


def _has_failed(current: state.LabState) -> bool:
    return any(unit.status == state.FAILED for unit in current.units.values())


def _failures(lab: Settings, current: state.LabState) -> list[Finding]:
    return [
        Finding(
            unit.name,
            f"this step failed: {unit.reason}",
            f"Read {lab.logs / unit.name}.log, then run up again.",
        )
        for unit in current.units.values()
        if unit.status == state.FAILED
    ]
