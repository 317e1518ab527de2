"""All services of the lab as data, one small module per group."""

import sys
from collections.abc import Callable

from causeway.lab.model import Step, Unit, checked
from causeway.lab.services import (
    baremetal,
    ceph,
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

EXTRAS: dict[str, Callable[[Settings], tuple[Unit, ...]]] = {
    "dns": lambda _: names.units(),
    "shares": shares.units,
    "objects": lambda _: objects.units(),
    "baremetal": lambda _: baremetal.units(),
    "ceph": lambda _: ceph.units(),
}


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return every unit of ``lab`` in an order in which each comes after all it needs."""
    groups = [
        infra.units(),
        identity.units(lab),
        image.units(),
        network.units(lab),
        compute.units(lab),
        volume.units(lab),
        orchestration.units(),
        loadbalancer.units(),
        seed.units(lab),
    ]
    for extra in lab.extras:
        command = (sys.executable, "-m", "causeway.lab.seed", extra, str(lab.directory))
        groups.append((Step(f"{extra}-identities", command, needs=("keystone", "identities"), chroot=False),))
        groups.append(EXTRAS[extra](lab))
    return checked(unit for group in groups for unit in group)
