"""What an apply starts from: the file, the cloud, the living stack and the kept keys, and the plan they give.

Reads only. ``causeway plan`` prints what comes out, ``causeway apply`` carries it out.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openstack.connection import Connection
from openstack.proxy import Proxy

from causeway.cloud.connection import explained
from causeway.kit.errors import Finding, Problem
from causeway.kit.progress import Progress
from causeway.kube.access import Access, from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.errors import ApiError
from causeway.rooms.platforms import causes, cluster, groups, hot, plan, registering, stack, state, template
from causeway.rooms.platforms.checks import Severity
from causeway.rooms.platforms.gather import gather
from causeway.rooms.platforms.groups import Group, LiveGroup
from causeway.rooms.platforms.model import Platform, Role
from causeway.rooms.platforms.pki import admin_kubeconfig
from causeway.rooms.platforms.plan import Plan, Status
from causeway.rooms.platforms.preflight import preflight
from causeway.rooms.platforms.site import Site, locate
from causeway.rooms.platforms.stack import LiveStack, StackResource
from causeway.rooms.platforms.state import State
from causeway.rooms.platforms.template import Joining
from causeway.rooms.platforms.waiting import settled

_REASON_LENGTH = 160
_PARTS = ("OS::Nova::Server", "OS::Neutron::Port")


@dataclass(frozen=True)
class Survey:
    """Everything known before anything is done; ``kept`` is what is on disk, or new and not yet written."""

    platform: Platform
    site: Site
    live: LiveStack | None
    kept: State
    groups: tuple[Group, ...]
    plan: Plan

    @property
    def roles(self) -> dict[str, Role]:
        """Return the role of every node the platform should have."""
        return {node: group.role for group in self.groups for node in group.nodes(self.platform.name)}

    @property
    def bootstrap_master(self) -> str:
        """Return the master that starts the cluster: the first of its group, and none once it was started."""
        if self.kept.started:
            return ""
        return next(group for group in self.groups if group.role == "master").nodes(self.platform.name)[0]


def survey(
    cloud: Connection,
    platform: Platform,
    file: Path,
    progress: Progress,
    *,
    remove: Sequence[str] = (),
) -> Survey:
    """Return what there is and what would be done; ``remove`` names nodes to remove first.

    Raises ``Problem`` for all that would make an apply fail, before anything is done.
    """
    heat = stack.heat_of(cloud)
    with explained(f"stack {platform.name}"):
        live = stack.owned(heat, platform.name)
        if live is not None and live.busy:
            with progress.phase("what Heat is at work on") as phase:
                live = asyncio.run(settled(heat, live, phase))
    with progress.phase("preflight"), explained(f"stack {platform.name}"):
        facts = gather(cloud, platform)
        report = preflight(platform, facts)
        if report.blocked:
            raise Problem(*(each.finding for each in report.remarks(Severity.BLOCKER)))
        kept = _kept(platform, file, live)
        site = locate(platform, facts)
    with progress.phase("plan"), explained(f"stack {platform.name}"):
        living = template.live_groups(live.parameters) if live else {}
        wanted = _with_removals(platform, kept, live, living, remove)
        made = _plan(heat, platform, site=site, kept=kept, live=live, wanted=wanted, living=living)
        if live is not None and kept.started:
            made = replace(made, notices=_notices(platform, kept, live))
    return Survey(platform, site, live, kept, wanted, made)


def kept_of(platform: Platform, file: Path, live: LiveStack) -> State:
    """Return the kept facts of a platform whose stack lives; raises ``Problem`` if they are not those."""
    directory = state.directory_of(file, platform.name)
    kept = state.load(directory)
    if kept is None:
        raise Problem.of(
            f"stack {platform.name}",
            f"the platform exists, but its keys are not in {directory}",
            "Use the file the platform was deployed by, or bring that directory from beside it. Only where "
            "it is lost for good: `causeway destroy`, which takes the platform away, and apply again.",
        )
    if kept.cluster_id != live.cluster_id:
        raise Problem.of(
            f"stack {platform.name}",
            f"it belongs to platform {live.cluster_id}, the keys in {directory} to {kept.cluster_id}",
            "Use the platform file that the stack was made with, or give the platform another name.",
        )
    return kept


def access(platform: Platform, kept: State, live: LiveStack) -> Access:
    """Return how an administrator reaches the platform's API."""
    return from_kubeconfig(admin_kubeconfig(kept.pki, platform=platform.name, server=api_url(live)))


