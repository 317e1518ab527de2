"""The container images of the demo's applications: Debian's packages and the files of ``demo/``."""

from pathlib import Path
from typing import Any

from causeway.lab.images import checkout, debian
from causeway.lab.images.containers import (
    ACCOUNTS,
    PATH,
    PYTHON_PACKAGES,
    UNUSED,
    Archive,
    Builder,
    above,
)
from causeway.lab.images.oci import Entry, Layer, entries

FRONTEND = "localhost/guestbook-frontend:0.1.0"
REDIS = "localhost/guestbook-redis:0.1.0"
FRONTEND_SQL = "localhost/guestbook-frontend-sql:0.1.0"
POSTGRES = "localhost/guestbook-postgres:17"
REDIS_PACKAGES = ("base-files", "redis-server")
# Its compiled part: the other one looks for libpq by programs an image lacks.
SQL_PACKAGES = (*PYTHON_PACKAGES, "python3-psycopg", "python3-psycopg-c")
# initdb and the start script are written for a shell.
POSTGRES_PACKAGES = ("base-files", "dash", "coreutils", "postgresql-17")
POSTGRES_PATH = "PATH=/usr/lib/postgresql/17/bin:/usr/bin"
# Half of all: Debian's helpers for many clusters on one machine, and the compiler of long queries.
_LEFT_OUT = ("/perl", "/bitcode/", "/libLLVM", "/libz3")


def preloaded(builder: Builder) -> list[Archive]:
    """Return the images that every node has from the start."""
    return [_frontend(builder), _redis(builder)]


def pushed(builder: Builder) -> list[Archive]:
    """Return the images that no node has: they come from a registry."""
    return [_frontend_sql(builder), _postgres(builder)]


def _frontend(builder: Builder) -> Archive:
    code, config = _front()

    def layers() -> list[Layer]:
        return [builder.python(), _front_code(builder)]

    return builder.archive(FRONTEND, [code], config, layers)


def _frontend_sql(builder: Builder) -> Archive:
    code, config = _front()
    config = {**config, "Env": [*config["Env"], "STORE=postgres"]}

    def layers() -> list[Layer]:
        tree = debian.tree(builder.cache, "sql", SQL_PACKAGES, log=builder.log)
        lower = builder.python_tree()
        sql = builder.layer("guestbook-sql", [lower.name, tree.name], lambda _: above(lower, tree))
        return [builder.python(), sql, _front_code(builder)]

    return builder.archive(FRONTEND_SQL, [code, SQL_PACKAGES], config, layers)


def _front() -> tuple[str, dict[str, Any]]:
    """Return what the front end's code is, and how it is started."""
    return checkout.fingerprint([_guestbook()]), {
        "Entrypoint": ["/usr/bin/python3", "/app/frontend.py"],
        "Env": [PATH, "PYTHONUNBUFFERED=1"],
        "User": "999:999",
        "ExposedPorts": {"8080/tcp": {}},
    }


def _front_code(builder: Builder) -> Layer:
    files = [
        Entry(f"app/{path.name}", path, mode=0o644)
        for path in sorted(_guestbook().iterdir())
        if path.suffix in {".py", ".html"}
    ]
    return builder.layer("guestbook-frontend", [checkout.fingerprint([_guestbook()])], lambda _: files)


def _guestbook() -> Path:
    return checkout.root() / "demo/guestbook"


def _redis(builder: Builder) -> Archive:
    source = _guestbook() / "redis.conf"
    code = checkout.fingerprint([source])
    config = {
        "Entrypoint": ["/usr/bin/redis-server", "/etc/guestbook/redis.conf"],
        "Env": [PATH],
        "User": "999:999",
        "WorkingDir": "/data",
        "ExposedPorts": {"6379/tcp": {}},
    }

    def layers() -> list[Layer]:
        tree = debian.tree(builder.cache, "redis", REDIS_PACKAGES, log=builder.log)
        members = [
            *entries(tree, without=UNUSED),
            *ACCOUNTS,
            Entry("etc/guestbook/redis.conf", source, mode=0o644),
            Entry("data", mode=0o755, owner=999),
        ]
        return [builder.layer("guestbook-redis", [code, tree.name], lambda _: members)]

    return builder.archive(REDIS, [code], config, layers)


def _postgres(builder: Builder) -> Archive:
    source = checkout.root() / "demo/postgres"
    code = checkout.fingerprint([source])
    config = {
        "Entrypoint": ["/usr/local/bin/start"],
        "Env": [POSTGRES_PATH, "PGDATA=/data/postgres", "PASSWORD=/run/postgres/password"],
        "User": "999:999",
        "ExposedPorts": {"5432/tcp": {}},
        # Its fast end: by SIGTERM it would wait for its clients to go.
        "StopSignal": "SIGINT",
    }

    def layers() -> list[Layer]:
        tree = debian.tree(builder.cache, "postgres", POSTGRES_PACKAGES, log=builder.log)
        members = [
            *(
                each
                for each in entries(tree, without=UNUSED)
                if not any(part in each.path for part in _LEFT_OUT)
            ),
            *ACCOUNTS,
            Entry("usr/local/bin/start", source / "start"),
            Entry("etc/postgres/hba.conf", source / "hba.conf", mode=0o644),
        ]
        return [builder.layer("guestbook-postgres", [code, tree.name, _LEFT_OUT], lambda _: members)]

    return builder.archive(POSTGRES, [code, POSTGRES_PACKAGES], config, layers)
