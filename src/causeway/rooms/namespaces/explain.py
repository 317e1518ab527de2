"""Why the pods of a namespace have their network, or have none: wish, network, policies, quotas, pods.

``gather`` reads, ``explain`` judges and is pure; what remains comes from the room's own plan.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from causeway.cloud.networks import Networks, Subnet, Usage
from causeway.cloud.security_groups import SecurityGroups
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.objects import Namespace, NetworkPolicy, Pod, Service
from causeway.kube.podnetwork import NETWORK_CONDITION
from causeway.kube.policies import selects
from causeway.kube.resource import EVENTS, NAMESPACES, NETWORK_POLICIES, PODS, SERVICES
from causeway.rooms.namespaces.actual import View
from causeway.rooms.namespaces.desired import (
    Course,
    contested,
    course_of,
    inhabited,
    openings_of,
    peers_of,
    wish_of,
)
from causeway.rooms.namespaces.kubernetes import Api
from causeway.rooms.namespaces.model import Actual, Desired, Setting, Wish
from causeway.rooms.namespaces.plan import own_of, plan

_ENDED = frozenset({"Succeeded", "Failed"})
_OF_PODS = ("port", "network", "subnet", "security_group", "security_group_rule")  # what may run out


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from.

    ``desired`` is what the room would keep now, None if nothing; ``refusals`` are sentences about pods that
    could not be made at all; ``usage`` is of the project's quotas, empty where the cloud does not tell.
    """

    namespace: Namespace
    wish: Wish
    course: Course
    setting: Setting
    actual: Actual
    desired: Desired | None = None
    pods: tuple[Pod, ...] = ()
    policies: tuple[NetworkPolicy, ...] = ()
    refusals: tuple[str, ...] = ()
    usage: Mapping[str, Usage] = field(default_factory=dict)
    controller: Finding | None = None  # what is wrong with the controller itself


async def gather(
    kube: Client,
    networks: Networks,
    groups: SecurityGroups,
    setting: Setting,
    *,
    name: str,
    controller: Finding | None,
) -> Facts:
    """Read all facts about one namespace; raises ``NotFound`` when there is no such namespace."""
    namespace = await kube.get(NAMESPACES, name, of=Namespace)
    view = View(networks, groups, setting.cluster, setting.router_id)
    pods, policies, services, events, usage, _ = await asyncio.gather(
        kube.list(PODS, name, of=Pod),
        kube.list(NETWORK_POLICIES, name, of=NetworkPolicy),
        kube.list(SERVICES, name, fields="spec.type=LoadBalancer", of=Service),
        kube.list(EVENTS, name, fields="reason=FailedCreate,type=Warning"),
        networks.usage(),
        view.refresh(),
    )
    wish, actual = wish_of(namespace, setting), view.actual(namespace.metadata.uid)
    lived_in = contested(wish, actual) and inhabited(pods.items, whole=own_of(actual) is not None)
    course = course_of(wish, actual, inhabited=lived_in)
    desired = None
    if course in {Course.OWN, Course.STAY_OWN}:
        openings = openings_of(services.items, {})
        if openings.unknown:
            numbers = await Api(kube).target_ports(name, openings.unknown)
            openings = openings_of(services.items, numbers)
        desired = Desired(
            namespace.metadata.uid,
            name,
            ranges=() if course is Course.STAY_OWN else wish.ranges,
            openings=openings.rules,
            everybody=name in setting.global_namespaces,
            peers=frozenset() if view.has_address_groups else await _peers(kube, view, setting),
        )
    said = {f"{one['regarding']['kind']} {one['regarding']['name']}: {one['note']}" for one in events.items}
    return Facts(
        namespace,
        wish,
        course,
        setting,
        actual,
        desired,
        tuple(pods.items),
        tuple(policies.items),
        tuple(sorted(said)[:5]),
        usage,
        controller,
    )


