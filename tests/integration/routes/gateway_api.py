"""Gateway API's own definitions, out of its published module."""

from pathlib import Path

from causeway.lab.images.golang import Toolchain

MODULE = "sigs.k8s.io/gateway-api"
VERSION = "v1.6.3"  # the newest that builds with the Go others of ours build with


def definitions(cache: Path, log: Path) -> list[Path]:
    """Return the files of the standard channel's definitions, downloaded unless the cache has them."""
    home = Toolchain(cache, log).published(MODULE, VERSION).directory
    return sorted((home / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*s.yaml"))
