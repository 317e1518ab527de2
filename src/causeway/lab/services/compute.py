"""Nova, and the agent that runs its servers."""

import sys

from causeway.lab.model import Copy, Directory, Exists, File, Logged, Service, Step, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api
from causeway.lab.settings import Settings

ARGUMENTS = ("--config-file", "/etc/nova/nova.conf")


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units of the compute service."""
    configuration = File("nova.conf.j2", "/etc/nova/nova.conf")
    needs = ("mariadb", "rabbitmq", "nova-tables", "identities")
    return (
        tables(
            "nova",
            ("nova-manage", "api_db", "sync"),
            ("nova-manage", "cell_v2", "map_cell0"),
            ("nova-manage", "db", "sync"),
            ("nova-manage", "cell_v2", "create_cell", "--name=cell1"),
            databases=("nova_api", "nova_cell0", "nova"),
            files=(configuration,),
            directories=(
                Directory("/var/lib/causeway/nova/lock"),
                Directory("/var/lib/causeway/nova/instances"),
            ),
        ),
        api(
            "nova",
            8774,
            "nova.wsgi.osapi_compute:application",
            needs=needs,
            files=(configuration,),
            processes=2,
            environment={"OS_NOVA_CONFIG_DIR": "/etc/nova"},
        ),
        Service(
            "nova-conductor",
            ("nova-conductor", *ARGUMENTS),
            needs=needs,
            files=(configuration,),
            ready=Logged("Starting conductor node"),
        ),
        Service("nova-scheduler", ("nova-scheduler", *ARGUMENTS), needs=needs, files=(configuration,)),
        Service(
            "servers",
            (sys.executable, "-m", "causeway.lab.servers.agent", str(lab.directory)),
            needs=("switch",),
            directories=(Directory("/run/causeway"),),
            ready=Exists("/run/causeway/servers.sock"),
            chroot=False,
            # It ends the servers first.
            grace=15,
        ),
        Service(
            "nova-compute",
            ("nova-compute", *ARGUMENTS),
            # Without a conductor its first question waits ten seconds for an answer.
            needs=("nova-conductor", "placement", "neutron", "ovn-controller", "servers"),
            files=(
                configuration,
                # An added file: Nova looks for drivers nowhere else.
                Copy(
                    "drivers/nova_system_container.py",
                    "/usr/lib/python3/dist-packages/nova/virt/nova_system_container.py",
                ),
            ),
            ready=Logged("Starting compute node"),
        ),
        Step(
            "nova-host",
            (
                "sh",
                "-c",
                f"nova-manage cell_v2 list_hosts | grep -qw {lab.host}"
                " || nova-manage cell_v2 discover_hosts --strict",
            ),
            needs=("nova-compute",),
            tries=20,
        ),
    )
