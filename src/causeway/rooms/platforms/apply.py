"""Carrying out a plan: from what the survey found to a platform whose nodes are ready and whose parts work.

Every step can be repeated, and a run that was interrupted anywhere is taken up by the next: the stack, the
nodes and the objects in the platform are the only record of how far it came.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.kit.errors import Finding, Problem
from causeway.kit.progress import Phase, Progress
from causeway.kube.client import Client
from causeway.rooms.platforms import (
    addons,
    api_name,
    belongings,
    causes,
    cluster,
    credential,
    forwarding,
    image_store,
    nodes,
    plan,
    registering,
    routing,
    stack,
    state,
    template,
)
from causeway.rooms.platforms.addons import Settings, Shares, Volumes
from causeway.rooms.platforms.cluster import Component
from causeway.rooms.platforms.image_store import ImageStore
from causeway.rooms.platforms.pki import make_token
from causeway.rooms.platforms.routing import Routing
from causeway.rooms.platforms.stack import LiveStack, StackResource
from causeway.rooms.platforms.state import State
from causeway.rooms.platforms.survey import Survey, access, api_url, server_ids
from causeway.rooms.platforms.template import Joining
from causeway.rooms.platforms.waiting import settled

_DNS_BALANCER = "kube-system/kube-dns"  # without it no pod resolves a name
_CONSOLE_EVERY = 3.0  # seconds between two looks at a console


@dataclass(frozen=True)
class Applied:
    """What stands after an apply."""

    live: LiveStack
    kept: State


@dataclass(frozen=True)
class _Work:
    """What every step needs; the credentials in it are never shown."""

    cloud: Connection
    surveyed: Survey
    progress: Progress
    image: str


def apply(cloud: Connection, surveyed: Survey, progress: Progress, *, image: str = addons.IMAGE) -> Applied:
    """Carry out the plan of a survey; ``image`` is where the platform finds Causeway's own container image.

    Raises ``Problem`` with the first causes when something fails; what was done stays, and the next apply
    goes on from it.
    """
    work = _Work(cloud, surveyed, progress, image)
    kept = surveyed.kept
    if state.load(kept.directory) is None:
        state.create(kept)  # the keys are on disk before anything is made with them
    if surveyed.live is not None and surveyed.plan.leaving and kept.started:
        asyncio.run(_drain(work, surveyed.live))
    if surveyed.plan.joining and kept.started:
        # Kept before servers are made with it: a run that ends in between must not leave them waiting. Until
        # the cluster has started the token stays, because the first master is who makes it known.
        kept = replace(kept, token=make_token())
        state.save(kept)
    joining = Joining(kept.token, surveyed.bootstrap_master) if surveyed.plan.joining else None
    live, kept = asyncio.run(_carry_out(work, kept, joining))
    state.save(kept)
    return Applied(live, kept)


async def _drain(work: _Work, live: LiveStack) -> None:
    surveyed = work.surveyed
    with work.progress.phase("drain nodes") as phase:
        async with Client(access(surveyed.platform, surveyed.kept, live)) as client:
            await cluster.take_out(client, surveyed.plan.leaving, phase.waiting_for)


async def _carry_out(work: _Work, kept: State, joining: Joining | None) -> tuple[LiveStack, State]:
    """Bring the stack and what is in it to what the file says.

    The platform's API is furnished as soon as its masters are up, while Heat still makes the other nodes.
    """
    begun, masters_up = _begin(work, joining), asyncio.Event()
    tasks = (
        asyncio.create_task(_stack(work, begun, masters_up)),
        asyncio.create_task(_start(work, begun, kept, masters_up)),
    )
    try:
        live, (kept, lacking) = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    lacking = await _name(work, begun, live, kept, lacking)
    await _settle(work, live, kept, components=lacking is None)
    if lacking is not None:  # not before all else is in force
        raise Problem(lacking)
    if work.surveyed.plan.empty and kept.last_apply:
        return live, kept  # the figures of the last one that had something to do are worth more
    return live, replace(kept, last_apply=tuple(work.progress.timings))


def _begin(work: _Work, joining: Joining | None) -> LiveStack:
    """Let Heat begin; return the stack as it is at that moment."""
    surveyed, name, heat = work.surveyed, work.surveyed.platform.name, stack.heat_of(work.cloud)
    if surveyed.live is not None and surveyed.plan.empty and not surveyed.live.failed:
        return surveyed.live
    target = template.render(
        surveyed.platform,
        surveyed.site,
        surveyed.groups,
        cluster_id=surveyed.kept.cluster_id,
        pki=surveyed.kept.pki,
        joining=joining,
    )
    with explained(f"stack {name}"):
        if surveyed.live is None:
            stack.create(heat, name, target, cluster_id=surveyed.kept.cluster_id)
        else:
            stack.update(heat, surveyed.live, target)
        begun = stack.find(heat, name)
    if begun is None:
        raise Problem.of(f"stack {name}", "is gone right after it was made", "Run apply again.")
    return begun


async def _stack(work: _Work, begun: LiveStack, masters_up: asyncio.Event) -> LiveStack:
    """Wait for Heat; tell when every master has its server."""

    surveyed = work.surveyed
    touched = [each for each in surveyed.plan.changes if each.action is not plan.Action.KEEP]
    # Where networks change as well, what is put into the platform has to wait for the new ones.
    early = surveyed.live is None or all(each.node for each in touched)

    def look(resources: Sequence[StackResource]) -> None:
        masters = [each for each in resources if each.path[0] == "masters" and each.type == plan.SERVER]
        if (
            early
            and masters
            and all(each.status.endswith("_COMPLETE") and each.physical_id for each in masters)
        ):
            masters_up.set()

    if not begun.busy:
        masters_up.set()
        return begun
    heat = stack.heat_of(work.cloud)
    with work.progress.phase("stack") as phase, explained(f"stack {begun.name}"):
        live = await settled(heat, begun, phase, seen=look)
        masters_up.set()
        if live.failed:
            phase.waiting_for("the causes")
            raise Problem(*causes.rank(causes.gather(work.cloud, live)))
    return live


async def _start(
    work: _Work, begun: LiveStack, kept: State, masters_up: asyncio.Event
) -> tuple[State, Finding | None]:
    """Wait for the API, let nodes join, put the controllers in; return what to keep and what is lacking."""
    surveyed, heat = work.surveyed, stack.heat_of(work.cloud)
    await masters_up.wait()
    with explained(f"stack {begun.name}"):
        live = stack.find(heat, begun.id) or begun
        servers = server_ids(stack.resources(heat, live), surveyed)
    async with Client(access(surveyed.platform, kept, live)) as client:
        with work.progress.phase("Kubernetes API") as phase:
            await _api(work, live, client, servers, phase)
        if not kept.started:
            # From its first answer on, no master may ever start the cluster again.
            kept = replace(kept, started=True)
            state.save(kept)
        with work.progress.phase("settings and controllers") as phase:
            if surveyed.roles.keys() - await nodes.states(client):
                await nodes.offer_token(client, kept.token)
            lacking = await _furnish(work, live, client, phase)
    return kept, lacking


async def _name(
    work: _Work, begun: LiveStack, live: LiveStack, kept: State, lacking: Finding | None
) -> Finding | None:
    """Tell the platform what its router's name leads to: Heat makes the router's load balancer last."""
    if work.surveyed.platform.spec.names is None or addons.addresses(begun.outputs) == addons.addresses(
        live.outputs
    ):
        return lacking
    async with Client(access(work.surveyed.platform, kept, live)) as client:
        with work.progress.phase("names") as phase:
            return await _furnish(work, live, client, phase)


async def _settle(work: _Work, live: LiveStack, kept: State, *, components: bool) -> None:
    """Wait until the nodes are ready and, if asked for, the components work."""
    surveyed = work.surveyed
    async with Client(access(surveyed.platform, kept, live)) as client:
        with work.progress.phase("nodes") as phase:
            await nodes.forget(client, surveyed.plan.leaving)
            missing = await cluster.await_nodes(client, surveyed.roles, phase.waiting_for)
            if missing:
                with explained(f"stack {live.name}"):
                    servers = server_ids(stack.resources(stack.heat_of(work.cloud), live), surveyed)
                raise Problem(*causes.node_findings(work.cloud, servers, missing))
        if not components:
            return
        with work.progress.phase("components") as phase:
            outside = partial(_balancers, work.cloud, live.cluster_id)
            lame = await cluster.await_components(client, phase.waiting_for, outside)
            if lame:
                raise Problem(*(_lame(each) for each in lame))


async def _api(
    work: _Work, live: LiveStack, client: Client, servers: Mapping[str, str], phase: Phase
) -> None:
    """Wait for the API, showing what the console of the first master says meanwhile."""
    masters = [name for name, role in work.surveyed.roles.items() if role == "master"]
    first = work.surveyed.bootstrap_master or masters[0]
    looked_at = 0.0

    def look() -> None:
        nonlocal looked_at
        if first in servers and time.monotonic() - looked_at >= _CONSOLE_EVERY:
            told = causes.console_tail(work.cloud, servers[first])
            if first == work.surveyed.bootstrap_master and causes.gave_up(told):
                raise Problem(*causes.node_findings(work.cloud, servers, [first]))
            phase.waiting_for(f"{first}: {told[-1] if told else 'boots'}")
            looked_at = time.monotonic()

    if await cluster.await_api(client, look):
        return
    finding = Finding(
        "Kubernetes API",
        f"does not answer at {api_url(live)} after {cluster.API_SECONDS:.0f} s",
        "Check that the address can be reached from here; how far the masters came:",
    )
    raise Problem(finding, *causes.node_findings(work.cloud, servers, masters))


async def _furnish(work: _Work, live: LiveStack, client: Client, phase: Phase) -> Finding | None:
    """Put settings, credentials and controllers into the platform; return why routers stay as they are."""
    surveyed = work.surveyed
    namespaces = surveyed.platform.spec.networks.namespaces
    name = credential.name_of(surveyed.platform.name, surveyed.kept.cluster_id)
    phase.waiting_for("the application credential")
    names, registry_host = surveyed.platform.spec.names, registering.host_of(surveyed.platform)
    present = await cluster.secret_files(client, addons.CLOUD_SECRET)
    files = credential.ensure(work.cloud, name, present, names=names is not None)
    router = await _routing(work, client)
    lacking = router.lacking if router is not None else None
    settings = Settings(
        config=addons.config_of(
            cluster_id=surveyed.kept.cluster_id,
            platform=surveyed.platform.name,
            external_network=surveyed.site.external_network,
            provider=surveyed.site.provider.name,
            service_cidr=str(live.parameters["kubernetes_service_cidr"]).partition(",")[0],
            namespace_networks=namespaces.default if namespaces else "shared",
            ready_ports={pool.name: pool.ready_ports.model_dump() for pool in surveyed.platform.spec.pools},
            classes={
                name: one.model_dump(by_alias=True, exclude_none=True)
                for name, one in surveyed.platform.spec.load_balancer_classes.items()
            },
            outputs=live.outputs,
            names=names,
            suffix=router.suffix if router is not None else "",
            registry_host=registry_host if surveyed.platform.spec.registry else "",
        ),
        cloud_files=files,
        masters=surveyed.platform.masters.count,
        image=work.image,
        router=router,
        volumes=await _volumes(work, client, name),
        shares=await _shares(work, client, name),
        registry=registering.registering(
            surveyed.platform,
            surveyed.site.services.cidr,
            surveyed.kept.pki,
            await cluster.secret_files(client, registering.NAME),
            store=_image_store(work),
        ),
        registry_host=registry_host,
    )
    objects = addons.manifests(settings)
    phase.waiting_for(f"{len(objects)} objects")
    await addons.install(client, objects, routers_stay=lacking is not None)
    if not _images_in_swift(work):  # not before the registry has gone over to another place
        for left in image_store.withdraw(work.cloud, surveyed.kept.cluster_id):
            work.progress.note(str(left))
    await forwarding.forward(client, names)
    await api_name.certify(client, names)
    return lacking


async def _routing(work: _Work, client: Client) -> Routing | None:
    surveyed, asked = work.surveyed, work.surveyed.platform.spec.router.client_tls
    return routing.routing(
        surveyed.platform,
        surveyed.kept.pki,
        (await cluster.secret_files(client, routing.SECRET)).get(routing.FILE, ""),
        clients=await cluster.config_files(client, asked.client_ca.name) if asked else {},
    )


async def _volumes(work: _Work, client: Client, name: str) -> Volumes | None:
    surveyed = work.surveyed
    if not surveyed.platform.spec.volumes.install:
        return None
    present = await cluster.secret_files(client, addons.VOLUMES_SECRET)
    return Volumes(
        cluster_id=surveyed.kept.cluster_id,
        zones="apart" if surveyed.site.zones_apart else "same",
        chosen=surveyed.platform.spec.volumes,
        cloud_files=credential.ensure_for_volumes(work.cloud, name, present),
    )


async def _shares(work: _Work, client: Client, name: str) -> Shares | None:
    surveyed = work.surveyed
    chosen = surveyed.platform.spec.shares
    if chosen is None:
        return None
    present = await cluster.secret_files(client, addons.SHARES_SECRET)
    return Shares(
        cluster_id=surveyed.kept.cluster_id,
        chosen=chosen,
        sidecars=surveyed.platform.spec.volumes.sidecars,
        cloud_files=credential.ensure_for_shares(work.cloud, name, present),
    )


def _image_store(work: _Work) -> ImageStore | None:
    return image_store.ensure(work.cloud, work.surveyed.kept.cluster_id) if _images_in_swift(work) else None


def _images_in_swift(work: _Work) -> bool:
    chosen = work.surveyed.platform.spec.registry
    return chosen is not None and chosen.storage == "swift"


def _balancers(cloud: Connection, cluster_id: str) -> list[Component]:
    """Return the load balancers as components; the one of the cluster's DNS has to be among them."""
    with explained("load balancers"):
        found = {each.name: each.works for each in belongings.balancers(cloud, cluster_id)}
    return [
        Component(f"load balancer {name}", int(works), 1)
        for name, works in {_DNS_BALANCER: False, **found}.items()
    ]


def _lame(component: Component) -> Finding:
    cause = f"{component.ready} of {component.wanted} are ready" if component.wanted else "is not there"
    remedy = "See its pods and their logs: kubectl -n kube-system get pods; `causeway status` shows the rest."
    return Finding(component.name, cause, remedy)
