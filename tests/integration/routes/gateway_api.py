"""Gateway API's own definitions, out of its published module."""

from pathlib import Path

import yaml
from tests.integration.deployment import served

from causeway.kube.client import Client
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


async def install(admin: Client, cache: Path, log: Path) -> None:
    """Install these definitions, or leave them as they are; return when the API serves them."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for each in [yaml.load(file.read_text(), loader) for file in definitions(cache, log)]:
        await admin.apply(each, manager="test")
        await served(admin, each["spec"])
