"""Every call the long-running parts make to the cloud, as rules an application credential can be bound to.

These are the lists of what Causeway may do in a project. ``RULES`` is the platform's controller's: ``apply``
hands it to Keystone, and whoever steals that credential can do this and nothing else, no servers, no images,
no volumes. ``VOLUME_RULES`` is the volume driver's and ``SHARE_RULES`` that of the driver of shares: each has
a credential of its own. A door that learns a new call has to be added here; a test calls every method of
every door and compares.

Keystone's rules know ``*`` for one part of a path. The services check them where their administrators have
told them their own type (``service_type`` in ``[keystone_authtoken]``).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

NETWORK, BALANCING, COMPUTE, DNS, VOLUMES = "network", "load-balancer", "compute", "dns", "block-storage"
SHARES = "shared-file-system"

# Collections of which objects are made, read, changed and deleted; PUT below one is for tags, subports,
# interfaces and addresses.
_MANAGED: Mapping[str, tuple[str, ...]] = {
    NETWORK: (
        "/v2.0/address-groups",
        "/v2.0/floatingips",
        "/v2.0/networks",
        "/v2.0/ports",
        "/v2.0/routers",
        "/v2.0/security-group-rules",
        "/v2.0/security-groups",
        "/v2.0/subnets",
        "/v2.0/trunks",
    ),
    BALANCING: (
        "/v2/lbaas/healthmonitors",
        "/v2/lbaas/l7policies",
        "/v2/lbaas/listeners",
        "/v2/lbaas/loadbalancers",
        "/v2/lbaas/pools",
    ),
}
_BY_METHOD: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("GET", "POST")),
    ("/*", ("GET", "PUT", "DELETE")),
    ("/*/*", ("PUT",)),
)
_FURTHER: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (NETWORK, "/v2.0/extensions", ("GET",)),
    (NETWORK, "/v2.0/extensions/*", ("GET",)),
    (NETWORK, "/v2.0/quotas/*", ("GET",)),
    (NETWORK, "/v2.0/quotas/*/details.json", ("GET",)),
    (NETWORK, "/v2.0/subnetpools/*", ("GET",)),
    (BALANCING, "/v2/lbaas/availabilityzones", ("GET",)),
    (BALANCING, "/v2/lbaas/flavors", ("GET",)),
    (BALANCING, "/v2/lbaas/flavors/*", ("GET",)),
    (BALANCING, "/v2/lbaas/l7policies/*/rules", ("GET", "POST")),
    (BALANCING, "/v2/lbaas/l7policies/*/rules/*", ("GET", "PUT", "DELETE")),
    (BALANCING, "/v2/lbaas/loadbalancers/*/status", ("GET",)),
    (BALANCING, "/v2/lbaas/pools/*/members", ("GET", "POST")),
    (BALANCING, "/v2/lbaas/pools/*/members/*", ("GET", "PUT", "DELETE")),
    (BALANCING, "/v2/lbaas/providers", ("GET",)),
    (BALANCING, "/v2/lbaas/quotas/*", ("GET",)),
    (COMPUTE, "/v2.1/servers/detail", ("GET",)),
)
_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/v2/reverse/floatingips", ("GET",)),
    ("/v2/reverse/floatingips/*", ("PATCH",)),
    ("/v2/zones", ("GET",)),
    ("/v2/zones/*/recordsets", ("GET", "POST")),
    ("/v2/zones/*/recordsets/*", ("PUT", "DELETE")),
)
PROBES: Mapping[str, str] = {
    NETWORK: "/v2.0/networks",
    BALANCING: "/v2/lbaas/loadbalancers",
    COMPUTE: "/v2.1/servers/detail",
    DNS: "/v2/zones",
}
"""A call of each service that tells whether it honours a credential with rules."""
VOLUME_PROBES: Mapping[str, str] = {
    COMPUTE: PROBES[COMPUTE],
    VOLUMES: "/v3/{project}/types",
}
"""The same for the volume driver's credential; ``{project}`` is the project's id."""
SHARE_PROBES: Mapping[str, str] = {
    COMPUTE: PROBES[COMPUTE],
    SHARES: "/v2/{project}/messages",
}
"""The same for the credential of the driver of shares."""


@dataclass(frozen=True, order=True)
class Rule:
    """Leave to make one kind of call; ``service`` is the catalogue's type, ``*`` in the path is any part."""

    service: str
    path: str
    method: str


