"""Glance keeps images, Placement keeps count of what servers use."""

from causeway.lab.model import Directory, File, Step, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api


def units() -> tuple[Unit, ...]:
    """Return the units of the image and placement services."""
    glance = File("glance-api.conf.j2", "/etc/glance/glance-api.conf")
    placement = File("placement.conf.j2", "/etc/placement/placement.conf")
    return (
        tables("glance", ("glance-manage", "db_sync"), files=(glance,)),
        tables("placement", ("placement-manage", "db", "sync"), files=(placement,)),
        Step(
            "glance-directories",
            ("true",),
            directories=(
                Directory("/var/lib/causeway/image-staging"),
                Directory("/var/lib/causeway/image-tasks"),
            ),
            once=False,
        ),
        api(
            "glance",
            9292,
            "glance.common.wsgi_app:init_app()",
            needs=("mariadb", "glance-tables", "glance-directories", "identities"),
            files=(glance,),
            threads=4,
            path="/versions",
        ),
        api(
            "placement",
            8778,
            "placement.wsgi.api:application",
            needs=("mariadb", "placement-tables", "identities"),
            files=(placement,),
            threads=4,
        ),
    )
