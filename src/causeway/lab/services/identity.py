"""Keystone, and the users, roles, services and endpoints all others need to be there."""

import sys

from causeway.lab.model import Directory, File, Step, Unit
from causeway.lab.services.tables import tables
from causeway.lab.services.wsgi import api
from causeway.lab.settings import Settings

STATE = "/var/lib/causeway/keystone"


def units(lab: Settings) -> tuple[Unit, ...]:
    """Return the units of the identity service."""
    configuration = File("keystone.conf.j2", "/etc/keystone/keystone.conf")
    url = lab.identity_url
    return (
        tables("keystone", ("keystone-manage", "db_sync"), files=(configuration,)),
        Step(
            "keystone-keys",
            (
                "sh",
                "-c",
                "keystone-manage fernet_setup --keystone-user root --keystone-group root"
                " && keystone-manage credential_setup --keystone-user root --keystone-group root",
            ),
            files=(configuration,),
            directories=(
                Directory(f"{STATE}/fernet-keys", mode=0o700),
                Directory(f"{STATE}/credential-keys", mode=0o700),
            ),
        ),
        Step(
            "keystone-admin",
            (
                *("keystone-manage", "bootstrap", "--bootstrap-region-id", "RegionOne"),
                *(
                    "--bootstrap-admin-url",
                    url,
                    "--bootstrap-internal-url",
                    url,
                    "--bootstrap-public-url",
                    url,
                ),
            ),
            needs=("mariadb", "keystone-tables", "keystone-keys"),
            passwords={"OS_BOOTSTRAP_PASSWORD": "admin"},
        ),
        api(
            "keystone",
            5000,
            "keystone.wsgi.api:application",
            needs=("mariadb", "memcached", "keystone-admin"),
            files=(configuration,),
            processes=2,
            path="/v3",
        ),
        Step(
            "identities",
            (sys.executable, "-m", "causeway.lab.seed", "identities", str(lab.directory)),
            needs=("keystone",),
            chroot=False,
        ),
    )
