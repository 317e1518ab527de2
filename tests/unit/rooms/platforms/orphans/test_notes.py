from types import SimpleNamespace
from typing import Any, cast

import pytest
from openstack.connection import Connection

from causeway.cloud.designate import RecordSet
from causeway.cloud.ownership import Owner
from causeway.rooms.names.model import KIND, Setting
from causeway.rooms.names.registry import Affixes, Claim
from causeway.rooms.platforms.orphans.judge import judge
from causeway.rooms.platforms.orphans.model import RECORDS, Inhabitants, Landscape, Thing
from causeway.rooms.platforms.orphans.notes import suspects, unnoted, without_note

ALIVE = "3d9195d1-6bc1-423b-82eb-f2c605ddc198"
SETTING = Setting(ALIVE, ("example.org.",), "us", Affixes(prefix="x-"))


def of(kind: str, name: str, zone: str = "z", cluster: str = ALIVE) -> Thing:
    return Thing(RECORDS, f"{zone}/{kind}-{name}", f"{name}.example.org.", Owner(cluster, KIND), about=kind)


def note(name: str, owner: str = "us") -> RecordSet:
    return RecordSet("n", f"{name}.example.org.", "TXT", (Claim(owner).text(),))


def suspected(*things: Thing) -> list[str]:
    return [each.id for each in suspects(Landscape(things, {}), SETTING)]


def test_who_has_a_note_at_its_own_place_is_not_suspected() -> None:
    assert suspected(of("A", "www"), of("TXT", "x-a-www"), of("A", "WWW"), of("TXT", "x-a-old")) == []


def test_who_has_none_is_suspected() -> None:
    assert suspected(of("A", "www"), of("TXT", "x-aaaa-www")) == ["z/A-www"]
    assert suspected(of("A", "www"), of("TXT", "x-a-www", zone="y")) == ["z/A-www"]
    assert suspected(of("A", "www", cluster="another")) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (note("x-a-www"), False),
        (note("x-a-www", "them"), False),  # taken over
        (note("x-www"), False),  # the old form, for all types
        (note("x-aaaa-www"), True),
        (RecordSet("n", "x-a-www.example.org.", "TXT", ('"hello"',)), True),
    ],
)
def test_any_note_speaks_for_a_record_set(text: RecordSet, left: bool) -> None:
    assert bool(without_note([of("A", "www")], {"z": [text]}, SETTING)) is left


class Zones:
    """A cloud's name service: each zone's TXT record sets, one a page."""

    def __init__(self, zones: dict[str, list[str]]) -> None:
        self.dns = self
        self.asked: list[str] = []
        self._zones = zones

    def get(self, path: str, params: dict[str, Any]) -> Any:
        self.asked.append(path)
        zone = path.split("/")[2]
        if zone not in self._zones:
            return SimpleNamespace(status_code=404)
        names = self._zones[zone]
        start = names.index(params["marker"]) + 1 if "marker" in params else 0
        page = [
            {"id": name, "name": f"{name}.example.org.", "type": "TXT", "records": [Claim("us").text()]}
            for name in names[start : start + 1]
        ]
        return SimpleNamespace(status_code=200, json=lambda: {"recordsets": page})


def test_only_zones_of_suspects_are_read_and_to_their_end() -> None:
    cloud = Zones({"z": ["x-a-other", "x-a-taken"]})
    things = (of("A", "www"), of("A", "taken"), of("A", "www", zone="y"), of("TXT", "x-a-www", zone="y"))
    found = unnoted(cast(Connection, cloud), Landscape(things, {}), SETTING)
    assert found == {"z/A-www"}
    assert set(cloud.asked) == {"/zones/z/recordsets"}


def test_a_zone_that_is_gone_holds_no_notes() -> None:
    cloud = cast(Connection, Zones({}))
    assert unnoted(cloud, Landscape((of("A", "www"),), {}), SETTING) == {"z/A-www"}


def test_a_record_set_without_note_is_told_and_left_to_a_person() -> None:
    asked = Inhabitants(ALIVE, frozenset(), frozenset(), frozenset(), unnoted=frozenset({"z/A-www"}))
    seen = Landscape((of("A", "www"), of("A", "other"), of("TXT", "x-a-other")), {ALIVE: "demo"})
    verdict = judge(seen, asked)
    (orphan,) = verdict.orphans
    assert (orphan.thing.id, verdict.belonging) == ("z/A-www", 2)
    assert orphan.proof == "no TXT in its zone says whose it is"
    assert "by hand" in orphan.held
