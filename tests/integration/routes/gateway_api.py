"""Gateway API's own definitions, out of its published module."""

from pathlib import Path

from causeway.lab.images.golang import Toolchain

MODULE = "sigs.k8s.io/gateway-api"
VERSION = "v1.6.3"  # the newest that builds with the Go others of ours build with


def definitions(cache: Path, log: Path) -> list[Path]:
    """Return the files of the standard channel's definitions, downloaded unless the cache has them."""
    home = Toolchain(cache, log).published(MODULE, VERSION).directory
    files = (home / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*.yaml")
    return sorted(each for each in files if "_vap_" not in each.name)  # that one is no definition
