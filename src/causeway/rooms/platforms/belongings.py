"""Everything in the cloud that belongs to one platform, by its tags: what destroy deletes and proves gone.

What its claims have stored is not in it: that is somebody's data, and ``stored`` knows it. Tags and
descriptions are given when an object is made, by the stack and by the controllers alike, so what is listed
here is everything there is, and nothing of anybody else.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.cloud.ownership import METADATA, of_cluster, owner_in, owner_of
from causeway.rooms.platforms import credential, stack, stored

_NETWORK = (
    *("ports", "trunks", "floatingips", "security-groups", "address-groups"),
    *("networks", "subnets", "routers"),
)
_DESCRIBED = frozenset({"floatingips", "security-groups", "address-groups", "trunks", "networks", "subnets"})
_UNTAGGED = frozenset({"address-groups"})


@dataclass(frozen=True)
class Belonging:
    """One object of the cloud; ``made_by`` is the kind in its tags, such as pod, service or node."""

    type: str
    id: str
    name: str
    made_by: str = ""

    def __str__(self) -> str:
        return f"{self.type} {self.name or self.id}"


def belongings(cloud: Connection, platform: str, cluster_id: str) -> list[Belonging]:
    """Return everything that belongs to the platform of that name and UUID, stack and credential included."""
    reads: list[Callable[[], list[Belonging]]] = [
        *(partial(network, cloud, kind, cluster_id) for kind in _NETWORK),
        lambda: load_balancers(cloud, cluster_id),
        lambda: _servers(cloud, cluster_id),
        lambda: _volumes(cloud, cluster_id),
        lambda: record_sets(cloud, cluster_id),
        lambda: _stacks(cloud, platform, cluster_id),
        lambda: _credentials(cloud, platform, cluster_id),
    ]
    with explained(f"platform {platform}"), ThreadPoolExecutor(max_workers=4) as pool:
        parts = [pool.submit(read) for read in reads]
        return [each for part in parts for each in part.result()]


def network(cloud: Connection, kind: str, cluster_id: str) -> list[Belonging]:
    """Return the objects of a collection of Neutron's API (such as ``ports``) that belong to the cluster."""
    key, query = kind.replace("-", "_"), {"tags": ",".join(of_cluster(cluster_id))}
    tagged = [] if kind in _UNTAGGED else _listed(cloud.network, f"/{kind}", key, query)
    described = []
    if kind in _DESCRIBED:
        # Their makers give these no tags, or only later; the description says whose they are.
        described = [
            each
            for each in _listed(cloud.network, f"/{kind}", key, {})
            if (owner := owner_in(each.get("description") or "")) and owner.cluster == cluster_id
        ]
    found = {each["id"]: each for each in [*described, *tagged]}
    return [
        Belonging(
            type=kind.removesuffix("s").replace("-", " ").replace("floatingip", "floating IP"),
            id=each["id"],
            name=each.get("name") or each.get("floating_ip_address") or "",
            made_by=_maker(each),
        )
        for each in found.values()
    ]


@dataclass(frozen=True)
class Balancer:
    """How a load balancer does, in Octavia's words."""

    name: str
    provisioning: str
    operating: str
    address: str

    @property
    def works(self) -> bool:
        """Return whether it is made and serves; while it is being changed, it serves as it did before.

        A change in flight is no defect: a member that became ready a moment ago is one.
        """
        if self.provisioning == "PENDING_UPDATE":
            return self.operating == "ONLINE"
        return self.provisioning == "ACTIVE" and self.operating != "ERROR"


def load_balancers(cloud: Connection, cluster_id: str) -> list[Belonging]:
    """Return the load balancers of the cluster, by tag or, for those of the stack, by description."""
    return [
        Belonging("load balancer", each["id"], each.get("name") or "", _maker(each))
        for each in _balancers(cloud, cluster_id)
    ]


