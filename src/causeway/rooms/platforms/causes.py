"""Why a stack failed: from "CREATE_FAILED" to the first cause and what to do about it.

Heat reports one failure once per level it passes through. ``gather`` reads what lies below: the fault of
the server, the status of the load balancer or volume, the console of the node. ``rank`` (pure) throws away
what is only a consequence and puts the first cause first.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keystoneauth1.exceptions as auth
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.kit.errors import Finding
from causeway.rooms.platforms import stack as heat
from causeway.rooms.platforms.stack import LiveStack, StackResource

CONSOLE_LINES = 16


@dataclass(frozen=True)
class Evidence:
    """One thing seen: where (a resource's path or a node), when (Heat's clock; "" unknown), and the words."""

    place: str
    type: str
    text: str
    when: str = ""


@dataclass(frozen=True)
class Pattern:
    """A known failure: how it reads, and what to do; ``{0}`` is what the expression's first group matched."""

    expression: re.Pattern[str]
    remedy: str


def _pattern(expression: str, remedy: str) -> Pattern:
    return Pattern(re.compile(expression, re.IGNORECASE | re.DOTALL), remedy)


PATTERNS = (
    _pattern(
        r"quota (?:has been )?(?:met|exceeded|reached) for (?:resources?:? )?\[?'?([\w ]+)",
        "Raise the project's quota of {0}, or lower the pools' counts; `causeway preflight` shows the need.",
    ),
    _pattern(
        r"quota",
        "Raise the quota named, or lower the pools' counts; `causeway preflight` shows the need.",
    ),
    _pattern(
        r"no valid host|not enough hosts available",
        "No host has room for the flavor: use a smaller one, another zone or server group policy, or ask "
        "the cloud's administrator for capacity.",
    ),
    _pattern(
        r"no more ip addresses available|IpAddressGenerationFailure",
        "The network has no free address: release some, or use a larger range.",
    ),
    _pattern(
        r"flavor'?s? (?:disk|memory) is too small|FlavorDiskSmallerThanMinDisk",
        "Use a larger flavor for this pool; `causeway preflight` says what the image needs.",
    ),
    _pattern(
        r"image .*(?:could not be found|not found|is unacceptable)",
        "Check the pool's image: it must exist, be active and visible to the project.",
    ),
    _pattern(
        r"no available weighted backend|no weighted backends|any available weighted backend",
        "Cinder has no back end with room for the volume: check that its services are up "
        "(`openstack volume service list`), the volume type and free space.",
    ),
    _pattern(
        r"block device mapping is invalid|volume .* (?:error|failed)|status error\b.*volume",
        "See why Cinder could not make or attach the volume: its type, zone and the back end's free space.",
    ),
    _pattern(
        r"provider .* not (?:enabled|supported)|unsupported ?option|not supported by (?:the )?provider",
        "Choose another loadBalancerProvider; `causeway preflight` says what each can do.",
    ),
    _pattern(
        r"timed out|timeout",
        "The service did not answer in time: see whether it works, then run apply again, which goes on.",
    ),
    _pattern(
        r"forbidden|not authorized|policy does(?:n't| not) allow",
        "The user lacks a role for this: ask the cloud's administrator for it.",
    ),
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x20-\x7e]")
_OURS = re.compile(r"causeway(:|\|) ")
_FAILED = "FAILED in step"
_OTHERWISE = "Remove the cause and run apply again: it goes on where it stopped."
_CONSEQUENCES = re.compile(
    r"^(?:Resource (?:CREATE|UPDATE|DELETE) failed: )?(?:resources(?:\.|\[)|ResourceFailure: resources)"
    r"|(?:CREATE|UPDATE|DELETE) aborted|Stack (?:CREATE|UPDATE|DELETE) (?:cancelled|started)"
    r"|^Operation cancelled",
    re.IGNORECASE,
)


def rank(evidence: Iterable[Evidence]) -> list[Finding]:
    """Return the causes, the first first, without consequences unless there is nothing else."""
    seen = [each for each in evidence if each.text.strip()]
    causes = [each for each in seen if not _CONSEQUENCES.search(each.text)] or seen
    causes.sort(key=lambda each: (not each.when, each.when))
    findings: dict[str, Finding] = {}
    for each in causes:
        text = bare(each.text)
        findings.setdefault(f"{each.place} {text}", Finding(each.place, text, remedy_for(text)))
    return list(findings.values())


def remedy_for(text: str) -> str:
    """Return what to do about a failure that reads so."""
    for pattern in PATTERNS:
        match = pattern.expression.search(text)
        if match:
            return pattern.remedy.format(*(group.strip() for group in match.groups()))
    return _OTHERWISE


def gather(cloud: Connection, live: LiveStack) -> list[Evidence]:
    """Return what every layer of the cloud tells about the failed resources of a stack."""
    proxy = heat.heat_of(cloud)
    resources = heat.resources(proxy, live)
    failed_at = {
        (event["physical_resource_id"], event["resource_name"]): event["event_time"]
        for event in reversed(heat.events(proxy, live))
        if event["resource_status"].endswith("FAILED")
    }
    evidence = []
    for each in resources:
        if each.nested or not each.status.endswith("FAILED"):
            continue
        place, when = "/".join(each.path), failed_at.get((each.physical_id, each.path[-1]), "")
        deeper = _below(cloud, each)
        # What the service itself says goes before what Heat understood of it.
        evidence += [Evidence(place, each.type, text, when) for text in deeper or [each.reason]]
    if not evidence and live.reason:
        evidence.append(Evidence(f"stack {live.name}", "OS::Heat::Stack", live.reason))
    return evidence


