"""Open vSwitch in user space, OVN with one chassis, and Neutron on top."""

from causeway.lab.model import Command, Directory, Exists, File, Service, Step, Succeeds, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api
from causeway.lab.settings import Settings

STATE = "/var/lib/causeway/ovn"
QUIET = ("-vconsole:warn", "-vsyslog:off")
CONFIGURATION = ("/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini")
PROCESSES = 2  # that serve the API
ARGUMENTS = tuple(word for path in CONFIGURATION for word in ("--config-file", path))


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units of the network."""
    return (*_switch(lab), *_ovn(), *_neutron())


def _switch(lab: Settings) -> tuple[Unit, ...]:
    run = "/run/openvswitch"
    directory = Directory(run)
    settings = {
        "system-id": lab.host,
        "hostname": lab.host,
        "rundir": run,
        "ovn-remote": "tcp:127.0.0.1:6642",
        "ovn-remote-probe-interval": "0",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": "127.0.0.1",
        "ovn-bridge-datapath-type": "netdev",
        "ovn-bridge-mappings": "physnet1:br-ex",
        "ovn-cms-options": "enable-chassis-as-gw",
        "ovn-monitor-all": "true",
    }
    return (
        Step(
            # New at every start: the devices it would remember went away with the last network namespace.
            "switch-database",
            ("ovsdb-tool", "create", f"{run}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema"),
            directories=(directory,),
            once=False,
        ),
        Service(
            "switch-db",
            (
                *("ovsdb-server", f"{run}/conf.db", f"--remote=punix:{run}/db.sock"),
                *(f"--pidfile={run}/ovsdb-server.pid", f"--unixctl={run}/ovsdb-server.ctl", *QUIET),
            ),
            needs=("switch-database",),
            ready=Succeeds(("ovs-vsctl", "--timeout=2", "--no-wait", "init")),
            then=(
                (
                    *("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".", "system-type=causeway-lab"),
                    *(f"external_ids:{key}={value}" for key, value in settings.items()),
                ),
            ),
        ),
        Service(
            "switch",
            (
                *("ovs-vswitchd", f"unix:{run}/db.sock", f"--pidfile={run}/ovs-vswitchd.pid"),
                *(f"--unixctl={run}/ovs-vswitchd.ctl", *QUIET),
            ),
            needs=("switch-db",),
            ready=Exists(f"{run}/ovs-vswitchd.ctl"),
            then=(
                (
                    *("ovs-vsctl", "--timeout=20", "--may-exist", "add-br", "br-ex"),
                    *("--", "set", "bridge", "br-ex", "datapath_type=netdev", "fail-mode=standalone"),
                ),
                (
                    *("ip", "address", "replace"),
                    *(f"{lab.external_gateway}/{lab.external_prefix}", "dev", "br-ex"),
                ),
                ("ip", "link", "set", "br-ex", "up"),
            ),
        ),
    )


def _ovn() -> tuple[Unit, ...]:
    run = "/run/ovn"
    directories = (Directory(run), Directory(STATE))

    def database(side: str, port: int) -> tuple[Step, Service]:
        file = f"{STATE}/{side}.db"
        make = ("sh", "-c", f"rm -f {file} && ovsdb-tool create {file} /usr/share/ovn/ovn-{side}.ovsschema")
        serve: Command = (
            *("ovsdb-server", file, f"--remote=punix:{run}/ovn{side}_db.sock"),
            *(f"--remote=ptcp:{port}:127.0.0.1", f"--pidfile={run}/ovn{side}_db.pid"),
            *(f"--unixctl={run}/ovn{side}_db.ctl", *QUIET),
        )
        needs = (f"ovn-{side}-database",)
        return (
            Step(needs[0], make, directories=directories),
            Service(
                f"ovn-{side}",
                serve,
                needs=needs,
                directories=directories,
                ready=Exists(f"{run}/ovn{side}_db.sock"),
            ),
        )

    return (
        # Two servers, not one for both: Octavia's provider takes locks of the same name on each side, and on
        # a single server it would lose the events of one side.
        *database("nb", 6641),
        *database("sb", 6642),
        Service(
            "ovn-northd",
            (
                *(
                    "ovn-northd",
                    f"--ovnnb-db=unix:{run}/ovnnb_db.sock",
                    f"--ovnsb-db=unix:{run}/ovnsb_db.sock",
                ),
                *(f"--pidfile={run}/ovn-northd.pid", f"--unixctl={run}/ovn-northd.ctl", *QUIET),
            ),
            needs=("ovn-nb", "ovn-sb"),
            ready=Exists(f"{run}/ovn-northd.ctl"),
        ),
        Service(
            "ovn-controller",
            (
                *("ovn-controller", "unix:/run/openvswitch/db.sock", f"--pidfile={run}/ovn-controller.pid"),
                *(f"--unixctl={run}/ovn-controller.ctl", *QUIET),
            ),
            needs=("switch", "ovn-sb"),
            ready=Succeeds(("ovs-vsctl", "--timeout=2", "br-exists", "br-int")),
        ),
    )


def _neutron() -> tuple[Unit, ...]:
    values = {"processes": PROCESSES}
    files = (
        File("neutron.conf.j2", CONFIGURATION[0], values=values),
        File("ml2_conf.ini.j2", CONFIGURATION[1]),
    )
    needs = ("mariadb", "rabbitmq", "neutron-tables", "identities", "ovn-nb", "ovn-sb")

    return (
        tables(
            "neutron",
            ("neutron-db-manage", *ARGUMENTS, "upgrade", "heads"),
            files=files,
            directories=(Directory("/var/lib/causeway/neutron/lock"),),
        ),
        api(
            "neutron",
            9696,
            "neutron.wsgi.api:application",
            needs=needs,
            files=files,
            processes=PROCESSES,
            environment={
                "OS_NEUTRON_CONFIG_DIR": "/etc/neutron",
                "OS_NEUTRON_CONFIG_FILES": "neutron.conf;plugins/ml2/ml2_conf.ini",
            },
        ),
        # Of Neutron's other processes OVN needs only this one, and nobody waits for it.
        Service(
            "neutron-maintenance",
            ("neutron-ovn-maintenance-worker", *ARGUMENTS),
            needs=("neutron",),
            files=files,
        ),
    )