def api_url(live: LiveStack) -> str:
    """Return the URL of the API: by its floating IP where it has one."""
    address = live.outputs.get("public_api_address") or live.outputs.get("api_address")
    if not address:
        raise Problem.of(
            f"stack {live.name}",
            f"has no API address yet (it is {live.status})",
            "Run `causeway apply` to complete it.",
        )
    return f"https://{address}:6443"


def server_ids(resources: Iterable[StackResource], survey: Survey) -> dict[str, str]:
    """Return the servers' IDs by the names of their nodes."""
    pools = {group.name: group.pool.name for group in survey.groups}
    return {
        groups.node_name(survey.platform.name, pools[each.path[0]], int(each.path[1])): each.physical_id
        for each in resources
        if each.type == plan.SERVER and len(each.path) == 3 and each.path[0] in pools
    }


def _kept(platform: Platform, file: Path, live: LiveStack | None) -> State:
    directory = state.directory_of(file, platform.name)
    if live is not None:
        return kept_of(platform, file, live)
    return state.load(directory) or state.fresh(directory)


def _with_removals(
    platform: Platform,
    kept: State,
    live: LiveStack | None,
    living: Mapping[str, LiveGroup],
    remove: Sequence[str],
) -> tuple[Group, ...]:
    assigned = groups.assign(platform, living)
    groups.check_removals(platform, assigned, living, remove)
    shrinks = any(
        len(living[group.name].indexes()) > group.pool.count for group in assigned if group.name in living
    )
    cordoned = _cordoned(access(platform, kept, live)) if live and shrinks and kept.started else []
    return tuple(
        replace(
            group,
            removed=group.removed
            | set(
                groups.choose_removals(
                    platform.name, group, living.get(group.name), named=remove, cordoned=cordoned
                )
            ),
        )
        for group in assigned
    )


def _cordoned(api: Access) -> list[str]:
    async def read() -> list[str]:
        async with Client(api) as client:
            return await cluster.cordoned(client)

    try:
        return asyncio.run(read())
    except ApiError:
        return []  # a preference only: without the API the newest nodes go


def _notices(platform: Platform, kept: State, live: LiveStack) -> tuple[Finding, ...]:
    async def read() -> str:
        async with Client(access(platform, kept, live)) as client:
            return await cluster.registry_config(client)

    try:
        found = registering.left_behind(platform, kept.cluster_id, asyncio.run(read()))
    except Problem:
        return ()  # apply waits for the API, and says so
    return (found,) if found else ()


def _plan(
    heat: Proxy,
    platform: Platform,
    *,
    site: Site,
    kept: State,
    live: LiveStack | None,
    wanted: Sequence[Group],
    living: Mapping[str, LiveGroup],
) -> Plan:
    target = template.render(
        platform, site, wanted, cluster_id=kept.cluster_id, pki=kept.pki, joining=Joining(kept.token)
    )
    after = hot.evaluate(target.text, target.files, target.parameters)
    if live is None:
        stack.validate(heat, platform.name, target)
        return plan.make(plan.diff({}, after, updatable={}), platform.name, wanted, living)
    text, files = stack.source(heat, live)
    before = hot.evaluate(text, files, live.parameters)
    status = {
        each.path: Status(
            exists=bool(each.physical_id) and each.status != "DELETE_COMPLETE",
            failure=_short(each.reason) if each.status.endswith("FAILED") else "",
            type=each.type,
        )
        for each in stack.resources(heat, live)
        if not each.nested
    }
    types = {each.type for each in after.values()} if before != after else set()
    changes = plan.diff(before, after, updatable=stack.updatable(heat, types), status=status)
    made = plan.make(changes, platform.name, wanted, living)
    _refuse_lost_nodes(made)
    return made


def _short(reason: str) -> str:
    text = causes.bare(reason) or "for no reason told"
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 3] + "..."


def _refuse_lost_nodes(made: Plan) -> None:
    lost = [
        change
        for change in made.of(plan.Action.REPLACE)
        if change.node and change.type in _PARTS and not change.reason.startswith(plan.FAILED_BEFORE)
    ]
    if lost:
        remedy = "Add a pool with the new settings, then take the nodes of the old one away by its count."
        raise Problem(
            *(
                Finding(
                    f"node {change.node}",
                    f"would be replaced and lose all that is on it ({change.reason})",
                    remedy,
                )
                for change in lost
            )
        )
