"""Designate with bind as its name server (``--with dns``)."""

from causeway.lab.model import Directory, File, Logged, Service, Step, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api

ARGUMENTS = ("--config-file", "/etc/designate/designate.conf")


def units() -> tuple[Unit, ...]:
    """Return the units of the name service."""
    configuration = File("designate.conf.j2", "/etc/designate/designate.conf")
    needs = ("mariadb", "rabbitmq", "designate-tables", "dns-identities")
    named = File("named.conf.j2", "/etc/causeway/named.conf")

    def worker(name: str, *more: str) -> Service:
        return Service(
            f"designate-{name}",
            (f"designate-{name}", *ARGUMENTS),
            needs=(*needs, *more),
            files=(configuration,),
            ready=Logged("Starting") if name == "central" else None,
        )

    return (
        Service(
            "named",
            ("named", "-g", "-c", named.path),
            needs=("switch",),
            files=(
                named,
                File("rndc.conf.j2", "/etc/causeway/rndc.conf"),
                File("rndc.sh.j2", "/etc/causeway/rndc", mode=0o755),
            ),
            directories=(Directory("/run/named"), Directory("/var/cache/bind")),
            ready=Logged("running"),
        ),
        tables(
            "designate",
            ("designate-manage", "database", "sync"),
            files=(configuration,),
            directories=(Directory("/var/lib/causeway/designate"),),
        ),
        worker("central"),
        worker("worker", "named"),
        worker("mdns"),
        worker("producer"),
        Step(
            "designate-pool",
            ("designate-manage", "pool", "update", "--file", "/etc/designate/pools.yaml"),
            needs=("designate-central",),
            files=(configuration, File("designate-pools.yaml.j2", "/etc/designate/pools.yaml")),
            tries=10,
        ),
        api(
            "designate",
            9001,
            "designate.api.wsgi:init_application()",
            needs=needs,
            files=(configuration,),
        ),
    )
