"""What is proven with the model of Designate holds on the real one: the same operations, the same seen."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.projects import CLOUD, Project, given_again, project, until
from tests.models.designate import ModelDesignate

from causeway.cloud import errors
from causeway.cloud.designate import Designate, NewRecordSet, RecordSet, Zone
from causeway.cloud.ownership import Owner
from causeway.cloud.session import Cloud
from causeway.lab.settings import Settings


@pytest.fixture(scope="module")
def tenant(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project("contract-names", tmp_path_factory.mktemp("cloud")) as made:
        yield made
        for zone in made.cloud.dns.zones():
            made.cloud.dns.delete_zone(zone)
        until(lambda: not list(made.cloud.dns.zones()), seconds=300)


@pytest.fixture
async def cloud(tenant: Project) -> AsyncIterator[Cloud]:
    async with await Cloud.open(CLOUD, tenant.clouds) as opened:
        yield opened


class Walk:
    """All the names' room does with record sets; ``seen`` is what it saw on its way."""

    def __init__(self, door: Any, zone: Zone) -> None:
        self.door, self.zone = door, zone  # the room's protocol is the same for both
        self.mark = Owner(str(uuid.uuid4()), "name").description()
        self.seen: list[object] = []

    async def walk(self) -> list[object]:
        """Walk, and return what was seen."""
        door, zone = self.door, self.zone
        found = await door.find_zone(zone.name)
        self.seen.append((found.name, found.type, await door.find_zone(f"other.{zone.name}")))
        claim = '"heritage=external-dns,external-dns/owner=me,causeway=marked"'
        await self.see("claim", self.create("a-www", "TXT", claim))
        made = await self.see("record set", self.create("www", "A", "192.0.2.7", "192.0.2.8", ttl=60))
        assert made is not None
        await self.see("again", self.create("www", "A", "192.0.2.7"))
        await self.see("an alias beside it", self.create("www", "CNAME", "far.example.net."))
        await self.see("another type", self.create("www", "AAAA", "2001:db8::7"))
        alias = await self.see("alias", self.create("alias", "CNAME", "far.example.net."))
        assert alias is not None
        await self.see("beside an alias", self.create("alias", "TXT", claim))
        await self.see("wildcard", self.create("*.apps", "A", "192.0.2.9"))
        await self.see("changed", door.update_record_set(zone.id, made.id, ["192.0.2.1"], None, self.mark))
        await door.delete_record_set(zone.id, alias.id)
        await door.delete_record_set(zone.id, alias.id)  # gone is no error
        gone = str(uuid.uuid4())
        await self.see("none", door.update_record_set(zone.id, gone, ["192.0.2.1"], None, self.mark))
        await self.see("where the alias was", self.create("alias", "A", "192.0.2.3"))
        listed = await door.list_record_sets(zone.id)
        self.seen.append(sorted(self.facts(each) for each in listed if each.type not in ("SOA", "NS")))
        self.seen.append(await door.list_floating_ips())
        return self.seen

    def create(self, host: str, kind: str, *records: str, ttl: int | None = None) -> Awaitable[RecordSet]:
        new = NewRecordSet(f"{host}.{self.zone.name}", kind, records, ttl, self.mark)
        made: Awaitable[RecordSet] = self.door.create_record_set(self.zone.id, new)
        return made

    def facts(self, each: RecordSet) -> tuple[object, ...]:
        """Return what is to be the same; records of a set have no order, not even that of their making."""
        host, records = each.name.removesuffix(f".{self.zone.name}"), sorted(each.records)
        return host, each.type, records, each.ttl or 0, each.description == self.mark, each.leaving

    async def see(self, what: str, call: Awaitable[RecordSet]) -> RecordSet | None:
        """Note what came of a call."""
        try:
            answer = await call
        except errors.CloudError as error:
            self.seen.append((what, type(error).__name__))
            return None
        self.seen.append((what, self.facts(answer), answer.status, answer.action))
        return answer


async def test_the_model_does_as_designate_does(tenant: Project, cloud: Cloud, tmp_path: Path) -> None:
    name = f"{uuid.uuid4().hex[:6]}.test."
    made = tenant.cloud.dns.create_zone(name=name, email="hostmaster@lab.test")
    model = ModelDesignate(at_once=True)
    real = await Walk(Designate(cloud), Zone(made.id, name)).walk()
    assert await Walk(model, model.zone(name)).walk() == real


async def test_the_model_names_addresses_as_designate_does(tenant: Project, cloud: Cloud) -> None:
    network = tenant.cloud.network
    made = network.create_ip(floating_network_id=network.find_network("ext").id)
    address, region = made.floating_ip_address, await cloud.region("dns")
    before = f"{region}:{made.id}"
    model = ModelDesignate(floating={before: address})
    first = [("unset", before), ("first", before), ("second", before), ("plain", before)]
    assert await _turns(Designate(cloud), first) == await _turns(model, first)

    after = f"{region}:{given_again(tenant, address).id}"
    model.floating = {after: address}
    then = [("unset", after), ("late", before), ("next", after), ("unset", before), ("unset", after)]
    then.append(("unset", after))
    assert await _turns(Designate(cloud), then) == await _turns(model, then)
    network.delete_ip(after.partition(":")[2])


async def _turns(door: Designate | ModelDesignate, turns: list[tuple[str, str]]) -> list[object]:
    """Name floating IPs, or take their names away; return what came of each and is listed then."""
    seen: list[object] = []
    for what, identifier in turns:
        if what == "unset":
            call = door.unset_reverse(identifier)
        else:
            call = door.set_reverse(identifier, f"{what}.test.", None if what == "plain" else 60, "ours")
        seen.append(await _outcome(call))
        listed = await door.list_floating_ips()
        seen += [(each.id, each.ptrdname, each.ttl, each.description) for each in listed]
    return seen


async def _outcome(call: Awaitable[None]) -> str:
    try:
        await call
    except errors.CloudError as error:
        return type(error).__name__
    return "done"


async def test_a_zone_that_is_gone_is_not_found(cloud: Cloud) -> None:
    for door in (Designate(cloud), ModelDesignate()):
        with pytest.raises(errors.NotFound):
            await door.list_record_sets(str(uuid.uuid4()))
