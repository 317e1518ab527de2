"""The door to Designate: pages as Designate links them, and what of an answer is kept."""

import json
from typing import Any

from causeway.cloud.designate import Designate, RecordSet


class Cloud:
    """Answers the calls it is asked for, in order."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = [json.dumps(each).encode() for each in answers]
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def call(self, _service: str, method: str, path: str, **how: Any) -> bytes:
        self.asked.append((method, path, dict(how.get("params") or how.get("body") or {})))
        return self.answers.pop(0)


def described(number: int) -> dict[str, Any]:
    return {"id": f"r{number}", "name": "a.example.org.", "type": "A", "records": ["192.0.2.1"], "version": 1}


async def test_pages_are_followed_by_the_last_of_each() -> None:
    more = {"self": "https://dns/v2", "next": "https://dns/v2?marker=r1"}
    cloud = Cloud(
        {"recordsets": [described(0), described(1)], "links": more, "metadata": {"total_count": 3}},
        {"recordsets": [described(2)], "links": {"self": "https://dns/v2"}},
    )
    found = await Designate(cloud).list_record_sets("z")  # type: ignore[arg-type]
    assert [each.id for each in found] == ["r0", "r1", "r2"]
    path = "/v2/zones/z/recordsets"
    assert cloud.asked == [
        ("GET", path, {"limit": "max"}),
        ("GET", path, {"limit": "max", "marker": "r1"}),
    ]


async def test_a_zone_is_found_by_its_name() -> None:
    cloud = Cloud({"zones": [{"id": "z", "name": "example.org."}], "links": {}}, {"zones": [], "links": {}})
    door = Designate(cloud)  # type: ignore[arg-type]
    assert (found := await door.find_zone("example.org.")) is not None
    assert found.id == "z"
    assert await door.find_zone("example.org.") is None


def test_a_record_set_that_is_being_deleted_is_leaving() -> None:
    assert RecordSet("r", "a.", "A", status="PENDING", action="DELETE").leaving
    assert not RecordSet("r", "a.", "A", status="PENDING", action="CREATE").leaving
