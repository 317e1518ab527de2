"""Why a Service is served as it is, or is not: facts of both sides, then the causes, likeliest first.

``gather`` reads, ``explain`` judges and is pure. What remains comes from the room's own plan, so that what is
printed is what the controller would do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from causeway.cloud.neutron import Neutron, Port
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_objects import LoadBalancer, StatusTree
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.objects import EndpointSlice, Pod, Service, key_of
from causeway.kube.resource import ENDPOINT_SLICES, PODS, SERVICES
from causeway.rooms.services.actual import actual
from causeway.rooms.services.desired import PLATFORMS_OWN, desired
from causeway.rooms.services.model import CONDITION, Desired, Setting, Wanted
from causeway.rooms.services.plan import hindrances, plan
from causeway.rooms.services.present import Actual
from causeway.rooms.services.snapshot import Snapshot


@dataclass(frozen=True)
class Facts:
    """Everything an explanation is drawn from; ``vip_holders`` are ports that have the ClusterIP."""

    service: Service
    slices: tuple[EndpointSlice, ...]
    pods: tuple[Pod, ...]
    setting: Setting
    actual: Actual
    balancers: tuple[LoadBalancer, ...] = ()
    trees: tuple[StatusTree, ...] = ()
    vip_holders: tuple[Port, ...] = ()
    controller: Finding | None = None  # what is wrong with the controller itself


async def gather(
    kube: Client,
    octavia: Octavia,
    neutron: Neutron,
    *,
    setting: Setting,
    namespace: str,
    name: str,
    controller: Finding | None,
) -> Facts:
    """Read all facts about one Service; raises ``NotFound`` when there is no such Service."""
    service = await kube.get(SERVICES, name, namespace, of=Service)
    label = f"kubernetes.io/service-name={name}"
    slices = await kube.list(ENDPOINT_SLICES, namespace, labels=label, of=EndpointSlice)
    pods: list[Pod] = []
    if service.spec.selector:
        selector = ",".join(f"{key}={value}" for key, value in service.spec.selector.items())
        pods = (await kube.list(PODS, namespace, labels=selector, of=Pod)).items
    snapshot = Snapshot(octavia, neutron, setting.cluster)
    await snapshot.refresh()
    wanted = desired(service, slices.items, setting)
    present = await actual(service, wanted, snapshot, setting.cluster)
    seen = [found for one in present.balancers if (found := snapshot.get(one.id))]
    balancers = [one.balancer for one in seen]
    trees = [one.tree or await octavia.status_tree(one.balancer.id) for one in seen]
    holders: list[Port] = []
    if not balancers and service.spec.cluster_ip not in {"", "None"}:
        holders = await neutron.list_ports(fixed_ips=f"ip_address={service.spec.cluster_ip}")
    return Facts(
        service,
        tuple(slices.items),
        tuple(pods),
        setting,
        present,
        tuple(balancers),
        tuple(trees),
        tuple(holders),
        controller,
    )


def explain(facts: Facts) -> Explanation:
    """Return what is desired, what is there, what remains and why."""
    wanted = desired(facts.service, facts.slices, facts.setting)
    remaining = plan(wanted, facts.actual)
    return Explanation(
        f"service {key_of(facts.service)}",
        _desired(facts.service, wanted),
        _actual(facts),
        tuple(str(step) for step in remaining),
        tuple(causes(facts, wanted, unfinished=bool(remaining))),
    )


def causes(facts: Facts, wanted: Desired, *, unfinished: bool) -> Iterator[Finding]:
    """Yield what is wrong: what the cloud refuses, then what serves nobody, then what was asked in vain."""
    place = f"service {key_of(facts.service)}"
    if wanted.balancers:
        yield from _refusals(place, facts)
        yield from _balancers(place, facts, wanted)
        yield from _endpoints(place, facts, wanted)
    if unfinished and facts.controller is not None:
        yield facts.controller
    for note in (*hindrances(wanted, facts.actual), *wanted.notes):
        yield Finding(place, note.cause, note.remedy)


def _refusals(place: str, facts: Facts) -> Iterator[Finding]:
    for condition in facts.service.status.conditions:
        if condition.type == CONDITION and condition.status == "False":
            yield Finding(place, f"the controller met {condition.reason}", condition.message)
    for port in facts.vip_holders:
        owner = port.device_owner or "somebody"
        yield Finding(
            place,
            f"its address {facts.service.spec.cluster_ip} is held by port {port.id} ({port.name or owner})",
            "If a load balancer is being deleted, wait; else delete the port or choose another clusterIP.",
        )


def _balancers(place: str, facts: Facts, wanted: Desired) -> Iterator[Finding]:
    for one in facts.balancers:
        if one.provisioning_status == "ERROR":
            yield Finding(
                f"load balancer {one.id}",
                "it is in ERROR",
                "It is made again; if it ends in ERROR each time, read the log of the Octavia provider.",
            )
        elif one.pending:
            yield Finding(
                f"load balancer {one.id}",
                f"it is {one.provisioning_status} since {one.updated_at or one.created_at}",
                "Usually seconds; if minutes, look at Octavia's workers or the provider's agent.",
            )
    if len(facts.balancers) > len(wanted.balancers):
        identifiers = ", ".join(one.id for one in facts.balancers)
        yield Finding(place, f"it has more than one load balancer: {identifiers}", "The newer ones go away.")
    for listener in [one for tree in facts.trees for one in tree.listeners]:
        for pool in listener.pools:
            dead = [one for one in pool.members if one.operating_status in {"ERROR", "OFFLINE"}]
            if dead:
                addresses = ", ".join(f"{one.address}:{one.protocol_port}" for one in dead)
                yield Finding(
                    f"pool {pool.name}", f"members do not answer: {addresses}", "Look at these pods."
                )


def _endpoints(place: str, facts: Facts, wanted: Desired) -> Iterator[Finding]:
    empty = [front for front, serving in wanted.balancers[0].fronts.items() if not serving.members]
    if not empty:
        return
    fronts = ", ".join(f"{front.port}/{front.protocol}" for front in empty)
    if not facts.service.spec.selector:
        remedy = "Give the Service a selector, or make an EndpointSlice labelled kubernetes.io/service-name."
        yield Finding(place, f"it has no selector and nobody gives it endpoints ({fronts})", remedy)
        return
    if not facts.pods:
        selector = ", ".join(f"{key}={value}" for key, value in facts.service.spec.selector.items())
        yield Finding(
            place, f"no pod has the labels {selector}", "Compare the selector with the pods' labels."
        )
        return
    waiting = [pod for pod in facts.pods if not _ready(pod)]
    if len(waiting) == len(facts.pods):
        told = "; ".join(f"{pod.metadata.name}: {_why(pod)}" for pod in waiting[:5])
        first = f"{waiting[0].metadata.namespace}/{waiting[0].metadata.name}"
        yield Finding(
            place, f"none of its {len(waiting)} pods is ready ({told})", f"causeway explain pod {first}"
        )
        return
    yield Finding(
        place,
        f"its pods have no such port ({fronts})",
        "Compare targetPort with the names and numbers of the containers' ports.",
    )


def _ready(pod: Pod) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)


def _why(pod: Pod) -> str:
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
        for one in pod.status.conditions:
            if one.type == kind and one.status != "True":
                return one.message or one.reason or f"not {kind}"
    return pod.status.phase or "unknown"


def _desired(service: Service, wanted: Desired) -> dict[str, object]:
    if not wanted.balancers:
        return {"load balancer": f"none: {_no_balancer(service)}"}
    facts: dict[str, object] = {
        "load balancer": [f"{one.name} at {_place(one)} ({one.provider})" for one in wanted.balancers],
        "listeners": {
            _listener(
                f"{front.port}/{front.protocol}", _place(balancer), several=len(wanted.balancers) > 1
            ): sorted(f"{one.address}:{one.port}" for one in serving.members)
            for balancer in wanted.balancers
            for front, serving in balancer.fronts.items()
        },
    }
    floating = wanted.floating
    return facts | {"floating IP": (floating.address or "one") if floating else "none"}


def _place(wanted: Wanted) -> str:
    if wanted.sharing:
        return f"load balancer {wanted.sharing.id or wanted.sharing.name}, shared"
    vip = wanted.vip
    return vip.address or f"any address of {vip.port_id or vip.subnet_id or vip.network_id}"


def _no_balancer(service: Service) -> str:
    spec = service.spec
    if key_of(service) == PLATFORMS_OWN:
        return "its address is the load balancer of the platform's API"
    if service.metadata.deletion_timestamp:
        return "it is being deleted"
    if spec.type == "ExternalName":
        return "it is a name only (ExternalName)"
    return "it is headless" if spec.cluster_ip == "None" else "no port of it can be served"


def _actual(facts: Facts) -> dict[str, object]:
    found: dict[str, object] = {
        "load balancer": [
            f"{one.id} at {one.vip_address}: {one.provisioning_status}, {one.operating_status}"
            for one in facts.balancers
        ]
        or "none"
    }
    if facts.trees:
        found["listeners"] = {
            _listener(
                listener.name.rpartition(":")[2], balancer.vip_address or "", several=len(facts.balancers) > 1
            ): sorted(_member(one) for pool in listener.pools for one in pool.members)
            for balancer, tree in zip(facts.balancers, facts.trees, strict=True)
            for listener in tree.listeners
        }
    addresses: Any = [f"{one.ip} ({one.id})" for one in facts.actual.addresses]
    return found | {"floating IP": addresses or "none", "status": list(facts.actual.ingress) or "no address"}


def _listener(port: str, place: str, *, several: bool) -> str:
    return f"{port} at {place}" if several else port


def _member(one: Any) -> str:
    state = "" if one.operating_status in {"ONLINE", "NO_MONITOR"} else f" {one.operating_status}"
    return f"{one.address}:{one.protocol_port}{state}"
