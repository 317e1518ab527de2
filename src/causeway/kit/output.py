"""Standard output whose failure is told as any other problem; nothing that was printed is lost unsaid."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from causeway.kit.errors import Problem

_Result = TypeVar("_Result")


class Output(io.TextIOWrapper):
    """A text stream that raises ``Problem`` where it cannot be written.

    A reader who reads no further is none: that is raised as ever, and whoever prints ends quietly.
    """

    def write(self, text: str, /) -> int:
        """Write, as every stream does."""
        if text == "":  # Click tries so what a stream takes, and passes over what that raises
            return 0
        return self._told(lambda: super(Output, self).write(text))

    def flush(self) -> None:
        """Hand on what is not yet written."""
        self._told(super().flush)

    def _told(self, act: Callable[[], _Result]) -> _Result:
        try:
            return act()
        except OSError as error:
            self._give_up()
            if error.errno == errno.EPIPE:
                raise
            remedy = "What was to be printed is lost. Free space there, or have it written elsewhere."
            raise Problem.of("standard output", error.strerror or str(error), remedy) from error

    def _give_up(self) -> None:
        """Let what is still to be written go nowhere: Python tries once more when it ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def take_standard_output() -> None:
    """Make standard output one that tells; where there is none, or something else took it, leave it."""
    found = sys.stdout
    if type(found) is io.TextIOWrapper:
        sys.stdout = Output(
            found.buffer,
            found.encoding,
            found.errors,
            line_buffering=found.line_buffering,
            write_through=found.write_through,
        )
