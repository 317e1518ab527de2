"""Security groups, their rules and address groups: what may reach a port.

None of these can be tagged in the creating call: their description says from the first moment whose they are,
and that is what they are found by.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from causeway.cloud import errors
from causeway.cloud.ownership import Owner, owner_in, owner_of
from causeway.cloud.session import Cloud, decoded

_SERVICE = "network"
_Shape = TypeVar("_Shape", bound=msgspec.Struct)
_BULK_TIMEOUT = 120.0  # seconds
_ADDRESS_GROUPS = "security-groups-remote-address-group"  # the extension's name


class Rule(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What one rule allows: all fields together; None means any.

    Two equal rules are refused in one group, so a rule is its own key.
    """

    direction: Literal["ingress", "egress"] = msgspec.field(default="ingress")
    ethertype: Literal["IPv4", "IPv6"] = msgspec.field(default="IPv4")
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None

    def __str__(self) -> str:
        ports = (
            "" if self.port_range_min is None else f" ports {self.port_range_min}-{self.port_range_max or ''}"
        )
        remote = self.remote_ip_prefix or self.remote_group_id or self.remote_address_group_id or "anywhere"
        return f"{self.direction} {self.ethertype} {self.protocol or 'any'}{ports} {remote}"


class KnownRule(msgspec.Struct, frozen=True, gc=False):
    """A rule as Neutron shows it."""

    id: str
    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"]
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None

    @property
    def rule(self) -> Rule:
        """Return what it allows."""
        return Rule(**{name: getattr(self, name) for name in Rule.__struct_fields__})


class SecurityGroup(msgspec.Struct, frozen=True):
    """A security group with its rules."""

    id: str
    name: str
    description: str = ""
    tags: list[str] = []
    security_group_rules: list[KnownRule] = []

    @property
    def owner(self) -> Owner | None:
        """Whom the group belongs to."""
        return owner_of(self.tags) or owner_in(self.description)


class AddressGroup(msgspec.Struct, frozen=True):
    """A set of ranges that rules can name; a change of it reaches all of them at once."""

    id: str
    name: str
    description: str = ""
    addresses: list[str] = []

    @property
    def owner(self) -> Owner | None:
        """Whom the group belongs to."""
        return owner_in(self.description)


class SecurityGroups:
    """The part of the network service that knows who may reach whom."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def has_address_groups(self) -> bool:
        """Return whether rules can name address groups in this cloud."""
        try:
            await self._cloud.call(_SERVICE, "GET", f"/v2.0/extensions/{_ADDRESS_GROUPS}")
        except errors.NotFound:
            return False
        return True

    async def list_groups(self, cluster: str, *kinds: str) -> list[SecurityGroup]:
        """Return the security groups that belong to objects of some ``kinds``, with their rules."""
        return _owned(await self._listed("security-groups", SecurityGroup), cluster, kinds)

    async def create_groups(self, wanted: Sequence[tuple[str, Owner]]) -> list[SecurityGroup]:
        """Make groups of a (name, owner) each in one call; they let everything out and nothing in."""
        requests = [{"name": name, "description": owner.description()} for name, owner in wanted]
        answer = await self._post("security-groups", {"security_groups": requests})
        return msgspec.json.decode(answer, type=dict[str, list[SecurityGroup]])["security_groups"]

    async def delete_group(self, group_id: str) -> None:
        """Delete a group; one that is gone is no error. Raises ``InUse`` while a port has it."""
        await self._delete(f"/v2.0/security-groups/{group_id}")

    async def create_rules(self, group_id: str, rules: Iterable[Rule]) -> list[KnownRule]:
        """Add rules to one group in one call, all or none; raises ``Conflict`` when it has one of them."""
        requests = [
            {"security_group_id": group_id, "direction": rule.direction, "ethertype": rule.ethertype}
            | msgspec.to_builtins(rule)
            for rule in rules
        ]
        answer = await self._post("security-group-rules", {"security_group_rules": requests})
        return msgspec.json.decode(answer, type=dict[str, list[KnownRule]])["security_group_rules"]

    async def delete_rule(self, rule_id: str) -> None:
        """Delete a rule; one that is gone is no error."""
        await self._delete(f"/v2.0/security-group-rules/{rule_id}")

    async def list_address_groups(self, cluster: str, kind: str) -> list[AddressGroup]:
        """Return the address groups that belong to objects of ``kind``."""
        return _owned(await self._listed("address-groups", AddressGroup), cluster, (kind,))

    async def create_address_group(self, name: str, owner: Owner, addresses: Iterable[str]) -> AddressGroup:
        """Make an address group of ranges such as ``10.0.0.7/32``; Neutron knows no bulk call for these."""
        body = {"name": name, "description": owner.description(), "addresses": sorted(addresses)}
        answer = await self._post("address-groups", {"address_group": body})
        return msgspec.json.decode(answer, type=dict[str, AddressGroup])["address_group"]

    async def add_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        """Add ranges to an address group."""
        return await self._change(group_id, "add_addresses", addresses)

    async def remove_addresses(self, group_id: str, addresses: Iterable[str]) -> AddressGroup:
        """Remove ranges from an address group; raises ``NotFound`` when it lacks one of them."""
        return await self._change(group_id, "remove_addresses", addresses)

    async def delete_address_group(self, group_id: str) -> None:
        """Delete an address group; one that is gone is no error. Raises ``InUse`` while a rule names it."""
        await self._delete(f"/v2.0/address-groups/{group_id}")

    async def _change(self, group_id: str, verb: str, addresses: Iterable[str]) -> AddressGroup:
        path, body = f"/v2.0/address-groups/{group_id}/{verb}", {"addresses": sorted(addresses)}
        answer = await self._cloud.call(_SERVICE, "PUT", path, body=body)
        return msgspec.json.decode(answer, type=dict[str, AddressGroup])["address_group"]

    async def _listed(self, collection: str, shape: type[_Shape]) -> list[_Shape]:
        key = collection.replace("-", "_")
        fields = [field.encode_name for field in msgspec.structs.fields(shape)]
        found = await self._cloud.get_all(_SERVICE, f"/v2.0/{collection}", key, params={"fields": fields})
        return await decoded(found, shape)

    async def _post(self, collection: str, body: Any) -> bytes:
        return await self._cloud.call(
            _SERVICE, "POST", f"/v2.0/{collection}", body=body, within=_BULK_TIMEOUT
        )

    async def _delete(self, path: str) -> None:
        try:
            await self._cloud.call(_SERVICE, "DELETE", path)
        except errors.NotFound:
            return


_Owned = TypeVar("_Owned", SecurityGroup, AddressGroup)


def _owned(found: list[_Owned], cluster: str, kinds: Collection[str]) -> list[_Owned]:
    return [
        each for each in found if (owner := each.owner) and owner.cluster == cluster and owner.kind in kinds
    ]
