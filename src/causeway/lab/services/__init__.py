"""All services of the lab as data, one small module per group."""

from causeway.lab.model import Unit, checked
from causeway.lab.services import (
    compute,
    identity,
    image,
    infra,
    loadbalancer,
    network,
    orchestration,
    seed,
    volume,
)
from causeway.lab.settings import Settings


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return every unit of ``lab`` in an order in which each comes after all it needs."""
    groups = [
        infra.units(),
        identity.units(lab),
        image.units(),
        network.units(lab),
        compute.units(lab),
        volume.units(),
        orchestration.units(),
        loadbalancer.units(),
        seed.units(lab),
    ]
    return checked(unit for group in groups for unit in group)
