"""Gateway API's own definitions, out of its published module."""

from pathlib import Path

from causeway.kube.gateways import (
    GATEWAY_CLASSES,
    GATEWAYS,
    GRANTS,
    GROUP,
    HTTP_ROUTES,
    TCP_ROUTES,
    TLS_ROUTES,
)
from causeway.lab.images.golang import Toolchain

MODULE = "sigs.k8s.io/gateway-api"
VERSION = "v1.6.3"  # the newest that builds with the Go others of ours build with
FOLLOWED = (GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, TLS_ROUTES, TCP_ROUTES, GRANTS)


def definitions(cache: Path, log: Path) -> list[Path]:
    """Return the files of the standard channel's definitions of what the router follows.

    They are downloaded unless the cache has them.
    """
    home = Toolchain(cache, log).published(MODULE, VERSION).directory / "config" / "crd" / "standard"
    return [home / f"{GROUP}_{each.plural}.yaml" for each in FOLLOWED]
