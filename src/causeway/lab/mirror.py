"""Which package mirror the lab's root file system comes from: the machine's own, when that is Debian.

Reading the machine's apt sources keeps host names out of this program and honours local mirrors and proxies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path("/etc/apt")


@dataclass(frozen=True)
class Mirror:
    """Base addresses of the Debian archive and of its security archive (None: not known)."""

    archive: str
    security: str | None


@dataclass(frozen=True)
class _Source:
    uri: str
    suite: str
    components: frozenset[str]


def find(texts: dict[str, str], codename: str) -> Mirror | None:
    """Return the Debian mirror named in apt sources, None when there is none.

    ``texts`` maps file names to contents (``*.list`` one-line, ``*.sources`` deb822 style); ``codename``
    is the machine's own release, which tells Debian's archive apart from other repositories.
    """
    sources = [
        source
        for name, text in sorted(texts.items())
        for source in (_deb822(text) if name.endswith(".sources") else _one_line(text))
        if "main" in source.components
    ]
    archives = [source.uri for source in sources if source.suite in {codename, "stable"}]
    security = [
        source.uri for source in sources if source.suite in {f"{codename}-security", "stable-security"}
    ]
    if not archives:
        return None
    return Mirror(archives[0], security[0] if security else None)


def lines(mirror: Mirror | None, suite: str) -> list[str]:
    """Return the apt source lines of ``suite``; none, for the tools' own default, when no mirror is known."""
    if mirror is None:
        return []
    suites = [(mirror.archive, suite), (mirror.archive, f"{suite}-updates")]
    if mirror.security:
        suites.append((mirror.security, f"{suite}-security"))
    return [f"deb {address} {name} main" for address, name in suites]


def of_machine() -> Mirror | None:
    """Return the mirror this machine uses; None when it is not Debian or has no usable apt source."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    if release.get("ID", "").strip('"') != "debian":
        return None
    files = [SOURCES / "sources.list", *(SOURCES / "sources.list.d").glob("*")]
    texts = {
        path.name: path.read_text()
        for path in files
        if path.suffix in {".list", ".sources"} and path.exists()
    }
    return find(texts, release.get("VERSION_CODENAME", "").strip('"'))


def _one_line(text: str) -> Iterator[_Source]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 4 or words[0] != "deb":
            continue
        if words[1].startswith("["):
            end = next(index for index, word in enumerate(words) if word.endswith("]"))
            words = [words[0], *words[end + 1 :]]
        if len(words) >= 4:
            yield _Source(words[1].rstrip("/"), words[2], frozenset(words[3:]))


def _deb822(text: str) -> Iterator[_Source]:
    for paragraph in text.split("\n\n"):
        fields = {
            key.strip().lower(): value.strip()
            for line in paragraph.splitlines()
            if not line.startswith("#") and ":" in line and not line.startswith(" ")
            for key, value in [line.split(":", 1)]
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield _Source(uri.rstrip("/"), suite, frozenset(fields.get("components", "").split()))
