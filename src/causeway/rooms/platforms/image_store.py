"""A registry's images in Swift: a container, and the keys by which Swift's S3 interface lets the registry in.

The keys are an EC2 credential of Keystone for whoever applies, in the platform's project. Its identifier
follows from the platform's and the user's, so that one made by a run that ended too early is found again. It
may do all that its user may: rules bind application credentials alone. Only he and administrators may revoke
it: the container says who has one.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.connection import explained
from causeway.kit.errors import Finding, Problem
from causeway.rooms.platforms.stored import CONTAINER, UNKNOWN, Stored

_PLACE = "registry.storage: swift"
_PARALLEL = 8
_PAGE = 1000
_GIB = 1 << 30
_USER = "X-Container-Meta-Causeway-User-"
"""Of a container, with an access key: whose it is. One for each, as a value has no more than 256 bytes."""

_CLUSTER = "X-Container-Meta-Causeway-Cluster"
_SEGMENTS = "+segments"  # beside it, where Swift's S3 interface puts parts of large objects


@dataclass(frozen=True)
class ImageStore:
    """Where the registry finds its container; ``authority`` is what the store's certificate is of, or ""."""

    endpoint: str
    container: str
    access: str
    secret: str = field(repr=False)
    authority: str = field(repr=False, default="")


@dataclass(frozen=True)
class Found:
    """A platform's container, and the users who have made keys for it."""

    container: Stored
    users: tuple[str, ...]


def container_of(cluster_id: str) -> str:
    """Return the name of a platform's container of images."""
    return f"causeway-registry-{cluster_id}"


def ensure(cloud: Connection, cluster_id: str) -> ImageStore:
    """Return the store of a platform, made where it is not there; raises ``Problem``."""
    with explained(_PLACE):
        url = cloud.endpoint_for("object-store")
        if not url:
            raise Problem.of(_PLACE, "the cloud has no object store", "Use cinder, or s3 with a bucket.")
        container = container_of(cluster_id)
        access = access_of(cluster_id, _user(cloud))
        marks = {_CLUSTER: cluster_id, mark_of(access): _user(cloud)}
        sdk.raise_from_response(cloud.object_store.put(f"/{container}", headers=marks))
        place = urlsplit(str(url))
        verify, _ = cloud.config.get_requests_verify_args()
        return ImageStore(
            endpoint=f"{place.scheme}://{place.netloc}",
            container=container,
            access=access,
            secret=_secret(cloud, access),
            authority=Path(verify).read_text() if isinstance(verify, str) else "",
        )


def revoke(cloud: Connection, cluster_id: str) -> list[str]:
    """Delete the keys of a platform; none is no error, and who may not have any has none.

    Returns the users who have made keys for it that cannot be seen from here.
    """
    users = users_in(_head(cloud, container_of(cluster_id)) or {})
    gone = [each for each in sorted({*users, _user(cloud)}) if _revoked(cloud, cluster_id, each)]
    _unmark(cloud, cluster_id, [each for each in gone if each in users])
    return [each for each in users if each not in gone]


def revoke_of(cloud: Connection, cluster_id: str, user: str) -> bool:
    """Delete the keys a user has made for a platform; return False where they cannot be seen."""
    if not _revoked(cloud, cluster_id, user):
        return False
    _unmark(cloud, cluster_id, [user])
    return True


def _revoked(cloud: Connection, cluster_id: str, user: str) -> bool:
    found = _credentials(cloud, access_of(cluster_id, user), user)
    for each in found:
        _gone(cloud.identity.delete(f"/credentials/{each['id']}"))
    return bool(found) or user == _user(cloud)


def _unmark(cloud: Connection, cluster_id: str, users: Sequence[str]) -> None:
    if users:
        marks = {mark_of(access_of(cluster_id, each)): "" for each in users}
        _gone(cloud.object_store.post(f"/{container_of(cluster_id)}", headers=marks))


def withdraw(cloud: Connection, cluster_id: str) -> list[Finding]:
    """Revoke the keys of a platform whose images are not in Swift, or not any more; return what is left.

    It fails in nothing: the platform needs none of what this asks.
    """
    try:
        with explained("the registry's keys for the object store"):
            return [unrevoked(cluster_id, each) for each in revoke(cloud, cluster_id)]
    except Problem as problem:
        return list(problem.findings)


def mark_of(access: str) -> str:
    """Return the header that says whose an access key is."""
    return f"{_USER}{access}"


def users_in(headers: Mapping[str, str]) -> list[str]:
    """Return the users who have made keys for a container, by what is said of it. Pure."""
    return sorted(
        value for name, value in headers.items() if name.lower().startswith(_USER.lower()) and value
    )


def access_of(cluster_id: str, user: str) -> str:
    """Return the access key of the keys of a platform and a user."""
    return hashlib.sha256(f"{cluster_id} {user}".encode()).hexdigest()[:32]


def unrevoked(cluster_id: str, user: str) -> Finding:
    """Return what there is to say of keys that cannot be seen."""
    access = access_of(cluster_id, user)
    return Finding(
        f"EC2 credential {access} of user {user}",
        "may still be there: it was made by another user, and only he and administrators see it",
        f"Have one of them run: openstack ec2 credentials delete --user {user} {access}",
    )