async def _peers(kube: Client, view: View, setting: Setting) -> frozenset[str]:
    """Return who may reach every namespace, in a cloud that has no address groups."""
    found: list[Pod] = []
    own: list[Subnet] = []
    for name in sorted(setting.global_namespaces):
        found += (await kube.list(PODS, name, of=Pod)).items
        for each in (await kube.list(NAMESPACES, fields=f"metadata.name={name}", of=Namespace)).items:
            own += view.actual(each.metadata.uid).subnets
    return peers_of(found, own)


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    steps: tuple[str, ...] = ()
    if facts.course not in {Course.STAY_SHARED, Course.REFUSE}:
        steps = tuple(str(step) for step in plan(facts.desired, facts.actual, facts.setting))
    return Explanation(
        f"namespace {facts.namespace.metadata.name}",
        {"network": "own" if facts.wish.own else "shared", "course": facts.course.value},
        _actual(facts),
        steps,
        tuple(_causes(facts, unfinished=bool(steps))),
    )


def _causes(facts: Facts, *, unfinished: bool) -> Iterator[Finding]:
    """Yield what is wrong: what is asked for, what the controller met, what runs out, what waits."""
    name = facts.namespace.metadata.name
    place = f"namespace {name}"
    if facts.namespace.status.phase == "Terminating":
        for one in facts.namespace.status.conditions:
            if one.status == "True":  # Kubernetes' own: what keeps it
                remedy = "Look at the objects it names; a finalizer goes when its controller is done."
                yield Finding(place, f"it is being deleted: {one.message or one.reason}", remedy)
    if facts.wish.finding is not None:
        yield facts.wish.finding
    for one in facts.namespace.status.conditions:
        if one.type == NETWORK_CONDITION and one.status == "False" and facts.wish.finding is None:
            yield Finding(place, f"the controller met {one.reason}", one.message)
    if unfinished and facts.controller is not None:
        yield facts.controller
    for kind, usage in facts.usage.items():
        if kind in _OF_PODS and usage.limit >= 0 and usage.used >= usage.limit:
            cause = f"the project's quota is used up: {usage.used} of {usage.limit}"
            remedy = f"openstack quota set --{kind.replace('_', '-')}s …, by the cloud's administrator."
            yield Finding(f"quota {kind}", cause, remedy)
    for sentence in facts.refusals:
        yield Finding(place, sentence, f"kubectl -n {name} get events,resourcequota")
    waiting = _without_address(facts)
    if waiting:
        some = ", ".join(waiting[:5])
        remedy = f"causeway explain pod {name}/{waiting[0]}"
        yield Finding(place, f"{len(waiting)} of its pods have no address yet: {some}", remedy)


def _actual(facts: Facts) -> dict[str, object]:
    actual = facts.actual
    alive = [pod for pod in facts.pods if pod.status.phase not in _ENDED]
    found: dict[str, object] = {
        "network": [f"{one.id} {one.name}, MTU {one.mtu}" for one in actual.networks] or "the shared one",
        "pods": len(alive),
        "pods without an address": _without_address(facts) or "none",
        "policies": {
            policy.metadata.name: [f"{sum(selects(policy, pod.metadata.labels) for pod in alive)} pods"]
            for policy in facts.policies
        }
        or "none: every pod may talk to every pod",
    }
    if actual.networks:
        found["subnets"] = [
            f"{one.cidr}, {'' if one.id in actual.joined else 'not '}on the router" for one in actual.subnets
        ] or "none"
        found["security group"] = [
            f"{one.id}, {len(one.security_group_rules)} rules" for one in actual.groups
        ] or "none"
    if facts.usage:
        found["quotas"] = [f"{kind} {one.used} of {_limit(one)}" for kind, one in facts.usage.items()]
    return found


def _limit(usage: Usage) -> str:
    return str(usage.limit) if usage.limit >= 0 else "unlimited"


def _without_address(facts: Facts) -> list[str]:
    return [
        pod.metadata.name
        for pod in facts.pods
        if pod.spec.node_name
        and not pod.spec.host_network
        and not pod.status.pod_ips
        and pod.status.phase not in _ENDED
    ]