def _rules() -> Iterator[Rule]:
    for service, collections in _MANAGED.items():
        for collection in collections:
            for below, methods in _BY_METHOD:
                yield from (Rule(service, collection + below, method) for method in methods)
    for service, path, methods in _FURTHER:
        yield from (Rule(service, path, method) for method in methods)


RULES: tuple[Rule, ...] = tuple(sorted(_rules()))


NAMES: tuple[Rule, ...] = tuple(
    sorted(Rule(DNS, path, method) for path, methods in _NAMES for method in methods)
)
"""What a platform that writes names may do besides; zones themselves are neither made nor deleted."""
VOLUME_RULES: tuple[Rule, ...] = tuple(
    Rule(service, path, method)
    for service, path, methods in (
        (VOLUMES, "/v3/*/attachments/*", ("DELETE",)),
        (VOLUMES, "/v3/*/backups", ("POST",)),
        (VOLUMES, "/v3/*/backups/*", ("DELETE", "GET")),  # "detail" is such a part as well
        (VOLUMES, "/v3/*/messages", ("GET",)),
        (VOLUMES, "/v3/*/snapshots", ("POST",)),
        (VOLUMES, "/v3/*/snapshots/*", ("DELETE", "GET")),
        (VOLUMES, "/v3/*/types", ("GET",)),
        (VOLUMES, "/v3/*/volumes", ("POST",)),
        (VOLUMES, "/v3/*/volumes/*", ("DELETE", "GET")),
        (VOLUMES, "/v3/*/volumes/*/action", ("POST",)),
        (VOLUMES, "/v3/*/volumes/*/metadata", ("PUT",)),
        (COMPUTE, "/v2.1/servers/*", ("GET",)),
        (COMPUTE, "/v2.1/servers/*/os-volume_attachments", ("POST",)),
        (COMPUTE, "/v2.1/servers/*/os-volume_attachments/*", ("DELETE",)),
    )
    for method in methods
)
SHARE_RULES: tuple[Rule, ...] = tuple(
    Rule(service, path, method)
    for service, path, methods in (
        (SHARES, "/v2/*/messages", ("GET",)),
        (SHARES, "/v2/*/share-access-rules", ("GET",)),
        (SHARES, "/v2/*/share-access-rules/*/metadata", ("PUT",)),
        (SHARES, "/v2/*/shares", ("POST",)),
        (SHARES, "/v2/*/shares/*", ("DELETE", "GET")),  # "detail" is such a part as well
        (SHARES, "/v2/*/shares/*/action", ("POST",)),
        (SHARES, "/v2/*/shares/*/export_locations", ("GET",)),
        (SHARES, "/v2/*/shares/*/metadata", ("POST",)),
        (SHARES, "/v2/*/snapshots", ("POST",)),
        (SHARES, "/v2/*/snapshots/*", ("DELETE", "GET")),
        (COMPUTE, "/v2.1/servers/*", ("GET",)),
    )
    for method in methods
)


def below(rules: Iterable[Rule], prefixes: Mapping[str, str]) -> list[Rule]:
    """Return the rules for endpoints that have a path of their own before the version, by service."""
    return [Rule(each.service, prefixes.get(each.service, "") + each.path, each.method) for each in rules]


def allows(service: str, method: str, path: str, *, rules: Iterable[Rule] = (*RULES, *NAMES)) -> bool:
    """Return whether a call is among the rules, as a service judges it."""
    return any(
        (each.service, each.method) == (service, method)
        and re.fullmatch(re.escape(each.path).replace(r"\*", "[^/]+"), path)
        for each in rules
    )
