"""Running a command of the machine, with its failure told in full.

Arguments are always lists, never shell text. Secrets do not belong in arguments, which every user of the
machine can read: pass them by ``stdin`` or in a file.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from causeway.kit.errors import Finding, Problem


class CommandFailed(Problem):
    """A command ended with a status other than zero; ``status`` and ``output`` say how."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-15:])
        super().__init__(
            Finding(" ".join(argv), f"ended with status {status}", tail or "It printed nothing.")
        )
        self.status = status
        self.output = output


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run ``argv`` and return its standard output.

    With ``log``, both outputs are appended to that file instead and "" is returned.
    Raises ``CommandFailed`` on a status other than zero and ``subprocess.TimeoutExpired`` past ``timeout``
    seconds.
    """
    words = [str(word) for word in argv]
    if log is not None:
        with log.open("ab") as sink:
            done = subprocess.run(
                words,
                input=stdin and stdin.encode(),
                stdout=sink,
                stderr=sink,
                env=env,
                cwd=cwd,
                timeout=timeout,
                check=False,
            )
        if done.returncode:
            raise CommandFailed(words, done.returncode, log.read_text(errors="replace")[-4000:])
        return ""
    result = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        env=env,
        cwd=cwd,
        timeout=timeout,
        check=False,
    )
    if result.returncode:
        raise CommandFailed(words, result.returncode, result.stderr or result.stdout)
    return result.stdout


def succeeds(*argv: str | Path) -> bool:
    """Return whether ``argv`` ends with status zero; its output is not kept."""
    words = [str(word) for word in argv]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
