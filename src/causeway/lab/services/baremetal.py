"""Ironic (``--with baremetal``): API and conductor in one process, machines that exist in name only."""

from causeway.lab.model import Directory, File, Http, Service, Unit
from causeway.lab.services.tables import tables

ARGUMENTS = ("--config-file", "/etc/ironic/ironic.conf")


def units() -> tuple[Unit, ...]:
    """Return the units of the bare metal service."""
    configuration = File("ironic.conf.j2", "/etc/ironic/ironic.conf")
    return (
        tables(
            "ironic",
            ("ironic-dbsync", *ARGUMENTS, "upgrade"),
            files=(configuration,),
            directories=(Directory("/var/lib/causeway/ironic/lock"),),
        ),
        Service(
            "ironic",
            ("ironic", *ARGUMENTS),
            needs=("mariadb", "ironic-tables", "baremetal-identities"),
            files=(configuration,),
            ready=Http(6385),
        ),
    )
