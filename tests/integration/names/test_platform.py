"""What a platform's commands have to do with names, on the lab's Keystone and Designate."""

import asyncio
import io
import uuid
from pathlib import Path

import pytest
from tests.integration.names.conftest import Doors, ZoneOfTest
from tests.integration.projects import given_again, until

from causeway.cloud.access import NAMES, RULES
from causeway.cloud.designate import Designate, NewRecordSet
from causeway.cloud.errors import NotFound, Unauthorized
from causeway.cloud.ownership import Owner
from causeway.cloud.session import Cloud
from causeway.kit.progress import Progress
from causeway.rooms.names.model import Setting
from causeway.rooms.names.registry import Claim
from causeway.rooms.platforms import belongings, credential, destroy
from causeway.rooms.platforms.orphans.gather import landscape
from causeway.rooms.platforms.orphans.judge import judge
from causeway.rooms.platforms.orphans.notes import unnoted
from causeway.rooms.platforms.orphans.remove import remove


async def test_the_credential_may_write_names_only_where_they_are_used(
    zone: ZoneOfTest, tmp_path: Path
) -> None:
    cloud = zone.project.cloud
    name = credential.name_of("test", str(uuid.uuid4()))
    try:
        for names in (False, True):
            files = await asyncio.to_thread(credential.ensure, cloud, name, {}, names=names)
            file = tmp_path / f"clouds-{names}.yaml"
            file.write_text(files["clouds.yaml"])
            async with await Cloud.open(credential.CLOUD, file) as opened:
                designate = Designate(opened)
                if not names:
                    with pytest.raises(Unauthorized):
                        await designate.find_zone(zone.name)
                    continue
                assert await designate.find_zone(zone.name) is not None
                new = NewRecordSet(f"www.{zone.name}", "A", ("192.0.2.7",))
                made = await designate.create_record_set(zone.id, new)
                await designate.update_record_set(zone.id, made.id, ["192.0.2.8"], 60, "")
                assert made.id in {each.id for each in await designate.list_record_sets(zone.id)}
                await designate.delete_record_set(zone.id, made.id)
                await designate.list_floating_ips()
                with pytest.raises(NotFound):
                    await designate.set_reverse(f"RegionOne:{uuid.uuid4()}", f"www.{zone.name}", None, "")
                with pytest.raises(Unauthorized):
                    await opened.call("dns", "DELETE", f"/v2/zones/{zone.id}")
        living = [each for each in credential.all_of(cloud) if each["name"].startswith(name)]
        allowed = sorted(len(each["access_rules"]) for each in living)
        assert allowed == [len(RULES), len(RULES) + len(NAMES)]
    finally:
        credential.revoke(cloud, name)


async def test_what_a_platform_wrote_goes_with_it_and_nothing_else(
    doors: Doors, zone: ZoneOfTest, floating_ip: str
) -> None:
    cloud, cluster, other = zone.project.cloud, str(uuid.uuid4()), str(uuid.uuid4())
    for owner, host in ((cluster, "ours"), (other, "theirs")):
        mark = Owner(owner, "name").description()
        for name, kind, record in ((f"a-{host}", "TXT", '"x"'), (host, "A", floating_ip)):
            new = NewRecordSet(f"{name}.{zone.name}", kind, (record,), None, mark)
            await doors.designate.create_record_set(zone.id, new)
    zone.put("hand", "A", "192.0.2.3")
    (address,) = [each for each in await doors.designate.list_floating_ips() if each.address == floating_ip]
    mark = Owner(cluster, "name").description()
    await doors.designate.set_reverse(address.id, f"ours.{zone.name}", None, mark)
    await asyncio.to_thread(given_again, zone.project, floating_ip)  # the name is the released one's now

    found = await asyncio.to_thread(belongings.record_sets, cloud, cluster)
    assert sorted(each.name for each in found) == [f"A ours.{zone.name}", f"TXT a-ours.{zone.name}"]
    assert len(await asyncio.to_thread(belongings.reverse_records, cloud, cluster)) == 1

    with Progress(io.StringIO()).phase("sweep") as phase:
        await asyncio.to_thread(destroy.sweep, cloud, cluster, phase)
    assert set(await doors.sets()) == {("a-theirs", "TXT"), ("theirs", "A"), ("hand", "A")}
    assert not await asyncio.to_thread(belongings.record_sets, cloud, cluster)
    until(lambda: not belongings.reverse_records(cloud, cluster))

    verdict = judge(await asyncio.to_thread(landscape, cloud), None, other)
    gone, kept = await asyncio.to_thread(remove, cloud, verdict.orphans, lambda _: None)
    assert (len(gone), kept) == (2, [])
    assert set(await doors.sets()) == {("hand", "A")}


async def test_a_record_set_whose_note_is_gone_is_told(doors: Doors, zone: ZoneOfTest) -> None:
    cloud, cluster = zone.project.cloud, str(uuid.uuid4())
    mark = Owner(cluster, "name").description()
    made = {}
    for host in ("lone", "taken"):
        new = NewRecordSet(f"{host}.{zone.name}", "A", ("192.0.2.3",), None, mark)
        made[host] = await doors.designate.create_record_set(zone.id, new)
    zone.put("a-taken", "TXT", Claim("them").text())
    seen = await asyncio.to_thread(landscape, cloud)
    found = await asyncio.to_thread(unnoted, cloud, seen, Setting(cluster, (zone.name,), "us"))
    assert found == {f"{zone.id}/{made['lone'].id}"}
