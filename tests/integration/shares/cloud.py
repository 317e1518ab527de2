"""Manila as its users see it: the types of shares, and what is there."""

from typing import Any

from tests.integration.projects import until

VERSION = "2.55"
TYPE, CEPHFS = "default", "cephfs"
"""The lab's share types: shares of NFS that hold nothing, and real ones of CephFS."""
PARAMETERS = {"type": TYPE}
ON_CEPH = {"type": CEPHFS, "protocol": "CEPHFS"}


def shares(cloud: Any, name: str = "") -> list[dict[str, Any]]:
    """Return the project's shares, or those of a name."""
    params = {"name": name} if name else {}
    answer = cloud.shared_file_system.get("/shares/detail", params=params, microversion=VERSION)
    found: list[dict[str, Any]] = answer.json()["shares"]
    return found


def snapshots(cloud: Any) -> list[dict[str, Any]]:
    """Return the project's snapshots."""
    answer = cloud.shared_file_system.get("/snapshots/detail", microversion=VERSION)
    found: list[dict[str, Any]] = answer.json()["snapshots"]
    return found


def rules(cloud: Any, share: str) -> dict[str, str]:
    """Return whom a share lets in, with the state of each rule."""
    params = {"share_id": share}
    answer = cloud.shared_file_system.get("/share-access-rules", params=params, microversion=VERSION)
    return {each["access_to"]: each["state"] for each in answer.json()["access_list"]}


def act(cloud: Any, share: str, action: dict[str, Any]) -> None:
    """Do something with a share."""
    answer = cloud.shared_file_system.post(f"/shares/{share}/action", json=action, microversion=VERSION)
    assert answer.ok, answer.text


def clear_shares(cloud: Any) -> None:
    """Delete all shares and snapshots of the project."""
    manila = cloud.shared_file_system
    for each in snapshots(cloud):
        manila.delete(f"/snapshots/{each['id']}", microversion=VERSION)
    until(lambda: not snapshots(cloud))
    for each in shares(cloud):
        manila.delete(f"/shares/{each['id']}", microversion=VERSION)
    until(lambda: not shares(cloud))
