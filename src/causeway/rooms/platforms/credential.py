"""The application credentials by which a platform acts on its cloud: made by apply, revoked first."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from keystoneauth1.identity.v3 import ApplicationCredential
from keystoneauth1.session import Session
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.access import (
    DNS,
    NAMES,
    PROBES,
    RULES,
    SHARE_PROBES,
    SHARE_RULES,
    VOLUME_PROBES,
    VOLUME_RULES,
    Rule,
    below,
)
from causeway.cloud.connection import explained
from causeway.cloud.credentials import without_version
from causeway.kit.errors import Problem

CLOUD = "openstack"
"""The entry of the platform's clouds.yaml."""

_DESCRIPTION = "The container platform of this name; made by causeway apply."
_OPEN = "open"
"""What the name of a credential without rules ends with."""

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_VOLUMES, _SHARES = "-volumes", "-shares"
"""What the names of the credentials of storage drivers have behind the platform's."""

_SUFFIX = rf"(-[0-9a-f]{{8}}|-{_OPEN})?"
_NAME = re.compile(rf"^causeway-.+-({_UUID})({_VOLUMES}|{_SHARES})?{_SUFFIX}$")
_PARALLEL = 8
_SECONDS = 120.0  # a service may take to answer
_AUTHORITY = "cacert.pem"
_DIRECTORY = "/etc/causeway/cloud"  # where the pods see the files


def name_of(platform: str, cluster_id: str) -> str:
    """Return the name of a platform's application credentials, which their own begin with."""
    return f"causeway-{platform}-{cluster_id}"


def ensure(
    cloud: Connection, name: str, present: Mapping[str, str], *, names: bool = False
) -> dict[str, str]:
    """Return the files of the controller's credential: those ``present`` in the platform, or new ones.

    With ``names`` it may also write record sets into the project's zones.
    """
    probes = {service: path for service, path in PROBES.items() if names or service != DNS}
    return _ensure(cloud, name, present, (*RULES, *(NAMES if names else ())), probes)


