"""HAProxy's configuration: everything that stays the same while routes come and go, and spare backends.

Options of a route are looked up in maps by the name of its backend, so that giving a backend to a route is a
change of maps and servers. Regular expressions there are none on the way to a backend: hosts and paths are
found in trees, a wildcard by the host without its first label, what is for every host without one.
"""

import hashlib
import importlib.resources
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from causeway.rooms.routes.commands import Files, entry_of_list
from causeway.rooms.routes.model import (
    MAPS,
    AuthorityKey,
    CertificateKey,
    Item,
    Kind,
    MapKey,
    ServerKey,
    Wish,
)
from causeway.rooms.routes.ways import DEEPEST, LABELS

_TEMPLATES = Environment(
    loader=PackageLoader("causeway.rooms.routes"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  # no HTML
)

_BACKEND = re.compile(r"((?:http|tcp)-[a-z]+(?:-options)?(?:-[0-9a-f]{12})?)-[0-9]+")  # see kind_name


class Front(msgspec.Struct, frozen=True):
    """How HAProxy listens and what bounds it: addresses as ADDRESS:PORT, ``log`` as HAProxy names targets.

    ``ports`` are further ones, for what Gateways ask for: ADDRESS:PORT or ADDRESS:FIRST-LAST. They are open
    from the start, because HAProxy cannot open any while it runs; a connection to one that nobody has is
    ended.
    """

    plain: tuple[str, ...]
    secure: tuple[str, ...]
    certificate: Path
    proxy_protocol: bool = False
    connections: int = 20_000
    threads: int = 0
    drain_seconds: int = 3600
    log: str = ""
    client_authorities: str = ""
    client_verify: str = "none"
    forwarded: str = "append"
    cookie: str = "causeway"
    ports: tuple[str, ...] = ()

    @property
    def further(self) -> frozenset[int]:
        """Return the numbers of the further ports."""
        found: set[int] = set()
        for each in self.ports:
            first, _, last = each.rpartition(":")[2].partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return frozenset(found)


Layout = Mapping[Kind, int]
"""How many backends of each kind there are."""


def kind_name(kind: Kind, cookie: str) -> str:
    """Return the name of a kind; ``cookie`` is the usual one of this router."""
    plain = f"{kind.mode}-{kind.balance}{'-options' if kind.options else ''}"
    if not kind.lines and kind.cookie in ("", cookie):
        return plain
    text = "\n".join([kind.cookie, *kind.lines])
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def backend_names(kind: str, count: int) -> list[str]:
    """Return the names of ``count`` backends of a kind."""
    return [f"{kind}-{number}" for number in range(count)]


def backends_of_kinds(names: Iterable[str]) -> dict[str, int]:
    """Return how many backends of each kind are among the names of all backends HAProxy has."""
    return dict(Counter(found[1] for found in map(_BACKEND.fullmatch, names) if found))


def base(front: Front, files: Files) -> str:
    """Return a digest of everything but the backends; one that runs under another is out of date."""
    text = configuration(front, files, {}, {}, "") + _script()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def configuration(front: Front, files: Files, layout: Layout, wanted: Mapping[Item, Wish], mark: str) -> str:
    """Return the configuration with the servers ``wanted``; ``show info`` will tell ``mark``."""
    servers: dict[str, list[str]] = {}
    for item, wish in wanted.items():
        if isinstance(item, ServerKey):
            line = f"server {item.server} {wish.detail} weight {wish.value}"
            servers.setdefault(item.backend, []).append(line)
    kinds = [(kind_name(kind, front.cookie), kind, count) for kind, count in layout.items()]
    return _TEMPLATES.get_template("haproxy.cfg.j2").render(
        front=front,
        files=files,
        mark=mark,
        kinds=kinds,
        names=backend_names,
        servers=servers,
        depths=range(DEEPEST + 1),
        labels=range(2, LABELS + 2),
    )


def contents(
    front: Front, files: Files, layout: Layout, wanted: Mapping[Item, Wish], mark: str
) -> dict[Path, str]:
    """Return every file HAProxy reads when it starts, with its text."""
    found: dict[Path, str] = {files.configuration: configuration(front, files, layout, wanted, mark)}
    maps: dict[str, list[str]] = {name: [] for name in MAPS}
    listed: list[str] = []
    for item, wish in wanted.items():
        match item:
            case MapKey(name, key):
                maps[name].append(f"{key} {wish.value}")
            case CertificateKey():
                found[files.certificate(item)] = wish.detail
                listed.append(entry_of_list(files, item))
            case AuthorityKey():
                found[files.authority(item)] = wish.detail
    found |= {files.map(name): _lines(maps[name]) for name in MAPS}
    found[files.list] = _lines(listed)
    found[files.script] = _script()
    return found


def _script() -> str:
    return (importlib.resources.files("causeway.rooms.routes") / "templates" / "gateway.lua").read_text()


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
