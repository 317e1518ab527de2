"""Checks of the quotas: what the platform needs against what the project has left.

What an existing stack of this platform holds counts as satisfied, so that a second run needs only the
difference. A project without room for the platform is a blocker, one without room for a rolling replacement a
warning.
"""

from collections.abc import Iterable, Mapping

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, blocker, unreadable, warning
from causeway.rooms.platforms.facts import CloudFacts, Quotas, Stack
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.need import Amounts, Flavor, Kind, Need, need

OF_COMPUTE = (Kind.INSTANCES, Kind.CORES, Kind.RAM, Kind.SERVER_GROUPS, Kind.SERVER_GROUP_MEMBERS)
OF_NETWORK = (
    Kind.PORTS,
    Kind.NETWORKS,
    Kind.SUBNETS,
    Kind.ROUTERS,
    Kind.SECURITY_GROUPS,
    Kind.RULES,
    Kind.FLOATING_IPS,
)
OF_VOLUMES = (Kind.VOLUMES, Kind.GIGABYTES)
OF_LOAD_BALANCING = (
    Kind.LOAD_BALANCERS,
    Kind.LISTENERS,
    Kind.POOLS,
    Kind.MEMBERS,
    Kind.HEALTH_MONITORS,
)


def quotas(platform: Platform, facts: CloudFacts) -> tuple[Check, ...]:
    """Judge every quota, one check per service."""
    flavors = () if isinstance(facts.compute, Finding) else facts.compute.flavors
    by_name: Mapping[str, Flavor] = {key: each for each in flavors for key in (each.id, each.name)}
    wanted = need(platform, by_name)
    held = facts.stack.holds if isinstance(facts.stack, Stack) else {}
    return (
        _check("compute", OF_COMPUTE, facts.compute, wanted, held),
        _check("network", OF_NETWORK, facts.network, wanted, held),
        _check("volume", OF_VOLUMES, facts.volumes, wanted, held),
        _check("load balancer", OF_LOAD_BALANCING, facts.load_balancing, wanted, held),
    )


def _check(service: str, kinds: Iterable[Kind], part: object, wanted: Need, held: Amounts) -> Check:
    name = f"{service} quota"
    if isinstance(part, Finding):
        return unreadable(name, part)
    limits: Quotas = part.quotas  # type: ignore[attr-defined]  # every part has them
    remarks = [
        remark
        for kind in kinds
        for remark in judge(kind, limits, wanted.steady[kind], wanted.surge[kind], held.get(kind, 0))
    ]
    needs = [
        f"{_words(kind)} {wanted.steady[kind]}" + (f" (+{wanted.surge[kind]})" if wanted.surge[kind] else "")
        for kind in kinds
        if wanted.steady[kind]
    ]
    return Check(name, f"takes (+ while nodes are replaced) {', '.join(needs)}", tuple(remarks))


def _words(kind: Kind) -> str:
    return {Kind.RAM: "MiB of RAM", Kind.GIGABYTES: "GiB"}.get(kind) or kind.replace("_", " ")


def judge(kind: Kind, limits: Quotas, steady: int, surge: int, held: int) -> list[Remark]:
    """Return what is wrong with one quota: at most one remark."""
    place = f"quota {kind}"
    if steady + surge == 0:
        return []
    if kind not in limits:
        remedy = f"Make sure that {steady + surge} more are allowed, or ask with an account that may see it."
        return [warning(place, "the cloud does not tell it to this account", remedy)]
    limit, used = limits[kind].limit, limits[kind].used
    if limit < 0:
        return []
    if used is None:
        used = held
    left = max(0, limit - used)
    missing = max(0, steady - held)
    counted = f"limit {limit}, used {used}, left {left}"
    if missing > left:
        cause = f"the platform needs {missing} more, but {left} are left ({counted})"
        return [
            blocker(
                place, cause, f"Free {missing - left}, or have the limit raised to {used + missing + surge}."
            )
        ]
    if missing + surge > left:
        cause = (
            f"a rolling replacement needs {missing + surge} more at its height, {left} are left ({counted})"
        )
        return [
            warning(
                place, cause, f"Have the limit raised to {used + missing + surge} before replacing nodes."
            )
        ]
    return []
