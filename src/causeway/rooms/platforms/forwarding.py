"""Where the platform's own DNS asks for the platform's zones.

CoreDNS hands on what it does not know to the name servers of its node. Where those do not know the zones, a
server block of its own for the zones does. The configuration is kubeadm's and people may have added to it, so
ours stands between two marks and nothing else is touched.
"""

import re
from collections.abc import Sequence

from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.resource import CONFIG_MAPS
from causeway.rooms.platforms.model import Names

NAMESPACE, NAME, FILE = "kube-system", "coredns", "Corefile"
_BEGIN, _END = "# causeway: zones of the cloud", "# causeway: end"
_OURS = re.compile(rf"^{re.escape(_BEGIN)}$.*?^{re.escape(_END)}$\n?", re.MULTILINE | re.DOTALL)
_SECONDS = 30  # that an answer is kept: a name that moves is to be followed


def forwarded(corefile: str, zones: Sequence[str], servers: Sequence[str]) -> str:
    """Return the configuration with ``zones`` asked of ``servers``, IP addresses.

    Without zones or servers it has nothing of ours. A second time it changes nothing.
    """
    kept = _OURS.sub("", corefile).rstrip("\n") + "\n"
    if not zones or not servers:
        return kept if _OURS.search(corefile) else corefile
    names = " ".join(f"{zone.rstrip('.')}:53" for zone in zones)
    lines = (f"{names} {{", "    errors", f"    cache {_SECONDS}", f"    forward . {' '.join(servers)}", "}")
    return kept + "\n".join((_BEGIN, *lines, _END)) + "\n"


async def forward(client: Client, names: Names | None) -> bool:
    """Have the platform's DNS ask the name servers of ``names``; return whether something was changed.

    CoreDNS reads its configuration again within a minute. Raises ``Conflict`` when somebody else changed it
    meanwhile. A platform whose DNS is not kubeadm's is left alone.
    """
    try:
        found = await client.get(CONFIG_MAPS, NAME, NAMESPACE)
    except NotFound:
        return False
    present = found.get("data", {}).get(FILE)
    if present is None:
        return False
    servers = [str(each) for each in names.nameservers] if names else []
    wanted = forwarded(present, names.zones if names else (), servers)
    if wanted == present:
        return False
    version = {"resourceVersion": found["metadata"]["resourceVersion"]}
    await client.patch(CONFIG_MAPS, NAME, {"metadata": version, "data": {FILE: wanted}}, NAMESPACE)
    return True
