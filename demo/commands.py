"""The commands of the demo: ``causeway`` and ``kubectl`` as a user types them, and HTTP to the guestbook."""

import json
import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from causeway.kit.errors import Finding, Problem


class CommandEnded(Problem):
    """A command of the demo ended with a status other than zero; its own words are above.

    ``printed`` is what it wrote to standard output nevertheless, "" where that was nothing.
    """

    def __init__(self, words: list[str], status: int, printed: str) -> None:
        super().__init__(Finding(" ".join(words), f"ended with status {status}", "Its message stands above."))
        self.printed = printed


def command(words: list[str], env: dict[str, str] | None = None, stdin: str | None = None) -> str:
    """Run a command and return what it printed; raises ``CommandEnded`` when it fails."""
    done = subprocess.run(
        words, env={**os.environ, **(env or {})}, input=stdin, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise CommandEnded(words, done.returncode, done.stdout)
    return done.stdout


def causeway(*words: str, env: dict[str, str] | None = None) -> str:
    """Run ``causeway WORDS`` and return what it printed; its progress goes to standard error."""
    return command([sys.executable, "-m", "causeway", *words], env or {})


def lab_environment() -> dict[str, str]:
    """Return the variables ``causeway lab env`` exports."""
    words = shlex.split(causeway("lab", "env"))
    return dict(word.split("=", 1) for word in words if "=" in word)


class Kubectl:
    """``kubectl`` with one kubeconfig."""

    def __init__(self, binary: Path, kubeconfig: Path) -> None:
        self.binary, self.kubeconfig = binary, kubeconfig

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Run ``kubectl WORDS`` and return its output."""
        return command([str(self.binary), "--kubeconfig", str(self.kubeconfig), *words], stdin=stdin)

    def json(self, *words: str) -> Any:
        """Return the object or list that ``kubectl WORDS -o json`` prints."""
        return json.loads(self(*words, "-o", "json"))


def http_json(url: str, body: dict[str, str] | None = None, *, seconds: float = 5) -> Any:
    """Return the JSON that ``url`` answers, by POST when there is a body.

    Raises ``OSError`` when nothing answers in time or the status is not a success.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    # No proxy of the environment: the address is one of the lab's own network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=seconds) as answer:
        return json.load(answer)
