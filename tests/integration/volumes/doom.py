"""The node service is killed at each command it runs: just before, and when it is done and not yet told."""

import os
import shutil
from pathlib import Path
from typing import Any

import grpc
from tests.integration.volumes.kubernetes import Kubernetes

PROGRAMS = ("mount", "umount", "mkfs.ext4", "e2fsck", "resize2fs", "mkfs.xfs", "xfs_growfs")
"""Those that change something: to be killed while it only looks leaves nothing behind."""

_WRAPPER = """#!/bin/sh
# Once in a life ends who is about to run this command, and who has run it.
[ -e {armed} ] || exec {real} "$@"
for moment in before after; do
  if ! grep -qxF "$moment {name} $*" {met}; then
    echo "$moment {name} $*" >> {met}
    [ $moment = before ] || {real} "$@"
    kill -KILL $PPID
    exit 1
  fi
done
exec {real} "$@"
"""


class Doom:
    """Programs that take the place of those the node service runs, in a folder of their own."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / "doom"
        self._folder.mkdir()
        self._met, self._armed = directory / "met", directory / "armed"
        self._met.touch()
        for name in PROGRAMS:
            program = self._folder / name
            real = shutil.which(name)
            program.write_text(_WRAPPER.format(met=self._met, armed=self._armed, name=name, real=real))
            program.chmod(0o755)

    @property
    def path(self) -> str:
        """Return the PATH by which the service comes upon them."""
        return f"{self._folder}:{os.environ['PATH']}"

    def call(self, kubernetes: Kubernetes, rpc: str, **fields: Any) -> list[str]:
        """Ask for a call until it is done, of a service that is killed; return at which moments it was."""
        before = len(self._met.read_text().splitlines())
        self._armed.touch()
        try:
            while not _answered(kubernetes, rpc, fields):
                kubernetes.kill_node()  # it is dead: another is started
        finally:
            self._armed.unlink()
        return self._met.read_text().splitlines()[before:]


def _answered(kubernetes: Kubernetes, rpc: str, fields: dict[str, Any]) -> bool:
    try:
        kubernetes.call(rpc, **fields)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        return False
    return True