def balancers(cloud: Connection, cluster_id: str) -> list[Balancer]:
    """Return how the load balancers of the cluster do, by name."""
    found = [
        Balancer(each["name"], each["provisioning_status"], each["operating_status"], each["vip_address"])
        for each in _balancers(cloud, cluster_id)
    ]
    return sorted(found, key=lambda each: each.name)


def _balancers(cloud: Connection, cluster_id: str) -> list[dict[str, Any]]:
    return [
        each
        for each in _listed(cloud.load_balancer, "/lbaas/loadbalancers", "loadbalancers", {})
        if (owner := owner_of(each.get("tags") or []) or owner_in(each.get("description") or ""))
        and owner.cluster == cluster_id
    ]


def record_sets(cloud: Connection, cluster_id: str) -> list[Belonging]:
    """Return the record sets of the cluster in whichever zone; ``id`` is ZONE/ID, the name has the type."""
    return [
        Belonging("record set", f"{each['zone_id']}/{each['id']}", f"{each['type']} {each['name']}", "name")
        for each in described_record_sets(cloud, cluster_id)
        if (owner := owner_in(each.get("description") or "")) and owner.cluster == cluster_id
    ]


def described_record_sets(cloud: Connection, cluster_id: str = "") -> list[dict[str, Any]]:
    """Return the record sets of the project whose description names a cluster, or that one."""
    if not cloud.endpoint_for("dns"):
        return []
    query = {"description": f"*{METADATA}={cluster_id}*", "limit": "max"}
    found: list[dict[str, Any]] = []
    while page := _listed(cloud.dns, "/recordsets", "recordsets", query):
        found += page
        query["marker"] = page[-1]["id"]
    return [each for each in found if each["action"] != "DELETE"]


def reverse_records(cloud: Connection, cluster_id: str) -> list[Belonging]:
    """Return the names floating IPs answer with because of the cluster; none where the cloud has none."""
    response = cloud.dns.get("/reverse/floatingips")
    if response.status_code in (400, 403, 404):
        return []  # not every Designate knows the floating IPs, or lets us
    sdk.raise_from_response(response)
    return [
        Belonging("reverse record", each["id"], f"{each['address']} {each['ptrdname']}", "name")
        for each in response.json()["floatingips"]
        if each.get("ptrdname")
        and (owner := owner_in(each.get("description") or ""))
        and owner.cluster == cluster_id
    ]


def _maker(each: Mapping[str, Any]) -> str:
    owner = owner_of(each.get("tags") or []) or owner_in(each.get("description") or "")
    return owner.kind if owner else ""


def _servers(cloud: Connection, cluster_id: str) -> list[Belonging]:
    return [
        Belonging("server", each["id"], each.get("name") or "", each["metadata"].get("causeway-role", ""))
        for each in _listed(cloud.compute, "/servers/detail", "servers", {})
        if each.get("metadata", {}).get(METADATA) == cluster_id
    ]


def _volumes(cloud: Connection, cluster_id: str) -> list[Belonging]:
    found = [stored.read("volume", each) for each in stored.listed(cloud, "volumes")]
    return [
        Belonging("volume", each.id, each.name)
        for each in found
        if each.cluster == cluster_id and not each.claimed
    ]


def _stacks(cloud: Connection, platform: str, cluster_id: str) -> list[Belonging]:
    live = stack.find(stack.heat_of(cloud), platform)
    if live is None or live.cluster_id != cluster_id:
        return []
    return [Belonging("stack", live.id, live.name)]


def _credentials(cloud: Connection, platform: str, cluster_id: str) -> list[Belonging]:
    name = credential.name_of(platform, cluster_id)
    return [Belonging("application credential", name, name)] if credential.exists(cloud, name) else []


def _listed(service: Any, path: str, key: str, query: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    response = service.get(path, params=dict(query))
    if response.status_code == 404:
        return []  # the cloud knows no such collection: it lacks an extension
    if response.status_code == 403 and key == "recordsets":
        return []  # who may not even read names has written none
    sdk.raise_from_response(response)
    found: list[dict[str, Any]] = response.json()[key]
    return found
