"""What the names room has to know of its platform, from the platform's settings."""

from causeway.rooms.names.model import Setting
from causeway.rooms.names.registry import Affixes
from causeway.serve.controller.settings import Platform


def naming_of(platform: Platform) -> Setting | None:
    """Return it; None for a platform without names."""
    names = platform.names
    if names is None:
        return None
    affixes = Affixes(names.txt_prefix, names.txt_suffix, names.txt_wildcard_replacement)
    return Setting(platform.cluster_id, names.zones, names.owner, affixes, names.fixed)
