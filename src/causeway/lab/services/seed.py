"""What a cloud's administrator sets up before users come: flavors, quotas, the external network."""

import sys

from causeway.lab.model import Step, Unit
from causeway.lab.settings import Settings


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units that fill the new cloud."""
    return (
        Step(
            "resources",
            (sys.executable, "-m", "causeway.lab.seed", "resources", str(lab.directory)),
            needs=("nova", "neutron", "cinder"),
            chroot=False,
            tries=3,
        ),
    )
