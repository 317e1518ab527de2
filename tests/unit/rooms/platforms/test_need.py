import json
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rooms.platforms import examples

from causeway.cloud.octavia_providers import OVN
from causeway.rooms.platforms import groups, template
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.need import REGISTRY, TAKES, Flavor, Kind, need, resources, taken
from causeway.rooms.platforms.pki import make_pki
from causeway.rooms.platforms.site import Place, Site

PKI = make_pki()
FLAVORS = {
    name: Flavor(name, name, cores, cores * 1024, 10) for name, cores in (("s", 1), ("m", 2), ("l", 8))
}

pools = st.builds(
    lambda role, count, flavor, size, policy: {
        "role": role,
        "count": count,
        "flavor": flavor,
        "image": "i",
        "containerStorage": {"size": size} if size else None,
        "serverGroupPolicy": policy,
    },
    st.sampled_from(["infra", "compute"]),
    st.integers(0, 20),
    st.sampled_from(sorted(FLAVORS)),
    st.integers(0, 50),
    st.none() | st.just("soft-anti-affinity"),
)
masters = st.builds(
    lambda count, flavor: {"role": "master", "count": count, "flavor": flavor, "image": "i"},
    st.sampled_from([1, 3, 5]),
    st.sampled_from(sorted(FLAVORS)),
)


def platform(*given: dict[str, Any]) -> Platform:
    return Platform.model_validate_json(
        json.dumps(
            {
                "apiVersion": "causeway.dev/v1alpha1",
                "kind": "Platform",
                "metadata": {"name": "p"},
                "spec": {
                    "cloud": "c",
                    "kubernetes": {"version": "v1.35.4"},
                    "networks": {
                        "external": "e",
                        "nodes": {"cidr": "10.0.0.0/16"},
                        "pods": {"cidr": "10.1.0.0/16"},
                        "services": {"cidr": "10.2.0.0/16"},
                    },
                    "pools": [{"name": f"p{index}", **pool} for index, pool in enumerate(given)],
                },
            }
        )
    )


WORKER = {"role": "compute", "count": 1, "flavor": "s", "image": "i"}
platforms = st.builds(
    lambda master, others: platform(master, WORKER, *others), masters, st.lists(pools, max_size=4)
)


@given(platforms)
def test_the_steady_need_is_the_sum_of_the_servers(given: Platform) -> None:
    steady = need(given, FLAVORS).steady
    servers = [pool for pool in given.spec.pools for _ in range(pool.count)]
    assert steady[Kind.INSTANCES] == len(servers)
    assert steady[Kind.CORES] == sum(FLAVORS[pool.flavor].cores for pool in servers)
    assert steady[Kind.RAM] == sum(FLAVORS[pool.flavor].ram for pool in servers)
    sizes = [pool.container_storage.size for pool in servers if pool.container_storage]
    assert (steady[Kind.VOLUMES], steady[Kind.GIGABYTES]) == (len(sizes), sum(sizes))
    assert steady[Kind.PORTS] > steady[Kind.INSTANCES]


@given(platforms)
def test_one_more_node_of_any_role_fits_into_the_surge(given: Platform) -> None:
    wanted = need(given, FLAVORS)
    for index, pool in enumerate(given.spec.pools):
        if pool.role == "master" or pool.count == 0:
            continue
        larger = pool.model_copy(update={"count": pool.count + 1})
        pools = (*given.spec.pools[:index], larger, *given.spec.pools[index + 1 :])
        more = need(
            given.model_copy(update={"spec": given.spec.model_copy(update={"pools": pools})}), FLAVORS
        )
        for kind in Kind:
            assert more.steady[kind] <= wanted.steady[kind] + wanted.surge[kind], kind


@given(platforms)
def test_nothing_is_negative_and_every_kind_is_told(given: Platform) -> None:
    wanted = need(given, FLAVORS)
    for amounts in (wanted.steady, wanted.surge):
        assert set(amounts) == set(Kind)
        assert all(amount >= 0 for amount in amounts.values())


@given(platforms)
def test_what_the_stack_holds_never_exceeds_the_need(given: Platform) -> None:
    """Else a second run would pass where the first was refused."""
    steady = need(given, FLAVORS).steady
    held = taken(resources(given))
    assert all(held[kind] <= steady[kind] for kind in held)


