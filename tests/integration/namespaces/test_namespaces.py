"""Namespaces get and lose networks of their own on a real Neutron, whenever the controller is killed."""

import asyncio
import json
import re
import time
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from tests.collector import Collector, Seen, collecting
from tests.integration.namespaces.conftest import RANGE

if TYPE_CHECKING:
    from tests.integration.namespaces.conftest import Stage


async def test_networks_come_and_go_although_the_controller_is_killed(
    stage: "Stage", record_property: Any
) -> None:
    with collecting() as collector:
        stage.controller.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        stage.controller.environment["OTEL_BSP_SCHEDULE_DELAY"] = (
            "200"  # it is killed, and sends no more then
        )
        await _networks_come_and_go(stage, record_property)
    _is_traced(collector)
    _is_logged(stage.controller.log)


def _is_traced(collector: Collector) -> None:
    """What was done is told as traces, from the object through the step to the cloud's answer.

    What a killed controller had not sent yet is missing; of the rest every chain has to lead somewhere.
    """
    known = {span.span_id: span for span in collector.spans}

    def above(span: Seen) -> list[str]:
        """Return the names of the spans a span is part of, the outermost last; of a shared one, the first."""
        upper = next((known[each] for each in (span.parent_id, *span.links) if each in known), None)
        return [upper.name, *above(upper)] if upper else []

    written = [span for verb in ("POST", "PUT", "DELETE") for span in collector.named(f"network {verb} ")]
    written = [span for span in written if "http.response.status_code" in span.attributes]  # answered at all
    assert {span.attributes["http.response.status_code"] for span in written} >= {201}
    assert all(span.attributes["openstack.request_id"].startswith("req-") for span in written)
    chains = ["/".join(above(span)) for span in written]
    assert any(re.match("batch [^/]*/step ", chain) for chain in chains), chains
    assert any(re.match("step [^/]*/reconcile namespaces$", chain) for chain in chains), chains
    roots = collector.named("reconcile namespaces")
    assert {span.attributes["causeway.kind"] for span in roots} == {"Namespace"}
    assert {"one", "two", "three", "ranged"} <= {span.attributes["causeway.key"] for span in roots}
    assert {span.service for span in roots} == {"causeway-controller"}
    writes = collector.named("kubernetes PATCH namespaces/status")
    assert any(above(span) == ["reconcile namespaces"] for span in writes)


def _is_logged(text: str) -> None:
    """Every line of a reconciliation names its object, and every call its ids."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    done = [line for line in lines if line["event"] == "step"]
    assert {"one", "two", "three", "ranged"} <= {line["key"] for line in done}
    for line in lines:
        if "room" in line:
            assert line["kind"] and line["key"] and line["global_request_id"].startswith("req-"), line
        if line["event"] == "call refused":
            assert line["request_id"].startswith("req-"), line


async def _networks_come_and_go(stage: "Stage", record_property: Any) -> None:
    # One network too few until the controller is killed: it is in the middle, however fast it is.
    admin, project = stage.tenant.admin.network, stage.tenant.project.id
    there = len(list(admin.networks(project_id=project)))
    admin.update_quota(project, networks=there + 3)
    stage.controller.start()
    started = time.monotonic()
    names = ["one", "two", "three"]
    uids = [await stage.make(name, network="own") for name in names]
    uids.append(await stage.make("ranged", network="own", network_cidr="10.50.7.0/24"))
    await stage.make("plain")
    await stage.until(lambda seen: bool(seen.networks))
    stage.controller.kill()
    assert not (await stage.look()).whole(uids)
    admin.update_quota(project, networks=-1)
    stage.controller.start()
    seen = await stage.until(lambda seen: seen.whole(uids))
    made_in = time.monotonic() - started
    cidrs = {each.owner.uid: each.cidr for each in seen.subnets if each.owner}
    assert cidrs[uids[-1]] == "10.50.7.0/24"
    own = {IPv4Network(cidrs[uid]) for uid in uids[:-1]}
    assert len(own) == 3
    assert all(each.prefixlen == 24 and each.subnet_of(IPv4Network(RANGE)) for each in own)
    assert "10.50.7.0/24" in await stage.told("ranged", "OwnNetwork")
    assert await stage.condition("plain") == ("", "")
    (group,) = [each for each in seen.groups if each.owner and each.owner.uid == uids[-1]]
    let_in = {each.remote_ip_prefix for each in group.security_group_rules if each.direction == "ingress"}
    assert let_in == {"10.50.7.0/24", "10.10.0.0/24", "172.30.0.0/16", None}

    status, said = await stage.explained("ranged")
    assert (status, said["causes"], said["remaining"]) == (0, [], [])
    assert said["actual"]["subnets"] == ["10.50.7.0/24, on the router"]

    started = time.monotonic()
    for name in [*names, "ranged"]:
        await stage.delete(name)
    # As soon as the first is gone, in the middle of the others.
    await stage.until(lambda seen: len(seen.networks) < len(uids))
    stage.controller.kill()
    stage.controller.start()
    await stage.until(lambda seen: seen.whole([]))

    async def all_ran() -> bool:
        return stage.controller.log.count('"controller started"') >= 3

    await stage.come(all_ran)  # the last may not have begun when all is done
    record_property("seconds to make 4 networks, killed once", round(made_in, 1))
    record_property("seconds to remove them, killed once", round(time.monotonic() - started, 1))
    assert stage.controller.stop() == 0


async def test_what_cannot_be_had_is_told_and_heals(stage: "Stage") -> None:
    stage.controller.start()
    names = [f"n{number}" for number in range(5)]
    uids = {name: await stage.make(name, network="own") for name in names}

    async def refused() -> list[str]:
        found = await asyncio.gather(*(stage.condition(name) for name in names))
        return [name for name, (reason, _) in zip(names, found, strict=True) if reason == "NoAddresses"]

    (late,) = await stage.come(refused)
    _, message = await stage.condition(late)
    assert "Insufficient prefix space" in message
    assert "NoAddresses" in await stage.events(late)
    status, said = await stage.explained(late)
    assert status == 1
    assert said["causes"][0]["cause"] == "the controller met NoAddresses"
    assert "Insufficient prefix space" in said["causes"][0]["remedy"]
    assert said["remaining"]
    gone = next(name for name in names if name != late)
    await stage.delete(gone)
    await stage.told(late, "OwnNetwork")
    left = [uids[name] for name in names if name != gone]
    await stage.until(lambda seen: seen.whole(left))

    # A port of a pod is still there: the network stays until it is gone, and nobody holds the namespace.
    seen = await stage.look()
    network = stage.tenant.connection.network
    port = network.create_port(network_id=seen.networks_of()[uids[late]], name="of a pod")
    await stage.delete(late)
    for name in names:
        if name not in (late, gone):
            await stage.delete(name)
    await stage.until(lambda seen: seen.whole([uids[late]]))
    network.delete_port(port)
    await stage.until(lambda seen: seen.whole([]))
    assert stage.controller.stop() == 0
