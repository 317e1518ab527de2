"""How a service's tables are made, so that being interrupted in the middle does no harm."""

import shlex

from causeway.lab.model import Command, Copy, Directory, File, Step


def tables(
    name: str,
    *commands: Command,
    files: tuple[File | Copy, ...],
    databases: tuple[str, ...] = (),
    directories: tuple[Directory, ...] = (),
) -> Step:
    """Return the step that makes the databases (by default one, ``name``) and fills them by ``commands``.

    Changes of tables are not undone when the process dies, and most cannot be done twice: each attempt starts
    from empty databases. Once the step is done it is never run again.
    """
    empty = "".join(
        f"DROP DATABASE IF EXISTS {database}; CREATE DATABASE {database} CHARACTER SET utf8mb4;"
        for database in databases or (name,)
    )
    script = " && ".join(shlex.join(command) for command in (("mariadb", "-e", empty), *commands))
    return Step(
        f"{name}-tables",
        ("sh", "-c", script),
        needs=("mariadb", "database-user"),
        files=files,
        directories=directories,
    )
