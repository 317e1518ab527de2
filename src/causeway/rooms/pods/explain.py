"""What became of a pod's network, and why: read from Kubernetes and the cloud, nothing is changed."""

from typing import Any

import msgspec

from causeway.cloud.neutron import Neutron, Port
from causeway.engine.explanation import Explanation
from causeway.kit.errors import Finding
from causeway.kube.client import Client
from causeway.kube.errors import NotFound
from causeway.kube.objects import Pod, PodPort
from causeway.kube.resource import EVENTS, POD_PORTS, PODS
from causeway.rooms.pods.actual import Poller, View
from causeway.rooms.pods.apply import told_of
from causeway.rooms.pods.desired import desired_of
from causeway.rooms.pods.model import Actual, Blocked, Site
from causeway.rooms.pods.plan import plan


async def explain(client: Client, neutron: Neutron, site: Site, *, namespace: str, name: str) -> Explanation:
    """Return the explanation of a pod; raises ``ApiError`` (``NotFound``: no such pod) and ``CloudError``."""
    pod = await client.get(PODS, name, namespace, of=Pod)
    try:
        pod_port = await client.get(POD_PORTS, name, namespace, of=PodPort)
    except NotFound:
        pod_port = None
    view, uid = View(site.cluster), pod.metadata.uid
    await Poller(neutron, view, site.cluster).refresh()
    desired = desired_of(pod)
    told = told_of(pod_port) if pod_port and pod_port.spec.pod_uid == uid else None
    actual = view.actual(uid, desired.node if desired else None, told)
    steps = plan(desired, actual, site)
    ports = [await neutron.get_port(port.id) for port in actual.ports]
    findings = [step.finding for step in steps if isinstance(step, Blocked)]
    findings += _of_pod(pod) + _of_ports(pod, actual, ports)
    findings += _of_events(pod, await _warnings(client, pod))
    return Explanation(
        subject=f"pod {namespace}/{name}",
        desired=msgspec.to_builtins(desired) if desired else None,
        actual={
            "phase": pod.status.phase,
            "address": pod.status.pod_ip or None,
            "ports": [
                {
                    "id": owned.id,
                    "status": port.status,
                    "mac": owned.mac,
                    "addresses": list(owned.addresses),
                    "trunk": owned.attached.trunk_id if owned.attached else None,
                    "vlan": owned.attached.vlan if owned.attached else None,
                }
                for owned, port in zip(actual.ports, ports, strict=True)
            ],
            "told": msgspec.to_builtins(told.spec) if told else None,
        },
        steps=tuple(str(step) for step in steps),
        findings=() if _well(pod) and not steps else tuple(findings),
    )


def _well(pod: Pod) -> bool:
    return any(
        condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions
    )


def _of_pod(pod: Pod) -> list[Finding]:
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            remedy = "Ask for less, add nodes, or correct what the pod says about nodes."
            return [Finding("scheduling", condition.message or condition.reason, remedy)]
    return []


def _of_ports(pod: Pod, actual: Actual, ports: list[Port]) -> list[Finding]:
    attached = {port.id for port in actual.ports if port.attached}
    return [
        Finding(
            f"port {port.id}",
            f"its status in the cloud is {port.status}, though it is attached to the trunk",
            f"Check that the server of node {pod.spec.node_name} and its trunk's parent port are ACTIVE.",
        )
        for port in ports
        if port.id in attached and port.status != "ACTIVE"
    ]


def _of_events(pod: Pod, warnings: list[dict[str, Any]]) -> list[Finding]:
    """Return a finding for what was last reported about the pod by each who reports."""
    last = {str(event.get("reportingController")): event for event in sorted(warnings, key=_when)}
    remedy = f"See the logs of causeway-controller, and of causeway-node on node {pod.spec.node_name}."
    return [
        Finding(f"{reporter or 'event'}: {event.get('reason')}", str(event.get("note", "")), remedy)
        for reporter, event in last.items()
    ]


async def _warnings(client: Client, pod: Pod) -> list[dict[str, Any]]:
    events = await client.list(EVENTS, pod.metadata.namespace)
    return [
        event
        for event in events.items
        if event.get("type") == "Warning" and (event.get("regarding") or {}).get("uid") == pod.metadata.uid
    ]


def _when(event: dict[str, Any]) -> str:
    series = event.get("series") or {}
    moment = series.get("lastObservedTime") or event.get("eventTime") or event.get("deprecatedLastTimestamp")
    return str(moment or "")
