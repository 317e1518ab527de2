"""What is wanted, as requests to Octavia. Pure.

Everything that is created carries its owner's tags, listeners and pools too: on a load balancer that others
use as well they tell what is ours.
"""

from typing import Any

from causeway.cloud.octavia_objects import (
    ListenerRequest,
    LoadBalancerRequest,
    MemberRequest,
    MonitorRequest,
    Persistence,
    PoolRequest,
)
from causeway.cloud.ownership import Owner
from causeway.rooms.services.actual import MEMBERS_OF, ROLE, SHARE
from causeway.rooms.services.endpoints import subnet_of
from causeway.rooms.services.model import (
    KIND,
    Front,
    ListenerOptions,
    Monitor,
    PoolOptions,
    Role,
    Serving,
    Setting,
    Subject,
    Wanted,
    listener_name,
)


def owner(setting: Setting, uid: str) -> Owner:
    """Return whom a Service's objects belong to."""
    return Owner(setting.cluster, KIND, uid)


def load_balancer(setting: Setting, subject: Subject, wanted: Wanted) -> LoadBalancerRequest:
    """Return the one request that creates a load balancer with everything in it."""
    tags = owner(setting, subject.uid).tags()
    role = [ROLE + wanted.role] if wanted.role != Role.INSIDE else []
    share = [SHARE + wanted.sharing.name] if wanted.sharing else []
    return LoadBalancerRequest(
        name=wanted.name,
        provider=wanted.provider,
        tags=[*tags, *role, *share],
        vip_address=wanted.vip.address,
        vip_subnet_id=wanted.vip.subnet_id,
        vip_network_id="" if wanted.vip.subnet_id else wanted.vip.network_id,
        vip_port_id=wanted.vip.port_id,
        flavor_id=wanted.flavor,
        availability_zone=wanted.zone,
        listeners=[
            listener(setting, subject, front, serving.listener, serving)
            for front, serving in wanted.fronts.items()
        ],
    )


def sharing_tags(present: list[str], setting: Setting, uid: str, *, joins: bool) -> list[str]:
    """Return the tags of a load balancer that a Service joins or leaves."""
    its = set(owner(setting, uid).tags()) - set(owner(setting, "").tags())
    kept = [tag for tag in present if tag not in its]
    return [*kept, *sorted(its)] if joins else kept


def listener(
    setting: Setting,
    subject: Subject,
    front: Front,
    options: ListenerOptions,
    serving: Serving | None = None,
) -> ListenerRequest:
    """Return the request for a listener, with its pool and members if ``serving`` is given."""
    limits = options.limits
    return ListenerRequest(
        name=listener_name(subject.service, front),
        protocol=options.protocol,
        protocol_port=front.port,
        default_pool=_full_pool(setting, subject, front, serving) if serving else None,
        tags=owner(setting, subject.uid).tags(),
        connection_limit=options.connection_limit,
        timeout_client_data=limits.client_data if limits else None,
        timeout_member_connect=limits.member_connect if limits else None,
        timeout_member_data=limits.member_data if limits else None,
        timeout_tcp_inspect=limits.tcp_inspect if limits else None,
        allowed_cidrs=sorted(options.allowed_cidrs or ()),
        insert_headers=_headers(options),
        default_tls_container_ref=options.tls,
    )


def listener_changes(options: ListenerOptions) -> dict[str, Any]:
    """Return the body that gives a listener these options, as far as they can be changed."""
    changes: dict[str, Any] = {}
    if options.connection_limit is not None:
        changes["connection_limit"] = options.connection_limit
    if options.limits is not None:
        changes |= {
            "timeout_client_data": options.limits.client_data,
            "timeout_member_connect": options.limits.member_connect,
            "timeout_member_data": options.limits.member_data,
            "timeout_tcp_inspect": options.limits.tcp_inspect,
        }
    if options.allowed_cidrs is not None:
        changes["allowed_cidrs"] = sorted(options.allowed_cidrs)
    if options.protocol in {"HTTP", "TERMINATED_HTTPS"}:
        changes["insert_headers"] = _headers(options)
    if options.tls:
        changes["default_tls_container_ref"] = options.tls
    return changes


def pool(setting: Setting, subject: Subject, front: Front, options: PoolOptions) -> PoolRequest:
    """Return the request for a pool without members."""
    members_of = [MEMBERS_OF + options.subnet_id] if options.subnet_id else []
    return PoolRequest(
        name=listener_name(subject.service, front),
        protocol=options.protocol,
        lb_algorithm=options.algorithm,
        session_persistence=_persistence(options),
        tags=[*owner(setting, subject.uid).tags(), *members_of],
    )


def pool_changes(options: PoolOptions) -> dict[str, Any]:
    """Return the body that gives a pool these options, as far as they can be changed."""
    return {"lb_algorithm": options.algorithm, "session_persistence": _persistence(options)}


def members(setting: Setting, serving: Serving) -> list[MemberRequest]:
    """Return the members of a pool."""
    return [
        MemberRequest(
            member.address,
            member.port,
            serving.pool.subnet_id or subnet_of(member.address, setting.places),
        )
        for member in sorted(serving.members)
    ]


def monitor(
    setting: Setting, subject: Subject, front: Front, options: Monitor, pool_id: str = ""
) -> MonitorRequest:
    """Return the request for a health monitor."""
    return MonitorRequest(
        type=options.type,
        delay=options.delay,
        timeout=options.timeout,
        max_retries=options.max_retries,
        max_retries_down=options.max_retries_down,
        pool_id=pool_id,
        name=listener_name(subject.service, front),
        tags=owner(setting, subject.uid).tags(),
    )


def monitor_changes(options: Monitor) -> dict[str, Any]:
    """Return the body that gives a health monitor these times and counts."""
    return {
        "delay": options.delay,
        "timeout": options.timeout,
        "max_retries": options.max_retries,
        "max_retries_down": options.max_retries_down,
    }


def _full_pool(setting: Setting, subject: Subject, front: Front, serving: Serving) -> PoolRequest:
    bare = pool(setting, subject, front, serving.pool)
    watched = monitor(setting, subject, front, serving.monitor) if serving.monitor else None
    return PoolRequest(
        bare.name,
        bare.protocol,
        bare.lb_algorithm,
        bare.session_persistence,
        members(setting, serving),
        tags=bare.tags,
        healthmonitor=watched,
    )


def _headers(options: ListenerOptions) -> dict[str, str]:
    return {"X-Forwarded-For": "true"} if options.forwarded_for else {}


def _persistence(options: PoolOptions) -> Persistence | None:
    return Persistence("SOURCE_IP", options.affinity or None) if options.sticky else None