def stored(cloud: Connection, cluster_id: str, *, expected: bool = False) -> list[Stored]:
    """Return the container of a platform as the data it is; none where there is no container.

    Where nobody may look there is none unless one is ``expected``: then it is unknown what is in it.
    """
    container = container_of(cluster_id)
    if expected and _forbidden(cloud, container):
        return [Stored(CONTAINER, container, "", 0, UNKNOWN, cluster=cluster_id)]
    sizes = [
        int(found["X-Container-Bytes-Used"])
        for each in (container, container + _SEGMENTS)
        if (found := _head(cloud, each)) is not None
    ]
    if not sizes:
        return []
    return [Stored(CONTAINER, container, "", -(-sum(sizes) // _GIB), "available", cluster=cluster_id)]


def everywhere(cloud: Connection) -> list[Found] | None:
    """Return the containers of all platforms in the project; None where the user may not list them.

    A container that is only named like one of ours is left out: its own metadata have to say whose it is.
    """
    if not cloud.endpoint_for("object-store"):
        return []
    sizes: dict[str, int] = {}
    query = {"format": "json", "prefix": container_of(""), "limit": str(_PAGE)}
    while True:
        listed = cloud.object_store.get("/", params=query)
        if listed.status_code == 403:
            return None
        if listed.status_code == 404:  # the project never had anything there
            return []
        sdk.raise_from_response(listed)
        page = {each["name"]: int(each["bytes"]) for each in (listed.json() if listed.content else [])}
        if not page:
            break
        sizes |= page
        query["marker"] = max(page)
    found = []
    for name in sizes:
        headers = _head(cloud, name) or {}
        cluster = headers.get(_CLUSTER, "")
        if cluster and container_of(cluster) == name:
            size = sizes[name] + sizes.get(name + _SEGMENTS, 0)
            made = datetime.fromtimestamp(float(headers["X-Timestamp"]), UTC)
            stands = Stored(CONTAINER, name, "", -(-size // _GIB), "available", made.isoformat(), cluster)
            found.append(Found(stands, tuple(users_in(headers))))
    return found


def delete(cloud: Connection, cluster_id: str) -> None:
    """Delete the container of a platform with all its images; none is no error."""
    if not cloud.endpoint_for("object-store"):
        return
    container = container_of(cluster_id)
    for each in (container + _SEGMENTS, container):  # that which says whose both are goes last
        _delete(cloud, f"/{each}")


def _delete(cloud: Connection, path: str) -> None:
    while True:
        listed = cloud.object_store.get(path, params={"format": "json", "limit": str(_PAGE)})
        if listed.status_code == 404:
            return
        sdk.raise_from_response(listed)
        names = [each["name"] for each in (listed.json() if listed.content else [])]
        if not names:
            break
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            answers = list(pool.map(lambda name: cloud.object_store.delete(f"{path}/{quote(name)}"), names))
        for each in answers:
            _gone(each)
    _gone(cloud.object_store.delete(path))


def _gone(response: Any) -> None:
    if response.status_code != 404:
        sdk.raise_from_response(response)


def _user(cloud: Connection) -> str:
    return str(cloud.current_user_id)


def _head(cloud: Connection, container: str) -> Mapping[str, str] | None:
    """Return what the object store says of a container, None if there is none or nobody may look."""
    if not cloud.endpoint_for("object-store"):
        return None
    response = cloud.object_store.head(f"/{container}")
    if response.status_code in (403, 404):
        return None
    sdk.raise_from_response(response)
    headers: Mapping[str, str] = response.headers
    return headers


def _forbidden(cloud: Connection, container: str) -> bool:
    found = cloud.endpoint_for("object-store") and cloud.object_store.head(f"/{container}").status_code
    return bool(found == 403)


def _credentials(cloud: Connection, access: str, user: str) -> list[dict[str, Any]]:
    """Return the credential of an access key among those of a user, if it is there.

    Not asked for by its identifier: where there is none of that, Keystone says that one may not see it.
    """
    query = {"user_id": user, "type": "ec2"}
    response = cloud.identity.get("/credentials", params=query)
    if response.status_code == 403:
        return []
    sdk.raise_from_response(response)
    identifier = hashlib.sha256(access.encode()).hexdigest()  # as Keystone makes it
    return [each for each in response.json()["credentials"] if each["id"] == identifier]


def _secret(cloud: Connection, access: str) -> str:
    """Return the secret key of an access key, made where there is none."""
    for each in _credentials(cloud, access, _user(cloud)):
        return str(json.loads(each["blob"])["secret"])
    secret = secrets.token_hex(32)
    wanted = {
        "type": "ec2",
        "user_id": _user(cloud),
        "project_id": cloud.current_project_id,
        "blob": json.dumps({"access": access, "secret": secret}),
    }
    sdk.raise_from_response(cloud.identity.post("/credentials", json={"credential": wanted}))
    return secret
