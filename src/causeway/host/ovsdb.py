"""Open vSwitch's database: as much of its protocol as putting a pod's port on a bridge takes.

The protocol (RFC 7047) is JSON-RPC over a unix socket. A connection is made for each transaction: it costs a
tenth of a millisecond, and nothing has to be kept alive while no pod starts. A library for it (ovsdbapp, with
ovs) keeps a copy of the whole database and a thread; starting ``ovs-vsctl`` costs a process for each pod and
has to be in our image.
"""

import json
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_DATABASE = "Open_vSwitch"
_CHUNK = 65536
_LOOK = 0.002  # seconds between two looks at whether the switch has followed

Operation = dict[str, Any]
Row = dict[str, Any]


class OvsdbError(OSError):
    """The switch's database cannot be reached, or refused a transaction."""


class Ovsdb:
    """The database behind the socket at ``path``; ``timeout`` in seconds bounds every transaction."""

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        self._path = path
        self._timeout = timeout

    def transact(self, *operations: Operation) -> list[Row]:
        """Carry out all operations or none, and return the result of each. Raises ``OvsdbError``."""
        request = {"id": 1, "method": "transact", "params": [_DATABASE, *operations]}
        answer = self._call(request)
        if answer.get("error"):
            raise OvsdbError(f"{self._path}: {answer['error']}")
        results: list[Row] = answer["result"]
        for result in results:
            if result and result.get("error"):
                raise OvsdbError(f"{self._path}: {result['error']}: {result.get('details', '')}")
        return results

    def apply(self, *operations: Operation) -> None:
        """Carry out all operations or none, and return once the switch itself has followed.

        The database answers before the switch has looked; the switch notes in ``cur_cfg`` what it has seen,
        and ``ovs-vsctl`` waits for that, too. Raises ``OvsdbError``, also when the switch does not follow.
        """
        *_, counted = self.transact(
            *operations,
            {"op": "mutate", "table": _DATABASE, "where": [], "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": _DATABASE, "where": [], "columns": ["next_cfg"]},
        )
        wanted = counted["rows"][0]["next_cfg"]
        deadline = time.monotonic() + self._timeout
        while self.select(_DATABASE, [], ["cur_cfg"])[0]["cur_cfg"] < wanted:
            if time.monotonic() > deadline:
                raise OvsdbError(f"{self._path}: the switch did not follow within {self._timeout:g} s")
            time.sleep(_LOOK)

    def select(self, table: str, where: Sequence[Sequence[Any]], columns: Sequence[str]) -> list[Row]:
        """Return the ``columns`` of the rows of a table that match all of ``where``."""
        (result,) = self.transact({"op": "select", "table": table, "where": [*where], "columns": [*columns]})
        rows: list[Row] = result["rows"]
        return rows

    def _call(self, request: Mapping[str, Any]) -> Row:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(self._timeout)
                sock.connect(str(self._path))
                sock.sendall(json.dumps(request).encode())
                return _answer(sock)
        except (OSError, ValueError) as error:
            if isinstance(error, OvsdbError):
                raise
            raise OvsdbError(f"{self._path}: {error}") from error


def _answer(sock: socket.socket) -> Row:
    """Read until the answer is whole: messages follow each other without any mark in between."""
    decoder, received = json.JSONDecoder(), ""
    while True:
        chunk = sock.recv(_CHUNK)
        if not chunk:
            raise ValueError("the switch's database hung up in the middle of an answer")
        received += chunk.decode()
        try:
            message, _ = decoder.raw_decode(received)
        except json.JSONDecodeError:
            continue
        answer: Row = message
        return answer


def a_map(items: Mapping[str, str]) -> list[Any]:
    """Return a column of names and values in the protocol's notation."""
    return ["map", [[key, value] for key, value in items.items()]]


def mapping(column: Any) -> dict[str, str]:
    """Return what ``a_map`` was made of."""
    return dict(column[1])


def a_set(items: Iterable[Any]) -> list[Any]:
    """Return a column of several values in the protocol's notation."""
    return ["set", list(items)]


def members(column: Any) -> list[Any]:
    """Return the values of a column that holds a set: a single one stands without the notation."""
    if isinstance(column, list) and column[0] == "set":
        return list(column[1])
    return [column]
