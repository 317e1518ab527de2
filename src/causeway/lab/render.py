"""Configuration files from the package's templates; a value nobody set is an error, never an empty string."""

import base64
import os
from collections.abc import Mapping
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from causeway.lab.model import Copy, Directory, File
from causeway.lab.settings import Settings


class Renderer:
    """Renders the templates of one lab and writes them into its root file system."""

    def __init__(self, lab: Settings, secrets: Mapping[str, str]) -> None:
        self._root = lab.root
        self._owners: dict[str, tuple[int, int]] = {}
        self._templates = Environment(
            loader=PackageLoader("causeway.lab", "templates"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - configuration files, not HTML
        )
        self._templates.globals |= {"lab": lab, "secrets": secrets}
        self._templates.filters["b64encode"] = lambda text: base64.b64encode(text.encode()).decode()

    def text(self, template: str, values: Mapping[str, object] | None = None) -> str:
        """Return the text of ``template``."""
        return self._templates.get_template(template).render(values or {})

    def write(self, file: File | Copy) -> None:
        """Write ``file``, replacing what was there."""
        path = self._root / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        if isinstance(file, Copy):
            partial.write_text((resources.files("causeway.lab") / file.source).read_text())
            partial.chmod(0o644)
            partial.replace(path)
            return
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as sink:
            sink.write(self.text(file.template, file.values))
        os.chown(partial, *self._owner(file.owner))
        partial.chmod(file.mode)
        partial.replace(path)

    def make(self, directory: Directory) -> None:
        """Make ``directory`` with its owner and mode."""
        path = self._root / directory.path.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, *self._owner(directory.owner))
        path.chmod(directory.mode)

    def _owner(self, name: str) -> tuple[int, int]:
        """Return user and group id of a user of the root file system, which are not those of this machine."""
        if not self._owners:
            for line in (self._root / "etc/passwd").read_text().splitlines():
                user, _, uid, gid, *_ = line.split(":")
                self._owners[user] = int(uid), int(gid)
        return self._owners[name]
