"""The application credential by which a platform acts on its cloud: made by apply, revoked first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained

CLOUD = "openstack"
"""The entry of the platform's clouds.yaml."""

_AUTHORITY = "cacert.pem"
_DIRECTORY = "/etc/causeway/cloud"  # where the pods see the files


def name_of(platform: str, cluster_id: str) -> str:
    """Return the name of a platform's application credential."""
    return f"causeway-{platform}-{cluster_id}"


def ensure(cloud: Connection, name: str, present: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a credential that works: those ``present`` in the platform, or new ones.

    A secret is told once, when its credential is made: one whose secret the platform does not have is useless
    and makes room for a new one.
    """
    with explained("application credential"):
        living = _named(cloud, name)
        if any(each["id"] == _identifier(present) for each in living):
            return dict(present)
        for each in living:
            _delete(cloud, each["id"])
        description = "The container platform of this name; made by causeway apply."
        wanted = {"application_credential": {"name": name, "description": description}}
        response = cloud.identity.post(_path(cloud), json=wanted)
        sdk.raise_from_response(response)
        made = response.json()["application_credential"]
    return _files(cloud, made["id"], made["secret"])


def revoke(cloud: Connection, name: str) -> int:
    """Delete the credentials of a platform; return how many there were."""
    with explained("application credential"):
        living = _named(cloud, name)
        for each in living:
            _delete(cloud, each["id"])
    return len(living)


def exists(cloud: Connection, name: str) -> bool:
    """Return whether there is a credential of that name."""
    with explained("application credential"):
        return bool(_named(cloud, name))


def _path(cloud: Connection) -> str:
    return f"/users/{cloud.current_user_id}/application_credentials"


def _named(cloud: Connection, name: str) -> list[dict[str, Any]]:
    response = cloud.identity.get(_path(cloud), params={"name": name})
    sdk.raise_from_response(response)
    found = response.json()["application_credentials"]
    return [each for each in found if each["name"] == name]


def _delete(cloud: Connection, identifier: str) -> None:
    response = cloud.identity.delete(f"{_path(cloud)}/{identifier}")
    if response.status_code != 404:
        sdk.raise_from_response(response)


def _identifier(files: Mapping[str, str]) -> str | None:
    try:
        auth = yaml.safe_load(files["clouds.yaml"])["clouds"][CLOUD]["auth"]
        return str(auth["application_credential_id"])
    except (KeyError, TypeError, yaml.YAMLError):
        return None


def _files(cloud: Connection, identifier: str, secret: str) -> dict[str, str]:
    region = cloud.config
    entry: dict[str, Any] = {
        "auth_type": "v3applicationcredential",
        "auth": {
            "auth_url": region.get_auth_args()["auth_url"],
            "application_credential_id": identifier,
            "application_credential_secret": secret,
        },
        "interface": region.get_interface() or "public",
        "identity_api_version": "3",
    }
    if region.region_name:
        entry["region_name"] = region.region_name
    files = {}
    verify, _ = region.get_requests_verify_args()
    if isinstance(verify, str):
        files[_AUTHORITY] = Path(verify).read_text()
        entry["cacert"] = f"{_DIRECTORY}/{_AUTHORITY}"
    elif not verify:
        entry["verify"] = False
    return {"clouds.yaml": yaml.safe_dump({"clouds": {CLOUD: entry}}), **files}
