"""Octavia with two providers: OVN, where the network itself balances, and one that only says it does.

The second is ``amphora`` without amphorae: its drivers for servers and their configuration do nothing, so
that everything its API takes (HTTP, TLS, time limits, source ranges) can be tried; no traffic is served.
"""

from causeway.lab.model import Copy, Directory, Exists, File, Service, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api

PACKAGES = "/usr/lib/python3/dist-packages"
ARGUMENTS = ("--config-file", "/etc/octavia/octavia.conf")


def units() -> tuple[Unit, ...]:
    """Return the units of the load balancer service."""
    configuration = File("octavia.conf.j2", "/etc/octavia/octavia.conf")
    conversation = Copy("drivers/octavia_conversation.py", f"{PACKAGES}/octavia_conversation.py")
    needs = ("mariadb", "rabbitmq", "octavia-tables", "identities", "ovn-nb", "ovn-sb")
    return (
        tables(
            "octavia",
            ("octavia-db-manage", *ARGUMENTS, "upgrade", "head"),
            databases=("octavia", "octavia_persistence"),
            files=(configuration,),
        ),
        api(
            "octavia",
            9876,
            "octavia_conversation:api()",
            needs=needs,
            files=(configuration, conversation),
            processes=2,
            arguments=" ".join(ARGUMENTS),
        ),
        Service(
            "octavia-driver-agent",
            ("python3", "-m", "octavia_conversation", *ARGUMENTS),
            needs=needs,
            files=(configuration, conversation),
            directories=(Directory("/run/octavia"),),
            ready=Exists("/run/octavia/status.sock"),
        ),
        Service(
            "octavia-worker",
            ("python3", "-m", "octavia_conversation", *ARGUMENTS),
            needs=needs,
            files=(configuration, conversation),
            environment={"OCTAVIA_PART": "worker"},
        ),
    )
