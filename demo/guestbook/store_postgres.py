"""Messages in a table of PostgreSQL, found by libpq's own variables: PGHOST, PGUSER, PGPASSFILE and so on."""

from typing import Any

import psycopg

TABLE = """create table if not exists message (
    number bigserial primary key, text text not null, time double precision not null
)"""
SECONDS = 3


def newest(count: int) -> list[dict[str, Any]]:
    """Return the newest messages, newest first; raises ``OSError`` when they cannot be read."""
    rows = _run("select text, time from message order by number desc limit %s", (count,))
    return [{"text": text, "time": time} for text, time in rows]


def add(message: dict[str, Any]) -> None:
    """Store a message; raises ``OSError`` when it cannot be written."""
    _run("insert into message (text, time) values (%s, %s)", (message["text"], message["time"]))


def _run(statement: str, values: tuple[Any, ...]) -> list[Any]:
    """Run one statement in a transaction of its own; the table is made when it is not there."""
    try:
        with psycopg.connect(
            connect_timeout=SECONDS, options=f"-c statement_timeout={SECONDS}s"
        ) as connection:
            cursor = connection.execute("select to_regclass('message')")
            if cursor.fetchone() == (None,):
                connection.execute("select pg_advisory_xact_lock(1)")  # two front ends may come at once
                connection.execute(TABLE)
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        raise OSError(str(error).strip()) from error
