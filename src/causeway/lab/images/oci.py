"""Writing container images as OCI archives, without a container engine.

Layers are plain tar files made from entries sorted by name, with no times and no users but those asked
for, so that equal input gives an equal digest. A layer is written once and shared by the images that
contain it.
"""

import hashlib
import io
import json
import os
import platform
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
# What the importing runtime reads the full image name from.
NAME_ANNOTATION = "io.containerd.image.name"


@dataclass(frozen=True)
class Entry:
    """One member of a layer: a file (``data`` is its content or where it lies), a link or a directory."""

    path: str
    data: bytes | Path | None = None
    link: str | None = None
    mode: int = 0o755
    owner: int = 0  # user and group id


@dataclass(frozen=True)
class Layer:
    """A written layer: the tar file, its digest (``sha256:...``) and its size in bytes."""

    path: Path
    digest: str
    size: int


def entries(root: Path, below: str = ".", *, without: Sequence[str] = ()) -> Iterator[Entry]:
    """Yield everything of the directory ``root/below``, with paths relative to ``root``.

    What lies below one of the directories ``without`` (relative to ``root``) is left out. Files that are
    neither regular, symbolic links nor directories do not belong into an image and are left out too.
    """
    for directory, names, others in os.walk(root / below):
        for name in sorted([*names, *others]):
            path = Path(directory, name)
            relative = str(path.relative_to(root))
            if any(relative == each or relative.startswith(f"{each}/") for each in without):
                continue
            status = path.lstat()
            mode, owner = stat.S_IMODE(status.st_mode), status.st_uid
            if stat.S_ISLNK(status.st_mode):
                yield Entry(relative, link=str(path.readlink()), mode=0o777, owner=owner)
            elif stat.S_ISREG(status.st_mode):
                yield Entry(relative, data=path, mode=mode, owner=owner)
            elif stat.S_ISDIR(status.st_mode):
                yield Entry(relative, mode=mode, owner=owner)


def write_layer(members: Iterable[Entry], path: Path) -> Layer:
    """Write ``members`` as a layer into the file ``path``; of members with one path the last one counts.

    Directories that are only implied by the path of a member are added (mode 0755, of root).
    """
    chosen = {member.path: member for member in members}
    for name in list(chosen):
        for parent in Path(name).parents[:-1]:
            chosen.setdefault(str(parent), Entry(str(parent)))
    digest = hashlib.sha256()
    with (
        path.open("wb") as file,
        tarfile.open(fileobj=_Hashing(file, digest), mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name in sorted(chosen):
            _add(tar, chosen[name])
    return Layer(path, f"sha256:{digest.hexdigest()}", path.stat().st_size)


def write_archive(name: str, layers: Sequence[Layer], config: Mapping[str, Any], path: Path) -> str:
    """Write the image ``name`` (with tag) of ``layers``, lowest first, into the archive ``path``.

    ``config`` is the image specification's ``config`` object: Entrypoint, Cmd, Env, User, Labels and so on.
    Returns the digest of the image's manifest.
    """
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    configuration = _json(
        {
            "architecture": machine,
            "os": "linux",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            "history": [{"created_by": "causeway lab image"} for _ in layers],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, configuration),
            "layers": [
                {"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in layers
            ],
        }
    )
    described = _descriptor(MANIFEST_TYPE, manifest)
    annotations = {NAME_ANNOTATION: name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    index = _json({"schemaVersion": 2, "manifests": [{**described, "annotations": annotations}]})
    blobs: dict[str, bytes | Path] = {layer.digest: layer.path for layer in layers}
    blobs[str(_descriptor(CONFIG_TYPE, configuration)["digest"])] = configuration
    blobs[str(described["digest"])] = manifest
    members = [
        Entry("oci-layout", b'{"imageLayoutVersion": "1.0.0"}', mode=0o644),
        Entry("index.json", index, mode=0o644),
        *(
            Entry(f"blobs/{digest.replace(':', '/')}", data, mode=0o644)
            for digest, data in sorted(blobs.items())
        ),
    ]
    with path.open("wb") as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            _add(tar, member)
    return str(described["digest"])


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mode, member.uid, member.gid, member.mtime = entry.mode, entry.owner, entry.owner, 0
    if entry.link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(member)
    elif entry.data is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif isinstance(entry.data, bytes):
        member.size = len(entry.data)
        tar.addfile(member, io.BytesIO(entry.data))
    else:
        member.size = entry.data.stat().st_size
        with entry.data.open("rb") as source:
            tar.addfile(member, source)


def _descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class _Hashing(io.RawIOBase):
    """A file that hashes what is written to it, so that a layer is read only once."""

    def __init__(self, file: io.BufferedWriter, digest: "hashlib._Hash") -> None:
        self._file, self._digest = file, digest

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write and hash ``data``."""
        self._digest.update(data)
        return self._file.write(data)
