"""Platforms, sites and stacks to test with."""

import json
from ipaddress import IPv4Network
from typing import Any

from hypothesis import strategies as st

from causeway.cloud.octavia_providers import AMPHORA, OVN
from causeway.rooms.platforms import groups, template
from causeway.rooms.platforms.groups import Group
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import make_pki, make_token
from causeway.rooms.platforms.site import Place, Site
from causeway.rooms.platforms.template import Joining, StackTemplate

PKI = make_pki()
UUID = "3c3f4c86-0a1d-4d0a-93a5-3c8fd6a6f2f1"
NEW = Site(
    external_network="ext-id",
    provider=OVN,
    nodes=Place(IPv4Network("10.10.0.0/24")),
    pods=Place(IPv4Network("10.20.0.0/16")),
    services=Place(IPv4Network("172.30.0.0/16")),
)


def pool(role: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name or role, "role": role, "count": 1, "flavor": "f", "image": "i", **more}


def platform(*pools: dict[str, Any], **spec: Any) -> Platform:
    return Platform.model_validate_json(
        json.dumps(
            {
                "apiVersion": "causeway.dev/v1alpha1",
                "kind": "Platform",
                "metadata": {"name": "demo"},
                "spec": {
                    "cloud": "lab",
                    "kubernetes": {"version": "v1.35.4"},
                    "networks": {
                        "external": "ext",
                        "nodes": {"cidr": "10.10.0.0/24"},
                        "pods": {"cidr": "10.20.0.0/16"},
                        "services": {"cidr": "172.30.0.0/16"},
                    },
                    "pools": list(pools) or [pool("master"), pool("infra"), pool("compute", count=2)],
                    **spec,
                },
            }
        )
    )


def stack(
    wanted: Platform,
    site: Site = NEW,
    assigned: tuple[Group, ...] | None = None,
    *,
    joining: Joining | None = None,
) -> StackTemplate:
    chosen = assigned if assigned is not None else groups.assign(wanted)
    return template.render(wanted, site, chosen, cluster_id=UUID, pki=PKI, joining=joining)


JOINING = Joining(make_token(), "demo-master-0")


@st.composite
def platforms(draw: st.DrawFn) -> Platform:
    names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
    storage = st.none() | st.fixed_dictionaries(
        {"size": st.integers(1, 100)}, optional={"type": st.sampled_from(["fast", "slow"])}
    )

    def a_pool(role: str, name: str, count: int) -> dict[str, Any]:
        made = pool(role, name, count=count)
        chosen = draw(storage)
        if chosen:
            made["containerStorage"] = chosen
        if draw(st.booleans()):
            made["zone"] = "az1"
        if draw(st.booleans()):
            made["serverGroupPolicy"] = draw(st.sampled_from(["anti-affinity", "soft-anti-affinity"]))
        return made

    chosen_names = draw(st.lists(names, min_size=2, max_size=5, unique=True))
    first, *others = chosen_names
    pools = [a_pool("master", first, draw(st.sampled_from([1, 3])))]
    pools += [
        a_pool(draw(st.sampled_from(["infra", "compute"])), name, draw(st.integers(0, 4))) for name in others
    ]
    if all(each["count"] == 0 for each in pools[1:]):
        pools[1]["count"] = 1
    spec: dict[str, Any] = {"api": {"exposure": draw(st.sampled_from(["public", "internal"]))}}
    if draw(st.booleans()):
        spec["api"]["allowedCidrs"] = ["192.0.2.0/24"]
    if draw(st.booleans()):
        spec["sshKey"] = "key"
    return platform(*draw(st.permutations(pools)), **spec)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    def place(name: str, cidr: str) -> Place:
        exists = draw(st.booleans())
        return Place(IPv4Network(cidr), f"{name}-net", f"{name}-sub") if exists else Place(IPv4Network(cidr))

    nodes, pods = place("nodes", "10.10.0.0/24"), place("pods", "10.20.0.0/16")
    services = place("services", "172.30.0.0/16")
    router = None if nodes.new and pods.new and services.new else "router-id"
    return Site("ext-id", draw(st.sampled_from([OVN, AMPHORA])), nodes, pods, services, router)
