"""Generated clusters: few names and few addresses, so that everything meets everything."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from causeway.kube.objects import Namespace, NetworkPolicy, Node, Pod
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import Front, member_of

FAMILIES = (4, 6)
SERVICES = ("172.30.0.0/17", "fd30::/112")
NODES = {"n1": ("10.10.0.1", "fd10::1"), "n2": ("10.10.0.2", "fd10::2")}
OUTSIDE = ("192.0.2.9", "192.0.2.200", "8.8.8.8", "2001:db8::9", "10.20.0.77")
TRAFFIC = (("TCP", 80), ("TCP", 8080), ("TCP", 443), ("UDP", 80), ("UDP", 53), ("SCTP", 80), ("ICMP", 0))
_CIDRS = (
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.20.0.0/29",
    "10.20.0.2/32",
    "192.0.2.0/24",
    "::/0",
    "fd20::/64",
    "fd20::2/128",
)
_HOLES = (
    "10.20.0.0/30",
    "10.20.0.1/32",
    "10.20.0.5/32",
    "192.0.2.128/25",
    "192.0.2.9/32",
    "fd20::/126",
    "fd20::5/128",
)

labels = st.fixed_dictionaries({}, optional={"app": st.sampled_from("xyz"), "tier": st.sampled_from("pq")})
_expressions = st.builds(
    lambda key, operator, values: {
        "key": key,
        "operator": operator,
        **({"values": sorted(values)} if operator in ("In", "NotIn") else {}),
    },
    st.sampled_from(("app", "tier")),
    st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")),
    st.sets(st.sampled_from("xypq"), min_size=1, max_size=2),
)
selectors = st.one_of(
    st.just({}),
    labels.map(lambda found: {"matchLabels": found}),
    st.lists(_expressions, min_size=1, max_size=2).map(lambda found: {"matchExpressions": found}),
)
_blocks = st.sampled_from(_CIDRS).flatmap(
    lambda cidr: st.lists(
        st.sampled_from([hole for hole in _HOLES if (":" in hole) == (":" in cidr)]), max_size=3, unique=True
    ).map(lambda holes: {"cidr": cidr, **({"except": holes} if holes else {})})
)
_peers = st.one_of(
    selectors.map(lambda found: {"podSelector": found}),
    selectors.map(lambda found: {"namespaceSelector": found}),
    st.tuples(selectors, selectors).map(lambda two: {"podSelector": two[0], "namespaceSelector": two[1]}),
    _blocks.map(lambda found: {"ipBlock": found}),
)
_protocols = st.sampled_from(("TCP", "UDP", "SCTP"))
_ports = st.one_of(
    _protocols.map(lambda protocol: {"protocol": protocol}),
    st.tuples(_protocols, st.sampled_from((80, 443, 8080))).map(
        lambda two: {"protocol": two[0], "port": two[1]}
    ),
    st.tuples(_protocols, st.sampled_from(((1, 65535), (80, 443), (50, 8080), (80, 80)))).map(
        lambda two: {"protocol": two[0], "port": two[1][0], "endPort": two[1][1]}
    ),
    st.tuples(_protocols, st.sampled_from(("web", "dns"))).map(
        lambda two: {"protocol": two[0], "port": two[1]}
    ),
)


def _rules(peers: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.fixed_dictionaries(
        {}, optional={peers: st.lists(_peers, max_size=2), "ports": st.lists(_ports, max_size=2)}
    )
    return st.lists(rule, max_size=2)


_specs = st.fixed_dictionaries(
    {"podSelector": selectors},
    optional={
        "ingress": _rules("from"),
        "egress": _rules("to"),
        "policyTypes": st.sampled_from((["Ingress"], ["Egress"], ["Ingress", "Egress"])),
    },
)


def policy(number: int, namespace: str, spec: dict[str, Any]) -> NetworkPolicy:
    meta = {"name": f"policy-{number}", "namespace": namespace, "uid": f"policy-{number}"}
    return msgspec.convert({"metadata": meta, "spec": spec}, NetworkPolicy)


def pod(number: int, namespace: str, found: dict[str, str], ports: list[Any], node: str, state: str) -> Pod:
    addresses = [{"ip": f"10.20.0.{number}"}, {"ip": f"fd20::{number}"}]
    spec = {"nodeName": node, "hostNetwork": state == "host", "containers": [{"ports": ports}]}
    if state == "host":
        addresses = [{"ip": address} for address in NODES[node]]
    status = {"phase": "Succeeded" if state == "ended" else "Running", "podIPs": addresses}
    meta = {"name": f"pod-{number}", "namespace": namespace, "uid": f"pod-{number}", "labels": found}
    return msgspec.convert({"metadata": meta, "spec": spec, "status": status}, Pod)


_container_ports = st.fixed_dictionaries(
    {},
    optional={"web": st.sampled_from((80, 8080)), "dns": st.sampled_from((53, 80))},
).map(
    lambda found: [
        {"name": name, "containerPort": number, "protocol": "UDP" if name == "dns" else "TCP"}
        for name, number in found.items()
    ]
)
namespaces = st.sampled_from("ab")
policies = st.builds(policy, st.integers(1, 4), namespaces, _specs)
pods = st.builds(
    pod,
    st.integers(1, 6),
    namespaces,
    labels,
    _container_ports,
    st.sampled_from(tuple(NODES)),
    st.sampled_from(("run", "run", "run", "run", "ended", "host")),
)
fronts = st.builds(
    lambda number, port, backends: Front(
        f"172.30.0.{number}", "TCP", port, frozenset((f"10.20.0.{one}", to) for one, to in backends)
    ),
    st.integers(1, 2),
    st.sampled_from((80, 443)),
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from((80, 8080))), max_size=3),
)


@dataclass
class World:
    """What there is, by uid or name."""

    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    policies: dict[str, NetworkPolicy] = field(default_factory=dict)
    services: dict[str, tuple[Front, ...]] = field(default_factory=dict)

    def compiled(self) -> Index:
        index = Index(FAMILIES, SERVICES)
        for name, found in self.namespaces.items():
            index.put_namespace(name, found)
        for policy in self.policies.values():
            index.put_policy(policy)
        for name, addresses in NODES.items():
            index.put_node(name, addresses)
        for uid, pod in self.pods.items():
            index.put_pod(uid, member_of(pod))
        for key, ports in self.services.items():
            index.put_service(key, ports)
        return index


def _unique(items: list[Any]) -> dict[str, Any]:
    return {item.metadata.uid: item for item in items}


worlds = st.builds(
    World,
    st.fixed_dictionaries({"a": labels, "b": labels}),
    st.lists(pods, min_size=2, max_size=6).map(_unique),
    st.lists(policies, min_size=1, max_size=3).map(_unique),
    st.lists(fronts, max_size=2).map(
        lambda found: {f"a/s{number}": (one,) for number, one in enumerate(found)}
    ),
)


def namespace(name: str, found: dict[str, str]) -> Namespace:
    return msgspec.convert({"metadata": {"name": name, "uid": name, "labels": found}}, Namespace)


def node(name: str) -> Node:
    addresses = [{"type": "InternalIP", "address": address} for address in NODES[name]]
    return msgspec.convert(
        {"metadata": {"name": name, "uid": name}, "status": {"addresses": addresses}}, Node
    )
