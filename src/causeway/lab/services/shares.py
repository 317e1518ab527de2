"""Manila (``--with shares``): the whole API; shares hold no bytes, but with ``ceph`` those of CephFS do."""

import sys

from causeway.lab.model import Directory, File, Service, Step, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api
from causeway.lab.settings import Settings

ARGUMENTS = ("--config-file", "/etc/manila/manila.conf")


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units of the shared file system service."""
    configuration = File("manila.conf.j2", "/etc/manila/manila.conf")
    needs = ("mariadb", "rabbitmq", "manila-tables", "shares-identities")
    storage = ("ceph-mgr", "ceph-mds") if "ceph" in lab.extras else ()

    def worker(name: str, *more: str) -> Service:
        return Service(name, (name, *ARGUMENTS), needs=(*needs, *more), files=(configuration,))

    return (
        tables(
            "manila",
            ("manila-manage", "db", "sync"),
            files=(configuration,),
            directories=(Directory("/var/lib/causeway/manila/lock"),),
        ),
        api("manila", 8786, "manila.wsgi.wsgi:initialize_application()", needs=needs, files=(configuration,)),
        worker("manila-scheduler"),
        # Its driver asks the cluster at the start, and gives up when there is no answer.
        worker("manila-share", *storage),
        Step(
            # Not once: what extras there are may be more the next time.
            "share-types",
            (sys.executable, "-m", "causeway.lab.seed", "share-types", str(lab.directory)),
            needs=("manila",),
            chroot=False,
            once=False,
            tries=3,
        ),
    )
