"""What ``apply`` puts into the Kubernetes API before a controller can run: definitions and rights."""

from pathlib import Path

import yaml

from causeway.kube.client import Client

FOLDER = Path(__file__).parents[2] / "src" / "causeway" / "deploy"
_DEFINITIONS_AND_RIGHTS = ("1*.yaml", "2*.yaml")


async def deploy(admin: Client) -> None:
    """Apply the manifests that need no settings: definitions, accounts and their rights."""
    for pattern in _DEFINITIONS_AND_RIGHTS:
        for file in sorted(FOLDER.glob(pattern)):
            for manifest in yaml.safe_load_all(file.read_text()):
                await admin.apply(manifest, manager="causeway")
