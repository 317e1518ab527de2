"""All services of the lab as data, one small module per group."""

import sys

from causeway.lab.model import Step, Unit, checked
from causeway.lab.services import (
    baremetal,
    compute,
    identity,
    image,
    infra,
    loadbalancer,
    names,
    network,
    objects,
    orchestration,
    seed,
    shares,
    volume,
)
from causeway.lab.settings import Settings

EXTRAS = {
    "dns": names.units,
    "shares": shares.units,
    "objects": objects.units,
    "baremetal": baremetal.units,
}


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
    for extra in lab.extras:
        command = (sys.executable, "-m", "causeway.lab.seed", extra, str(lab.directory))
        groups.append((Step(f"{extra}-identities", command, needs=("keystone", "identities"), chroot=False),))
        groups.append(EXTRAS[extra]())
    return checked(unit for group in groups for unit in group)