def ensure_for_volumes(cloud: Connection, name: str, present: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the volume driver's credential: those ``present`` in the platform, or new ones."""
    return _ensure(cloud, name + _VOLUMES, present, VOLUME_RULES, VOLUME_PROBES)


def ensure_for_shares(cloud: Connection, name: str, present: Mapping[str, str]) -> dict[str, str]:
    """The same for the driver of shares."""
    return _ensure(cloud, name + _SHARES, present, SHARE_RULES, SHARE_PROBES)


def _ensure(
    cloud: Connection,
    name: str,
    present: Mapping[str, str],
    allowed: Sequence[Rule],
    probes: Mapping[str, str],
) -> dict[str, str]:
    """Return the files of a credential that works.

    The credential may make exactly the calls of ``cloud.access``. Where a service does not honour such rules
    (it then answers every call with 401) the credential has none, and may do all its user may.

    A credential with other rules, of an older release, is replaced; it is revoked by the next apply, when
    nobody uses it any more. One whose secret the platform does not have is useless and goes at once.
    """
    with explained("application credential"):
        rules = below(allowed, {service: _prefix(cloud, service) for service in probes})
        fitting = (f"{name}-{_digest(rules)}", f"{name}-{_OPEN}")
        living = [
            each for each in _named(cloud, name) if re.fullmatch(re.escape(name) + _SUFFIX, each["name"])
        ]
        if any(each["id"] == _identifier(present) and each["name"] in fitting for each in living):
            _revoke(cloud, [each for each in living if each["id"] != _identifier(present)])
            return dict(present)
        _revoke(cloud, [each for each in living if each["name"] in fitting], rules=False)
        made = _make(cloud, fitting[0], rules)
        if made is None or not _honoured(cloud, made, probes):
            _revoke(cloud, [made] if made else [])
            made = _make(cloud, fitting[1], None)
    if made is None:
        raise Problem.of(
            "application credential",
            "Keystone refuses to make one",
            "Sign in with a password, or with an application credential made with --unrestricted.",
        )
    return _files(cloud, made["id"], made["secret"])


def revoke(cloud: Connection, name: str) -> int:
    """Delete the credentials of a platform; return how many there were."""
    with explained("application credential"):
        living = _named(cloud, name)
        _revoke(cloud, living)
    return len(living)


def exists(cloud: Connection, name: str) -> bool:
    """Return whether the platform of that name has a credential."""
    with explained("application credential"):
        return bool(_named(cloud, name))


def all_of(cloud: Connection) -> list[dict[str, Any]]:
    """Return every application credential of the user for this project, as Keystone shows it."""
    response = cloud.identity.get(_path(cloud))
    sdk.raise_from_response(response)
    found: list[dict[str, Any]] = response.json()["application_credentials"]
    return [each for each in found if each["project_id"] == cloud.current_project_id]


def cluster_of(name: str) -> str:
    """Return the UUID in the name of a platform's credential, "" for any other name."""
    found = _NAME.match(name)
    return found[1] if found else ""


def delete(cloud: Connection, identifier: str) -> None:
    """Revoke one credential with its rules; one that is gone is no error."""
    _revoke(cloud, [each for each in all_of(cloud) if each["id"] == identifier])


def _path(cloud: Connection) -> str:
    return f"/users/{cloud.current_user_id}/application_credentials"


def _named(cloud: Connection, name: str) -> list[dict[str, Any]]:
    """Return the credentials whose name begins so; releases before this had one without a suffix."""
    return [each for each in all_of(cloud) if each["name"] == name or each["name"].startswith(f"{name}-")]


def _make(cloud: Connection, name: str, rules: Sequence[Rule] | None) -> dict[str, Any] | None:
    """Make a credential; return None where Keystone does not know such rules."""
    wanted: dict[str, Any] = {"name": name, "description": _DESCRIPTION}
    if rules is not None:
        wanted["access_rules"] = [asdict(each) for each in rules]
    response = cloud.identity.post(_path(cloud), json={"application_credential": wanted})
    if response.status_code == 400 and rules is not None:
        return None
    sdk.raise_from_response(response)
    made: dict[str, Any] = response.json()["application_credential"]
    return made


def _honoured(cloud: Connection, made: Mapping[str, Any], probes: Mapping[str, str]) -> bool:
    """Return whether every service takes a credential with rules: one that cannot check them refuses it."""
    region = cloud.config
    verify, certificate = region.get_requests_verify_args()
    auth = ApplicationCredential(
        auth_url=region.get_auth_args()["auth_url"],
        application_credential_id=made["id"],
        application_credential_secret=made["secret"],
    )
    session = Session(auth=auth, verify=verify, cert=certificate, timeout=_SECONDS)
    session.get_token()

    def status(service: str) -> int:
        url = _endpoint(cloud, service) + probes[service].format(project=cloud.current_project_id)
        return int(session.get(url, params={"limit": "1"}, raise_exc=False).status_code)

    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        return 401 not in pool.map(status, probes)


def _revoke(cloud: Connection, credentials: Iterable[Mapping[str, Any]], *, rules: bool = True) -> None:
    """Delete credentials, and of their ``rules`` those that no other credential of the user has."""
    found = list(credentials)
    for each in found:
        response = cloud.identity.delete(f"{_path(cloud)}/{each['id']}")
        if response.status_code != 404:
            sdk.raise_from_response(response)
    held = {rule["id"] for each in found if rules for rule in each.get("access_rules") or []}
    base = _path(cloud).replace("application_credentials", "access_rules")
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        answers = pool.map(lambda rule: cloud.identity.delete(f"{base}/{rule}"), sorted(held))
        for answer in answers:
            if answer.status_code not in (403, 404):  # 403: another credential has the rule
                sdk.raise_from_response(answer)


def _digest(rules: Iterable[Rule]) -> str:
    text = "\n".join(f"{each.service} {each.method} {each.path}" for each in rules)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _endpoint(cloud: Connection, service: str) -> str:
    return without_version(str(cloud.endpoint_for(service)))


def _prefix(cloud: Connection, service: str) -> str:
    return urlsplit(_endpoint(cloud, service)).path.rstrip("/")


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
