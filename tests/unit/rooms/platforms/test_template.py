"""The stack of any valid platform is a valid template in which every reference finds what it names."""

import base64
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import yaml
from hypothesis import given, settings
from tests.unit.rooms.platforms import examples, reading

from causeway.cloud.octavia_providers import AMPHORA
from causeway.rooms.platforms import groups, hot, template
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.site import Place, Site

NAMED = {
    *("masters", "infra_nodes", "compute_nodes"),
    *("api_lb", "api_lb_listener", "internal_api_lb_listener", "api_lb_pool", "api_lb_floating_ip"),
    *("router_lb", "router_lb_listener_http", "router_lb_listener_https", "router_lb_floating_ip"),
    *("router_lb_pool_http", "router_lb_pool_https"),
    *("common-secgrp", "master-secgrp", "node-secgrp", "infra-secgrp", "lb-secgrp", "etcd-secgrp"),
    *("net", "subnet", "router", "pod_net", "pod_subnet"),
    *("service_net", "service_subnet", "service_router_port"),
}


def test_resources_have_the_names_people_look_for() -> None:
    made = examples.stack(examples.platform())
    assert set(made.body["resources"]) >= NAMED


@settings(max_examples=25)
@given(examples.platforms(), examples.sites())
def test_any_platform_gives_a_template_that_is_complete(platform: Platform, site: Site) -> None:
    made = examples.stack(platform, site, joining=examples.JOINING)
    body = made.body
    declared = body["parameters"]
    assert set(declared) == set(made.parameters)
    assert reading.unresolved(made.text, made.files) == []
    assert reading.unresolved(made.files["node.yaml"], made.files) == []


@settings(max_examples=20)
@given(examples.platforms(), examples.sites())
def test_user_data_is_valid_and_all_its_placeholders_are_filled(platform: Platform, site: Site) -> None:
    made = examples.stack(platform, site)
    body = made.body
    inner = hot.parse(made.files["node.yaml"])["resources"]["server"]["properties"]["user_data"]
    for group in groups.assign(platform):
        definition = body["resources"][group.name]["properties"]["resource_def"]["properties"]
        text = made.files[definition["user_data"]["str_replace"]["template"]["get_file"]]
        filled = {*definition["user_data"]["str_replace"]["params"], *inner["str_replace"]["params"]}
        assert set(re.findall(r"@[A-Z_]+@", text)) <= filled
        cloud_config = hot.parse(text)
        paths = [each["path"] for each in cloud_config["write_files"]]
        assert len(paths) == len(set(paths))
        for each in cloud_config["write_files"]:
            if each["path"].endswith(".yaml"):
                list(yaml.safe_load_all(each["content"]))


def test_masters_of_a_platform_with_a_zone_are_certified_for_its_name() -> None:
    named = examples.platform(names={"zone": "shop.example.org"})
    for each, more in ((examples.platform(), ""), (named, ', "api.shop.example.org"')):
        text = examples.stack(each).files["master.user-data.yaml"]
        assert f'certSANs: ["@API@", "@PUBLIC_API@"{more}]' in text


def test_only_masters_get_the_keys_of_the_authorities() -> None:
    made = examples.stack(examples.platform())
    for role in ("infra", "compute"):
        text = made.files[f"{role}.user-data.yaml"]
        assert "ca.crt" in text
        assert not re.search(r"@\w+_KEY@", text)
    assert "@CA_KEY@" in made.files["master.user-data.yaml"]


def test_secrets_are_hidden_parameters_and_nowhere_else() -> None:
    made = examples.stack(examples.platform(), joining=examples.JOINING)
    for name in ("pki", "bootstrap_token"):
        assert made.body["parameters"][name]["hidden"] is True
    text = made.text + "".join(made.files.values())
    assert examples.JOINING.token not in text
    for pem in examples.PKI.files().values():
        assert base64.b64encode(pem.encode()).decode() not in text
    shown = repr(made) + repr(examples.JOINING)
    assert examples.JOINING.token not in shown


def test_neutron_and_kubernetes_never_take_the_same_service_address() -> None:
    parameters = examples.stack(examples.platform()).parameters
    kubernetes = IPv4Network(parameters["kubernetes_service_cidr"])
    assert IPv4Address(parameters["api_address"]) == kubernetes.network_address + 1
    for key in ("service_pool_start", "service_pool_end", "service_router_address"):
        address = IPv4Address(parameters[key])
        assert address not in kubernetes
        assert address in IPv4Network(parameters["service_cidr"])
    assert IPv4Address(parameters["service_router_address"]) > IPv4Address(parameters["service_pool_end"])


def test_who_may_reach_the_api_is_decided_where_the_provider_can() -> None:
    platform = examples.platform(api={"allowedCidrs": ["192.0.2.0/24"]})
    by_group = examples.stack(platform)
    assert "allowed_cidrs" not in by_group.body["resources"]["api_lb_listener"]["properties"]
    assert by_group.parameters["api_allowed_cidrs"] == [
        *("10.10.0.0/24", "10.20.0.0/16", "172.30.0.0/16", "192.0.2.0/24")
    ]
    by_listener = examples.stack(platform, replace(examples.NEW, provider=AMPHORA))
    assert "allowed_cidrs" in by_listener.body["resources"]["api_lb_listener"]["properties"]


