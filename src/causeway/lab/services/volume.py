"""Cinder with volumes of real bytes, files of the lab's directory. With ``objects`` it makes backups."""

from causeway.lab.model import Copy, Directory, File, Service, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api
from causeway.lab.settings import Settings

ARGUMENTS = ("--config-file", "/etc/cinder/cinder.conf")
# All that Debian's package of this service adds to what is there is a script of this one line.
BACKUP = ("python3", "-c", "from cinder.cmd.backup import main; main()", *ARGUMENTS)


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units of the volume service."""
    configuration = File("cinder.conf.j2", "/etc/cinder/cinder.conf")
    needs = ("mariadb", "rabbitmq", "cinder-tables", "identities")
    driver = Copy(
        "drivers/cinder_file.py", "/usr/lib/python3/dist-packages/cinder/volume/drivers/cinder_file.py"
    )
    backup = Service(
        "cinder-backup",
        BACKUP,
        needs=(*needs, "cinder-volume", "swift-proxy"),
        files=(configuration,),
    )
    return (
        tables(
            "cinder",
            ("cinder-manage", "db", "sync"),
            files=(configuration,),
            directories=(Directory("/var/lib/causeway/cinder/lock"),),
        ),
        api("cinder", 8776, "cinder.wsgi.api:application", needs=needs, files=(configuration,)),
        Service("cinder-scheduler", ("cinder-scheduler", *ARGUMENTS), needs=needs, files=(configuration,)),
        Service(
            "cinder-volume",
            ("cinder-volume", *ARGUMENTS),
            needs=(*needs, "cinder-scheduler"),
            files=(configuration, driver),
        ),
        *((backup,) if "objects" in lab.extras else ()),
    )
