"""Octavia with the OVN provider: the network itself balances, no machine per load balancer."""

from causeway.lab.model import Directory, Exists, File, Service, Step, Unit
from causeway.lab.services.wsgi import api

ARGUMENTS = ("--config-file", "/etc/octavia/octavia.conf")


def units() -> tuple[Unit, ...]:
    """Return the units of the load balancer service."""
    configuration = File("octavia.conf.j2", "/etc/octavia/octavia.conf")
    needs = ("mariadb", "rabbitmq", "octavia-tables", "identities", "ovn-nb", "ovn-sb")
    return (
        Step(
            "octavia-tables",
            ("octavia-db-manage", *ARGUMENTS, "upgrade", "head"),
            needs=("databases",),
            files=(configuration,),
        ),
        api(
            "octavia",
            9876,
            "octavia.api.app:setup_app()",
            needs=needs,
            files=(configuration,),
            processes=2,
            arguments=" ".join(ARGUMENTS),
        ),
        Service(
            "octavia-driver-agent",
            ("octavia-driver-agent", *ARGUMENTS),
            needs=needs,
            files=(configuration,),
            directories=(Directory("/run/octavia"),),
            ready=Exists("/run/octavia/status.sock"),
        ),
    )