@pytest.mark.parametrize(("storage", "volumes", "size"), [("cinder", 1, 20), ("swift", 0, 0)])
def test_a_registry_takes_a_load_balancer_and_a_volume_if_images_are_on_one(
    storage: str, volumes: int, size: int
) -> None:
    named = {"router": {"suffix": "apps.example.org"}}
    before = need(examples.platform(**named), {}).steady
    after = need(examples.platform(**named, registry={"storage": storage}), {}).steady
    more = {kind: after[kind] - before[kind] for kind in Kind if after[kind] != before[kind]}
    assert more.pop(Kind.VOLUMES, 0) == volumes
    assert more.pop(Kind.GIGABYTES, 0) == size
    assert more == dict(REGISTRY)


def test_who_is_looked_at_takes_a_monitor_for_each_pool_and_one_port_for_all() -> None:
    master = {"role": "master", "count": 1, "flavor": "s", "image": "i"}
    infra = {**WORKER, "role": "infra"}
    none, routed, both = (
        need(platform(*given, WORKER), FLAVORS).steady
        for given in ([master], [master, infra], [{**master, "count": 3}, infra])
    )
    assert [each[Kind.HEALTH_MONITORS] for each in (none, routed, both)] == [0, 2, 3]
    # A server's and a load balancer's are there besides; three masters are two servers more.
    assert routed[Kind.PORTS] - none[Kind.PORTS] == 3
    assert both[Kind.PORTS] - routed[Kind.PORTS] == 2


@given(platforms, st.sampled_from(sorted(FLAVORS)))
def test_more_nodes_never_need_less(given: Platform, flavor: str) -> None:
    before = need(given, FLAVORS)
    raw = [pool.model_dump(by_alias=True) for pool in given.spec.pools]
    for pool in raw:
        del pool["name"]
    after = need(platform(*raw, {**WORKER, "flavor": flavor}), FLAVORS)
    assert all(after.steady[kind] >= before.steady[kind] for kind in Kind)
    assert all(after.surge[kind] >= before.surge[kind] for kind in Kind)


def test_an_unknown_flavor_counts_no_cores() -> None:
    wanted = need(platform({"role": "master", "count": 1, "flavor": "x", "image": "i"}, WORKER), FLAVORS)
    assert wanted.steady[Kind.CORES] == 1


def test_existing_networks_are_not_needed() -> None:
    new = platform({"role": "master", "count": 1, "flavor": "s", "image": "i"}, WORKER)
    existing = {"network": "n", "subnet": "s"}
    raw = new.model_dump(mode="json", by_alias=True)
    raw["spec"]["networks"] |= dict.fromkeys(("nodes", "pods", "services"), existing)
    wanted = need(Platform.model_validate_json(json.dumps(raw)), FLAVORS).steady
    assert (wanted[Kind.NETWORKS], wanted[Kind.SUBNETS], wanted[Kind.ROUTERS]) == (0, 0, 0)


# What the template really makes


def counted(given: Platform) -> tuple[Counter[str], int]:
    """Return the resources of the rendered stack by type, and all rules of its security groups."""
    services = given.spec.networks.services.cidr
    nodes, pods = given.spec.networks.nodes.cidr, given.spec.networks.pods.cidr
    assert nodes and pods and services
    site = Site("x", OVN, Place(nodes), Place(pods), Place(services))
    stack = template.render(
        given, site, groups.assign(given), cluster_id="c", pki=PKI, joining=template.Joining("t", "m")
    )
    body = stack.body["resources"].values()
    found = Counter(each["type"] for each in body if each["type"] != "OS::Heat::ResourceGroup")
    node = yaml.safe_load(stack.files["node.yaml"])["resources"].values()
    for pool in given.spec.pools:
        true = {f"is_{pool.role}", "has_volume" if pool.container_storage else ""}
        for each in node:
            if each.get("condition") in {None, *true}:
                found[each["type"]] += pool.count
    rules = [each["properties"]["rules"] for each in body if each["type"] == "OS::Neutron::SecurityGroup"]
    explicit = sum(len(each) if isinstance(each, list) else 1 for each in rules)
    return found, explicit + 2 * len(rules)  # two come with each group


@given(platforms)
@settings(max_examples=10)  # each renders a whole template
def test_the_need_is_what_the_template_makes(given: Platform) -> None:
    found, rules = counted(given)
    expected = {name: count for name, count in resources(given).items() if count}
    assert {name: count for name, count in found.items() if name in TAKES and count} == expected
    wanted = need(given, FLAVORS).steady[Kind.RULES]
    assert rules <= wanted <= 2 * rules
