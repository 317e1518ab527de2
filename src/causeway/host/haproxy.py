"""HAProxy as a process: started apart from us, asked and changed over its socket, reloaded without a loss.

It outlives who started it: whoever comes next finds it by its socket and goes on with it. On a reload the new
worker takes the listening sockets over from the old one, which ends its connections in peace.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from causeway.kit.errors import Problem

log = structlog.get_logger()

_ANSWER = 30.0  # seconds for one batch of commands
_START = 60.0  # seconds for a configuration of many backends to be read and to listen
_NOTED = 10.0  # seconds for a process that has begun to write its number down
_PAUSE = 0.02  # seconds between two looks at what takes its time
_LINE = 2**30  # bytes of one answer, a map of millions of keys: a bound that is reached ends all work

PROGRAM = "haproxy"
REMEDY = "See HAProxy's messages, which are on this process' standard error."


class Unreachable(Problem):
    """HAProxy does not answer on its socket."""


class Rejected(Problem):
    """HAProxy did not accept a configuration; what ran before runs on."""


class Haproxy:
    """One HAProxy with its ``directory``: ``haproxy.cfg``, ``haproxy.sock``, ``haproxy.pid``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._socket = directory / "haproxy.sock"
        self._pid = directory / "haproxy.pid"

    async def ask(self, commands: Sequence[str]) -> list[str]:
        """Send commands over one connection and return each one's answer; raises ``Unreachable``."""
        if not commands:
            return []
        try:
            async with asyncio.timeout(_ANSWER):
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=_LINE)
                try:
                    sending = asyncio.create_task(_send(writer, commands))
                    try:
                        answers = [await _answer(reader) for _ in range(len(commands) + 1)]
                    finally:
                        sending.cancel()
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unreachable.of(str(self._socket), f"does not answer: {error!r}", REMEDY) from error
        return answers[1:]

    async def about(self) -> dict[str, str]:
        """Return what ``show info`` says; raises ``Unreachable``."""
        text = (await self.ask(["show info"]))[0]
        return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}

    async def check(self, configuration: Path) -> str:
        """Return what is wrong with a configuration, "" if nothing is."""
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "-c",
            "-f",
            str(configuration),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode(errors="replace")[-2000:] if process.returncode else ""

    async def run(self, mark: str) -> None:
        """Have the configuration in the directory run, in place of what runs, under ``mark``.

        Raises ``Rejected`` and ``Unreachable``; what ran before then runs on.
        """
        wrong = await self.check(self.directory / "haproxy.cfg")
        if wrong:
            raise Rejected.of("haproxy.cfg", f"is not accepted: {wrong}", "Report this as a defect.")
        master = await self.master()
        if master is None:
            await self._start()
        else:
            os.kill(master, signal.SIGUSR2)
        try:
            async with asyncio.timeout(_START):
                while not await self._runs(mark):  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            cause = f"did not come up within {_START:.0f} s"
            raise Unreachable.of(str(self._socket), cause, REMEDY) from error

    async def _runs(self, mark: str) -> bool:
        try:
            return (await self.about()).get("description") == mark
        except Unreachable:
            return False

    async def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        self._pid.write_text("")
        # Not quiet (-q): that closes the standard output its access log may go to.
        with reopened(1) as output, reopened(2) as errors:
            process = await asyncio.create_subprocess_exec(
                PROGRAM,
                "-W",
                "-f",
                str(self.directory / "haproxy.cfg"),
                "-p",
                str(self._pid),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,  # what ends us does not end it
            )
        log.info("HAProxy started", pid=process.pid)

    async def master(self) -> int | None:
        """Return the process that minds the workers, or None if none runs here.

        At every load it executes itself anew, in which moment it has no arguments, and empties the file of
        its number, which it writes only after its worker has begun to answer. Who took that for its end
        would start a second one on the same ports, and both would get connections; so what is empty is
        looked at again for a while.
        """
        try:
            async with asyncio.timeout(_NOTED):
                while (found := self._noted()) is None:  # noqa: ASYNC110  # it tells nobody
                    await asyncio.sleep(_PAUSE)
        except (OSError, ValueError, TimeoutError):
            return None
        pid, words = found
        return pid if str(self.directory / "haproxy.cfg").encode() in words else None

    def _noted(self) -> tuple[int, list[bytes]] | None:
        """Return the process of the file and its arguments; None while either is being made anew."""
        text = self._pid.read_text()
        if not text.endswith("\n"):
            return None
        about = Path(f"/proc/{int(text)}")
        words = (about / "cmdline").read_bytes()
        ended = about.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        return (int(text), words.split(b"\0")) if words or ended else None

    async def stop(self, seconds: float) -> None:
        """Take no new connections, let those that are there end for so many ``seconds``, then end."""
        for number, limit in ((signal.SIGUSR1, seconds), (signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            master = await self.master()
            if master is None:
                return
            try:
                os.kill(master, number)
            except ProcessLookupError:  # it ended meanwhile
                return
            try:
                async with asyncio.timeout(limit):
                    while await self.master() is not None:  # noqa: ASYNC110  # it tells nobody
                        await asyncio.sleep(_PAUSE)
            except TimeoutError:
                continue


@contextlib.contextmanager
def reopened(descriptor: int) -> Iterator[int]:
    """Yield a descriptor of the same file or pipe with flags of its own.

    HAProxy sets those of its output to what it needs, not blocking and not appending, and would set ours.
    """
    try:
        found = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
    except OSError:  # a socket, which cannot be opened
        found = os.dup(descriptor)
    try:
        yield found
    finally:
        os.close(found)


async def _send(writer: asyncio.StreamWriter, commands: Sequence[str]) -> None:
    writer.write(b"prompt\n")
    for command in commands:
        writer.write(command.encode() + b"\n")
        await writer.drain()


async def _answer(reader: asyncio.StreamReader) -> str:
    """Return the text up to the next prompt, without the prompts that ask for more of a payload."""
    text = (await reader.readuntil(b"\n> ")).decode(errors="replace")[:-3]
    while text.startswith("+ "):
        text = text[2:]
    return text