def test_members_of_the_router_are_looked_at_where_there_is_one() -> None:
    def monitors(count: int, **spec: Any) -> set[str]:
        pools = examples.pool("master"), examples.pool("infra", count=count), examples.pool("compute")
        resources = examples.stack(examples.platform(*pools, **spec)).body["resources"]
        return {name for name in resources if name.startswith("router_lb_monitor")}

    both = {"router_lb_monitor_http", "router_lb_monitor_https"}
    assert [monitors(count) for count in (0, 1, 2)] == [set(), both, both]
    assert monitors(2, router={"enabled": False}) == set()


def test_an_internal_api_has_no_floating_ip() -> None:
    made = examples.stack(examples.platform(api={"exposure": "internal"}))
    assert "api_lb_floating_ip" not in made.body["resources"]


def test_existing_networks_are_used_and_not_made() -> None:
    site = replace(
        examples.NEW, nodes=Place(IPv4Network("10.9.0.0/24"), "net-id", "sub-id"), router="router-id"
    )
    made = examples.stack(examples.platform(), site)
    assert {"net", "subnet", "router", "subnet_interface"}.isdisjoint(made.body["resources"])
    interface = made.body["resources"]["pod_subnet_interface"]["properties"]
    assert interface["router"] == {"get_param": "router"}
    assert made.parameters["node_subnet"] == "sub-id"


DUAL = {
    "external": "ext",
    "nodes": {"cidr": "10.10.0.0/24"},
    "pods": {"cidr": "10.20.0.0/16"},
    "services": {"cidr": "172.30.0.0/16"},
    "ipv6": {"nodes": "fd00:10::/64", "pods": "fd00:20::/64", "services": "fd00:30::/108"},
    "namespaces": {"cidr": "10.40.0.0/16", "ipv6Cidr": "fd00:40::/48"},
}


def test_second_addresses_follow_the_ranges() -> None:
    made = examples.stack(examples.platform(networks=DUAL), joining=examples.JOINING)
    assert set(made.body["parameters"]) == set(made.parameters)
    assert reading.unresolved(made.text, made.files) == []
    found = {path[-1]: each for path, each in hot.evaluate(made.text, made.files, made.parameters).items()}
    subnets = {name: each.properties for name, each in found.items() if each.type == "OS::Neutron::Subnet"}
    second = {name: each for name, each in subnets.items() if each.get("ip_version") == 6}
    # By itself Neutron would make the address all routers of a subnet share the gateway.
    assert {name: (each["cidr"], each["gateway_ip"]) for name, each in second.items()} == {
        "subnet_v6": ("fd00:10::/64", "fd00:10::1"),
        "pod_subnet_v6": ("fd00:20::/64", "fd00:20::1"),
        "service_subnet_v6": ("fd00:30::/108", "fd00:30::f:fffe"),
    }
    assert {name for name, each in second.items() if each.get("ipv6_ra_mode")} == {"subnet_v6"}
    assert made.parameters["kubernetes_service_cidr"] == "172.30.0.0/17,fd00:30::/109"
    pools = {name: each.properties for name, each in found.items() if each.type == "OS::Neutron::SubnetPool"}
    assert {name: (each["prefixes"], each["default_prefixlen"]) for name, each in pools.items()} == {
        "namespace_pool": (["10.40.0.0/16"], 24),
        "namespace_pool_v6": (["fd00:40::/48"], 64),
    }
    assert {"namespace_subnet_pools", "pod_subnet_v6", "service_subnet_v6"} <= set(made.body["outputs"])


def test_kubeadm_does_not_ask_nodes_to_forward_ipv6() -> None:
    check = "FileContent--proc-sys-net-ipv6-conf-default-forwarding"
    for networks, unneeded in ((None, ""), (DUAL, check)):
        platform = examples.platform(networks=networks) if networks else examples.platform()
        made = examples.stack(platform)
        for role in ("master", "infra", "compute"):
            lines = made.files[f"{role}.user-data.yaml"].splitlines()
            told = {line.strip() for line in lines if line.strip().startswith("ignorePreflightErrors")}
            assert told == {f"ignorePreflightErrors: [{unneeded}]"}


def test_every_node_has_a_port_a_trunk_and_its_storage() -> None:
    platform = examples.platform(
        examples.pool("master"), examples.pool("compute", containerStorage={"size": 5}, count=2)
    )
    made = examples.stack(platform)
    resources = hot.evaluate(made.text, made.files, made.parameters)
    parts = {path[2] for path in resources if path[:2] == ("compute_nodes", "1")}
    assert parts == {"port", "trunk", "server", "volume", "volume_attachment"}
    assert ("masters", "0", "volume") not in resources
    assert ("masters", "0", "api_lb_member") in resources


def test_groups_are_read_back_from_the_parameters_heat_returns() -> None:
    platform = examples.platform()
    assigned = [replace(each, removed=frozenset({3, 1})) for each in groups.assign(platform)]
    parameters = examples.stack(platform, assigned=tuple(assigned)).parameters
    as_text = {key: value if isinstance(value, str) else str(value) for key, value in parameters.items()}
    live = template.live_groups(as_text)
    assert {name: group.removed for name, group in live.items()} == dict.fromkeys(
        ["masters", "infra_nodes", "compute_nodes"], frozenset({1, 3})
    )
    assert live["compute_nodes"].count == 2
