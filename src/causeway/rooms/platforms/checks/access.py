"""Checks of who asks and of what the cloud offers at all."""

from collections.abc import Iterator

from causeway.kit.errors import Finding
from causeway.rooms.platforms.checks import Check, Remark, Severity, blocker, listing, unreadable, warning
from causeway.rooms.platforms.facts import SERVICES, CloudFacts, Compute, Identity, Stack, absent
from causeway.rooms.platforms.model import Platform

# Extension of Neutron: what it is for.
REQUIRED_EXTENSIONS = {
    "external-net": "floating IPs",
    "router": "routers",
    "security-group": "security groups",
    "net-mtu": "the pods' MTU",
    "standard-attr-tag": "marking what belongs to the platform",
    "tag-creation": "marking ports in the call that creates them",
    "trunk": "ports of pods on a server",
}
OLDER_NAMES = {"tag-creation": "tag-ports-during-bulk-creation"}  # the same ability in earlier releases
WELCOME_EXTENSIONS = {
    "address-group": "network policies as one rule instead of one per address",
    "quota_details": "telling what is left of Neutron's quotas",
}


def catalogue(identity: Identity) -> Check:
    """Judge whether every service the platform needs has an endpoint."""
    missing = [service for service in SERVICES if service not in identity.services]
    return Check(
        "services",
        f"{len(SERVICES) - len(missing)} of {len(SERVICES)} in the catalogue",
        tuple(Remark(Severity.BLOCKER, absent(service)) for service in missing),
    )


def credentials(identity: Identity) -> Check:
    """Judge whether whoever asks may make the credential the platform works with."""
    remarks: tuple[Remark, ...] = ()
    if identity.restricted:
        remarks = (
            blocker(
                "credentials",
                "they are a restricted application credential, which cannot make the platform's own",
                "Sign in with a password, or with an application credential made with --unrestricted.",
            ),
        )
    return Check("credentials", f"roles {listing(identity.roles)}", remarks)


def extensions(facts: CloudFacts) -> Check:
    """Judge the extensions of Neutron."""
    if isinstance(facts.network, Finding):
        return unreadable("network extensions", facts.network)
    present = facts.network.extensions
    remarks = [
        blocker(f"network extension {each}", f"it is not there, needed for {what}", "Have Neutron load it.")
        for each, what in REQUIRED_EXTENSIONS.items()
        if each not in present and OLDER_NAMES.get(each) not in present
    ]
    remarks += [
        warning(f"network extension {each}", f"it is not there, useful for {what}", "Have Neutron load it.")
        for each, what in WELCOME_EXTENSIONS.items()
        if each not in present
    ]
    return Check("network extensions", f"{len(present)} loaded", tuple(remarks))


def stack(platform: Platform, facts: CloudFacts) -> Check:
    """Tell whether the platform exists already."""
    match facts.stack:
        case Finding() as finding:
            return unreadable("stack", finding)
        case None:
            return Check("stack", "none yet")
        case Stack(ours=False):
            cause, remedy = (
                "a stack of this name exists which is no platform",
                "Give the platform another name.",
            )
            return Check("stack", "not ours", (blocker("metadata.name", cause, remedy),))
        case Stack(status=status) if status.startswith(("DELETE", "ROLLBACK")):
            remedy = "Wait for it to end, or end it by destroy."
            return Check("stack", status, (blocker(f"stack {platform.name}", f"it is in {status}", remedy),))
        case Stack(status=status):
            return Check("stack", f"{status}: its own use counts as satisfied")


def key_pair(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether the key pair exists."""
    if isinstance(facts.compute, Finding):
        return unreadable("key pair", facts.compute)
    key = platform.spec.ssh_key
    if key is None:
        return Check("key pair", "none asked for")
    remarks: tuple[Remark, ...] = ()
    if key not in facts.compute.key_pairs:
        remedy = f"Create it: openstack keypair create --public-key FILE {key}"
        remarks = (blocker("spec.sshKey", f"the user has no key pair {key}", remedy),)
    return Check("key pair", key, remarks)


def zones(platform: Platform, facts: CloudFacts) -> Check:
    """Judge whether servers and volumes can be where the pools want them."""
    if isinstance(facts.compute, Finding):
        return unreadable("zones", facts.compute)
    return Check(
        "zones",
        listing({pool.zone for pool in platform.spec.pools if pool.zone}) + " asked for",
        tuple(_zone_remarks(platform, facts, facts.compute)),
    )


def _zone_remarks(platform: Platform, facts: CloudFacts, compute: Compute) -> Iterator[Remark]:
    for index, pool in enumerate(platform.spec.pools):
        place = f"spec.pools[{index}].zone"
        if pool.zone is None:
            continue
        if pool.zone not in compute.zones:
            remedy = f"Use one of: {listing(compute.zones)}."
            yield blocker(place, f"compute has no available zone {pool.zone}", remedy)
        volumes = facts.volumes
        if pool.container_storage and not isinstance(volumes, Finding) and pool.zone not in volumes.zones:
            remedy = f"Use a zone volumes have as well ({listing(volumes.zones)}), or no containerStorage."
            yield blocker(place, f"block storage has no available zone {pool.zone}", remedy)
