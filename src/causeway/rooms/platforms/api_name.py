"""The name of the API in the certificates of its servers.

kubeadm makes the certificate of a master's API server when the master comes in, by the configuration it keeps
in the cluster. That gets the name here, on a platform that is given one later. Certificates that are there
stay: nothing but kubeadm on their own master may make them.
"""

import yaml

from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.resource import CONFIG_MAPS
from causeway.rooms.platforms.model import Names

NAMESPACE, NAME, KEY = "kube-system", "kubeadm-config", "ClusterConfiguration"


def certified(configuration: str, name: str) -> str:
    """Return kubeadm's configuration with ``name`` in the certificates that are made by it.

    It is the text as it was when the name is in it, or when it is no configuration of a cluster.
    """
    found = yaml.safe_load(configuration)
    if not isinstance(found, dict):
        return configuration
    server = found.get("apiServer") or {}
    names = server.get("certSANs") or []
    if name in names:
        return configuration
    changed = {**found, "apiServer": {**server, "certSANs": [*names, name]}}
    text: str = yaml.safe_dump(changed, sort_keys=True)
    return text


async def certify(client: Client, names: Names | None) -> bool:
    """Have the masters that come in certified for the API's name; return whether something was changed.

    Raises ``Conflict`` when somebody else changed the configuration meanwhile. A platform that is not
    kubeadm's is left alone, and a name that is no longer wanted stays: it leads nowhere.
    """
    if names is None:
        return False
    try:
        found = await client.get(CONFIG_MAPS, NAME, NAMESPACE)
    except NotFound:
        return False
    present = found.get("data", {}).get(KEY, "")
    wanted = certified(present, names.api)
    if wanted == present:
        return False
    version = {"resourceVersion": found["metadata"]["resourceVersion"]}
    await client.patch(CONFIG_MAPS, NAME, {"metadata": version, "data": {KEY: wanted}}, NAMESPACE)
    return True
