"""The names of a platform taken out of the cloud's zones, and from its addresses."""

from collections.abc import Callable
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack import exceptions as sdk
from openstack.connection import Connection

from causeway.cloud.ownership import Owner
from causeway.rooms.platforms.belongings import Belonging, record_sets, reverse_records

_ERRORS = (sdk.SDKException, ClientException)
"""Refusals, and connections that were lost."""
_TRIES = 3  # of what a busy Designate refuses


def delete(cloud: Connection, cluster_id: str, tell: Callable[[str], None]) -> Exception | None:
    """Delete all names of a cluster; return why addresses still answer some, None if they do not.

    Addresses come first and are not asked about any more once the record sets are gone: a Designate that
    never reaches Neutron keeps nobody from deleting a platform. Raises ``HttpException`` for record sets.
    """
    named = record_sets(cloud, cluster_id)
    if not named:
        return None
    failed: Exception | None = None
    for _ in range(_TRIES):
        failed = _unset_all(cloud, cluster_id, tell)
        if failed is None:
            break
    # A TXT says whose another record set is: it goes after that.
    for each in sorted(named, key=lambda each: each.name.startswith("TXT ")):
        tell(str(each))
        zone, _, identifier = each.id.partition("/")
        answer = cloud.dns.delete(f"/zones/{zone}/recordsets/{identifier}")
        if answer.status_code not in (404, 409):  # what is being changed is met again by the next sweep
            sdk.raise_from_response(answer)
    return failed


def _unset_all(cloud: Connection, cluster_id: str, tell: Callable[[str], None]) -> Exception | None:
    failed: Exception | None = None
    try:
        found = reverse_records(cloud, cluster_id)
    except _ERRORS as error:
        return error
    for each in found:
        tell(str(each))
        try:
            _unset(cloud, cluster_id, each)
        except _ERRORS as error:
            failed = error
    return failed


def _unset(cloud: Connection, cluster_id: str, found: Belonging) -> None:
    def write(**body: str | None) -> Any:
        return cloud.dns.patch(f"/reverse/floatingips/{found.id}", json=body)

    answer = write(ptrdname=None)
    if answer.status_code == 404:
        # A floating IP that had the address before wrote it: once this one has, it can take it away.
        mark = Owner(cluster_id, "name").description()
        if write(ptrdname=found.name.rpartition(" ")[2], description=mark).status_code < 300:
            answer = write(ptrdname=None)
    if answer.status_code != 404:
        sdk.raise_from_response(answer)
