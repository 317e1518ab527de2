import asyncio
from typing import Any

from tests.models.security_groups import ModelSecurityGroups
from tests.unit.rooms.policies import worlds

from causeway.cloud.ownership import Owner
from causeway.cloud.security_groups import Rule
from causeway.kit.errors import Finding
from causeway.rooms.policies.actual import View
from causeway.rooms.policies.explain import Facts, explain
from causeway.rooms.policies.index import Index
from causeway.rooms.policies.model import member_of

PEERS = [{"podSelector": {"matchLabels": {"app": "y"}}}]
POLICY = worlds.policy(
    1,
    "a",
    {"podSelector": {"matchLabels": {"app": "x"}}, "ingress": [{"from": PEERS, "ports": [{"port": 80}]}]},
)
SILENT = Finding("causeway-controller", "nobody leads: no replica runs", "look at its log")


def facts(model: ModelSecurityGroups, **changes: Any) -> Facts:
    pods = [
        worlds.pod(1, "a", {"app": "x"}, [], "n1", "run"),
        worlds.pod(2, "a", {"app": "x"}, [], "n1", "host"),
    ]
    index, view = Index((4,)), View(model, "c")
    index.put_policy(POLICY)
    for pod in [*pods, worlds.pod(3, "a", {"app": "y"}, [], "n2", "run")]:
        index.put_pod(pod.metadata.uid, member_of(pod))
    asyncio.run(view.refresh())
    return Facts(POLICY, tuple(pods), index, view, True, **changes)


async def enforce(model: ModelSecurityGroups) -> None:
    index = facts_index()
    (peers,) = index.sets.keys()
    made = await model.create_address_group(
        "peers", Owner("c", "policy-peers", peers), index.sets.addresses(peers) or ()
    )
    (group,) = await model.create_groups([("a/policy-1", Owner("c", "policy", "policy-1"))])
    for known in group.security_group_rules:
        await model.delete_rule(known.id)
    rules = [
        Rule("ingress", family, "tcp", 80, 80, remote_address_group_id=made.id) for family in ("IPv4", "IPv6")
    ]
    await model.create_rules(group.id, rules)


def facts_index() -> Index:
    index = Index((4,))
    index.put_policy(POLICY)
    pod = worlds.pod(3, "a", {"app": "y"}, [], "n2", "run")
    index.put_pod(pod.metadata.uid, member_of(pod))
    return index


def test_what_is_to_be_done_is_told_with_its_cause() -> None:
    warnings = (("Quota", "network: Quota exceeded. Ask for more."),)
    told = explain(facts(ModelSecurityGroups(), warnings=warnings, controller=SILENT))
    peers = "pods app=y in a"
    assert told.subject == "NetworkPolicy a/policy-1"
    assert told.desired["restricts"] == "ingress"
    assert told.desired["for pods"] == ["pod-1"]
    assert told.desired["not for pods (ended, not bound, or on their node's network)"] == ["pod-2"]
    assert f"ingress IPv4 tcp 80 from {peers}" in told.desired["allows"]  # type: ignore[operator]  # a list
    assert told.desired["peers"] == {peers: ["10.20.0.3/32", "fd20::3/128"]}
    assert told.actual["security groups"] == ["none"]
    assert told.remaining == (f"create address group {peers}", "create security group a/policy-1")
    assert [cause.cause for cause in told.causes] == ["the controller met Quota", SILENT.cause]


def test_what_is_in_effect_has_no_cause_though_it_once_had_trouble() -> None:
    model = ModelSecurityGroups()
    asyncio.run(enforce(model))
    told = explain(facts(model, warnings=(("Quota", "once"),)))
    assert told.remaining == ()
    assert told.causes == ()
    assert "with 2 rules" in told.actual["security groups"][0]  # type: ignore[index]  # a list


def test_what_is_not_right_any_more_is_told() -> None:
    model = ModelSecurityGroups()
    asyncio.run(enforce(model))
    (group,), (peers,) = model.groups.values(), model.sets.values()
    asyncio.run(model.delete_rule(group.security_group_rules[0].id))
    asyncio.run(model.create_rules(group.id, [Rule("ingress")]))
    asyncio.run(model.add_addresses(peers.id, ["10.0.0.9/32"]))
    told = explain(facts(model))
    assert len(told.remaining) == 3
    assert told.remaining[0].endswith("add 0 addresses, remove 1")


def test_a_pod_whose_port_is_in_no_group_is_told() -> None:
    model = ModelSecurityGroups()
    asyncio.run(enforce(model))
    (group,) = model.groups.values()
    assert explain(facts(model, ports={"pod-1": [group.id, "other"]})).causes == ()
    (cause,) = explain(facts(model, ports={"pod-1": ["other"], "pod-2": []})).causes
    assert cause.cause == "the port of pod a/pod-1 is not in the policy's security group"


def test_pods_with_ports_that_people_prepared_are_named() -> None:
    model = ModelSecurityGroups()
    asyncio.run(enforce(model))
    (pod, _) = facts(model).pods
    (cause,) = explain(facts(model, unguarded=frozenset({pod.metadata.uid}))).causes
    assert cause.cause == "it does not apply to pod a/pod-1, whose port was prepared by somebody"
