"""Manila (``--with shares``): the whole API above a back end that keeps no bytes."""

from causeway.lab.model import Directory, File, Service, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api

ARGUMENTS = ("--config-file", "/etc/manila/manila.conf")


def units() -> tuple[Unit, ...]:
    """Return the units of the shared file system service."""
    configuration = File("manila.conf.j2", "/etc/manila/manila.conf")
    needs = ("mariadb", "rabbitmq", "manila-tables", "shares-identities")

    def worker(name: str) -> Service:
        return Service(name, (name, *ARGUMENTS), needs=needs, files=(configuration,))

    return (
        tables(
            "manila",
            ("manila-manage", "db", "sync"),
            files=(configuration,),
            directories=(Directory("/var/lib/causeway/manila/lock"),),
        ),
        api("manila", 8786, "manila.wsgi.wsgi:initialize_application()", needs=needs, files=(configuration,)),
        worker("manila-scheduler"),
        worker("manila-share"),
    )
