"""Heat."""

from causeway.lab.model import File, Service, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api


def units() -> tuple[Unit, ...]:
    """Return the units of the orchestration service."""
    configuration = File("heat.conf.j2", "/etc/heat/heat.conf")
    needs = ("mariadb", "rabbitmq", "heat-tables", "identities")
    return (
        tables("heat", ("heat-manage", "db_sync"), files=(configuration,)),
        api("heat", 8004, "heat.wsgi.api:application", needs=needs, files=(configuration,)),
        Service(
            "heat-engine",
            ("heat-engine", "--config-file", "/etc/heat/heat.conf"),
            needs=needs,
            files=(configuration,),
        ),
    )
