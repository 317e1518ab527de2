from tests.unit.rooms.names.examples import SETTING, source

from causeway.cloud.designate import FloatingIp
from causeway.rooms.names.model import Record
from causeway.rooms.names.reverse import plan_reverse

ADDRESS = "192.0.2.7"


def record(name: str, *targets: str, order: int = 0, kind: str = "A", ttl: int | None = None) -> Record:
    found = targets or (ADDRESS,)
    return Record(f"{name}.example.org.", kind, found, ttl, "service/shop/web", (source(),), order)


def floating(name: str | None = None, *, ours: bool = True, ttl: int | None = None) -> FloatingIp:
    description = SETTING.mark if ours and name else None
    return FloatingIp("RegionOne:1", ADDRESS, f"{name}.example.org." if name else None, ttl, description)


def steps(records: list[Record], *found: FloatingIp, **released: str) -> list[str]:
    return [str(each) for each in plan_reverse(records, found, SETTING, released)]


def test_an_address_answers_the_first_name_that_leads_to_it() -> None:
    both = [record("b", order=1), record("z", order=0), record("*.x")]
    assert steps(both, floating()) == [f"let {ADDRESS} answer z.example.org."]


def test_a_name_it_has_from_us_stays_while_it_leads_there() -> None:
    assert not steps([record("a"), record("b", order=1)], floating("b"))
    assert steps([record("a")], floating("b")) == [f"let {ADDRESS} answer a.example.org."]
    assert steps([record("a", ttl=60)], floating("a")) == [f"let {ADDRESS} answer a.example.org."]
    assert not steps([record("a", ttl=60)], floating("a", ttl=60))


def test_a_time_to_live_that_is_not_asked_for_is_the_zones_and_no_reason_to_write() -> None:
    assert not steps([record("a")], floating("a", ttl=3600))


def test_a_name_of_somebody_else_stays() -> None:
    assert not steps([record("a")], floating("mail", ours=False))
    assert not steps([], floating("mail", ours=False))


def test_a_name_that_leads_there_no_more_is_taken_away() -> None:
    assert steps([record("a", "192.0.2.8")], floating("a")) == [f"let {ADDRESS} answer no name"]
    assert not steps([], floating())


def test_wildcards_and_aliases_are_no_names_to_answer() -> None:
    assert not steps([record("*.apps"), record("www", "far.example.net.", kind="CNAME")], floating())


def test_a_released_address_keeps_no_name_unless_it_is_in_use_again() -> None:
    assert steps([], old=ADDRESS) == [f"let {ADDRESS} answer no name"]
    assert not steps([record("a")], floating("a"), old=ADDRESS)


def test_an_address_that_a_name_leads_to_keeps_its_name_where_it_is_not_listed() -> None:
    assert not steps([record("a")], old=ADDRESS)
