"""Which Octavia provider the platform gets, and whether it can do what the platform needs."""

from causeway.cloud.octavia_providers import PROVIDERS, known, preferred
from causeway.kit.errors import Finding
from causeway.rooms.platforms import routing
from causeway.rooms.platforms.checks import Check, Remark, blocker, listing, unreadable, warning
from causeway.rooms.platforms.facts import CloudFacts, LoadBalancing
from causeway.rooms.platforms.model import Platform

PROTOCOLS = frozenset({"TCP", "UDP"})  # the API and HTTP are TCP; the cluster's DNS is UDP as well


def choose(platform: Platform, load_balancing: LoadBalancing) -> str | None:
    """Return the provider the platform's load balancers get; None if none is known."""
    if platform.spec.load_balancer_provider:
        return platform.spec.load_balancer_provider
    return preferred(load_balancing.providers)


def provider(platform: Platform, facts: CloudFacts) -> Check:
    """Judge the provider."""
    if isinstance(facts.load_balancing, Finding):
        return unreadable("load balancer provider", facts.load_balancing)
    enabled = facts.load_balancing.providers
    name = choose(platform, facts.load_balancing)
    place = "spec.loadBalancerProvider"
    if name is None or name not in enabled:
        cause = f"Octavia has no provider {name}" if name else "Octavia has no provider we know"
        remedy = f"Use one of: {listing(each for each in enabled if known(each))}."
        remark = blocker(place, cause, remedy if name else f"Have one of {listing(PROVIDERS)} enabled.")
        return Check("load balancer provider", name or "none", (remark,))
    able = known(name)
    if able is None:
        cause = f"what provider {name} can do is not known, nor how it chooses members"
        remark = blocker(place, cause, f"Use one of: {listing(each for each in enabled if known(each))}.")
        return Check("load balancer provider", name, (remark,))
    remarks: list[Remark] = []
    if not able.listener_protocols >= PROTOCOLS:
        missing = listing(PROTOCOLS - able.listener_protocols)
        remarks.append(blocker(place, f"provider {name} does not serve {missing}", "Use another provider."))
    if platform.spec.api.allowed_cidrs and not (able.allowed_cidrs or able.keeps_source):
        cause = f"provider {name} can neither refuse by source nor show the source to the masters"
        remarks.append(blocker("spec.api.allowedCidrs", cause, "Use another provider, or leave it out."))
    if able.own_servers and "ovn" in enabled:
        cause = f"provider {name} starts servers for each load balancer, so each service takes minutes"
        remarks.append(warning(place, cause, "Use ovn, which this cloud has."))
    if routing.nodes(platform) and not able.keeps_source:
        cause = (
            f"with provider {name} the router has every client come from the load balancer: so allow lists, "
            "rate limits, balance: source and X-Forwarded-For take it"
        )
        remedy = (
            "Use ovn, which this cloud has." if "ovn" in enabled else "Do without them, or have ovn enabled."
        )
        remarks.append(warning(place, cause, remedy))
    return Check("load balancer provider", f"{name}: {listing(able.listener_protocols)}", tuple(remarks))
