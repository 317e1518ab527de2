"""Everything that would make a deployment fail, said before anything is created. Pure code."""

from dataclasses import dataclass

from causeway.rooms.platforms.checks import (
    Check,
    Remark,
    Severity,
    access,
    load_balancing,
    names,
    networks,
    nodes,
    quotas,
    registry,
    shares,
)
from causeway.rooms.platforms.facts import CloudFacts
from causeway.rooms.platforms.model import Platform


@dataclass(frozen=True)
class Report:
    """All checks in the order a person reads them."""

    checks: tuple[Check, ...]

    def remarks(self, severity: Severity) -> list[Remark]:
        """Return the different remarks of a severity; one cause can stop several checks."""
        found = [remark for check in self.checks for remark in check.remarks if remark.severity is severity]
        return list(dict.fromkeys(found))

    @property
    def blocked(self) -> bool:
        """Return whether apply would fail."""
        return bool(self.remarks(Severity.BLOCKER))


def preflight(platform: Platform, facts: CloudFacts) -> Report:
    """Judge whether the platform can be deployed on the cloud and replaced node by node later."""
    return Report(
        (
            access.catalogue(facts.identity),
            access.credentials(facts.identity),
            access.stack(platform, facts),
            access.extensions(facts),
            nodes.images(platform, facts),
            nodes.flavors(platform, facts),
            nodes.volume_types(platform, facts),
            access.key_pair(platform, facts),
            access.zones(platform, facts),
            networks.external(platform, facts),
            networks.existing_networks(platform, facts),
            networks.ranges(platform, facts),
            load_balancing.provider(platform, facts),
            *names.zones(platform, facts),
            *shares.share_types(platform, facts),
            *registry.object_store(platform, facts),
            *quotas.quotas(platform, facts),
        )
    )
