"""Heat."""

from causeway.lab.model import File, Service, Step, Unit
from causeway.lab.services.wsgi import api


def units() -> tuple[Unit, ...]:
    """Return the units of the orchestration service."""
    configuration = File("heat.conf.j2", "/etc/heat/heat.conf")
    needs = ("mariadb", "rabbitmq", "heat-tables", "identities")
    return (
        Step("heat-tables", ("heat-manage", "db_sync"), needs=("databases",), files=(configuration,)),
        api("heat", 8004, "heat.wsgi.api:application", needs=needs, files=(configuration,)),
        Service(
            "heat-engine",
            ("heat-engine", "--config-file", "/etc/heat/heat.conf"),
            needs=needs,
            files=(configuration,),
        ),
    )