def console_tail(cloud: Connection, server_id: str, lines: int = CONSOLE_LINES) -> list[str]:
    """Return the last lines of a server's console that our own script wrote, else its last lines at all."""
    try:
        output = str(cloud.compute.get_server_console_output(server_id, length=400)["output"])
    except (sdk.SDKException, auth.ClientException):
        return []
    return told_on(output)[-lines:]


def told_on(console: str) -> list[str]:
    """Return what our own script told on a console, without terminals' control codes, else all there is."""
    text = [_CONTROL.sub("", line).rstrip() for line in console.splitlines()]
    ours = [line[line.index("causeway") :] for line in text if _OURS.search(line)]
    return ours or [line for line in text if line]


def gave_up(told: Sequence[str]) -> bool:
    """Return whether the script that makes a server a node says that it failed."""
    return any(_FAILED in line for line in told) and not any("done after" in line for line in told[-1:])


def final_console(cloud: Connection, server_id: str) -> list[str]:
    """Return the console of a server whose script is just giving up, once it has told why."""
    told: list[str] = []
    for _ in range(10):
        earlier, told = told, console_tail(cloud, server_id)
        if told == earlier:
            break
        time.sleep(0.5)
    return told


def node_findings(cloud: Connection, servers: Mapping[str, str], missing: Sequence[str]) -> list[Finding]:
    """Return why nodes did not appear, by their consoles; ``servers`` are server IDs by node name."""
    findings = []
    for name in missing:
        place = f"node {name}"
        server_id = servers.get(name)
        if server_id is None:
            findings.append(Finding(place, "the stack has no server of this name", "Run apply again."))
            continue
        tail = final_console(cloud, server_id)
        fault = _server(cloud, server_id)
        cause = "did not become ready; " + (
            "its console ends with:\n  " + "\n  ".join(tail) if tail else "its console says nothing"
        )
        findings += [Finding(place, text, remedy_for(text)) for text in fault]
        findings.append(Finding(place, cause, _console_remedy(tail)))
    return findings


def _console_remedy(tail: Sequence[str]) -> str:
    text = "\n".join(tail)
    if "storage" in text and "FAILED" in text:
        return "Its volume was not attached or cannot be used: see `openstack volume list`."
    if "wait for the API" in text or "waiting for the API" in text:
        return (
            "It does not reach the API: check that a master is up and the load balancer of the API is ACTIVE."
        )
    if "FAILED" in text:
        return "See /var/log/causeway-node.log on the server for the whole story."
    if not text:
        return "Check that the image boots and runs cloud-init: `openstack console log show` tells."
    return "It is still at work or stuck: see its console with `openstack console log show`."


def _below(cloud: Connection, resource: StackResource) -> list[str]:
    reader = _READERS.get(resource.type)
    if reader is None or not resource.physical_id:
        return []
    try:
        return reader(cloud, resource.physical_id)
    except sdk.SDKException:
        return []  # what is gone or forbidden says nothing more than Heat did


def _server(cloud: Connection, server_id: str) -> list[str]:
    try:
        server: Any = cloud.compute.get_server(server_id)
    except sdk.SDKException:
        return []
    fault = server.fault or {}
    return [str(fault["message"])] if server.status == "ERROR" and fault.get("message") else []


def _volume(cloud: Connection, volume_id: str) -> list[str]:
    volume: Any = cloud.block_storage.get_volume(volume_id)
    if not str(volume.status).startswith("error"):
        return []
    response = cloud.block_storage.get("/messages", params={"resource_uuid": volume_id}, microversion="3.5")
    messages = response.json().get("messages", []) if response.ok else []
    return [str(each["user_message"]) for each in messages] or [f"the volume's status is {volume.status}"]


def _load_balancer(cloud: Connection, balancer_id: str) -> list[str]:
    balancer: Any = cloud.load_balancer.get_load_balancer(balancer_id)
    status = balancer.provisioning_status
    if status == "ACTIVE":
        return []
    return [f"the load balancer is {status} at provider {balancer.provider}"]


_READERS: Mapping[str, Callable[[Connection, str], list[str]]] = {
    "OS::Nova::Server": _server,
    "OS::Cinder::Volume": _volume,
    "OS::Octavia::LoadBalancer": _load_balancer,
}


def bare(text: str) -> str:
    """Return a message without Heat's wrappers and Python's class names."""
    line = " ".join(text.split())
    line = re.sub(r"^(?:\w+Failed|\w+Error|\w+Exception|\w+): (?=resources\.)", "", line)
    line = re.sub(r"^resources\.[\w.\[\]-]+: ", "", line)
    line = re.sub(
        r"^(?:[A-Z]\w+(?:Client|Error|Exception|Conflict|Failed|Refused)|ResourceInError): ", "", line
    )
    return line.removesuffix(".")
