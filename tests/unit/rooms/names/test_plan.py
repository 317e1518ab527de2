"""The plan of a zone: what it does, and what it never does, whatever the zone holds."""

import dataclasses
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.designate import ModelDesignate
from tests.unit.rooms.names.examples import OWNER, SETTING, ZONE, carry_out, claim, source, zone_of

from causeway.cloud.designate import RecordSet
from causeway.rooms.names.model import ALWAYS_KNOWN, Desired, Note, Setting, Source, Wish
from causeway.rooms.names.plan import plan
from causeway.rooms.names.registry import Affixes

WWW = "www.example.org."


def wish(
    name: str = WWW,
    *targets: str,
    of: str = "web",
    namespace: str = "shop",
    created: str = "",
    **more: object,
) -> Wish:
    found = targets or ("192.0.2.7",)
    kind = "CNAME" if found[0].endswith(".") else "AAAA" if ":" in found[0] else "A"
    base = Wish(name, kind, found, source(of, namespace, created))
    return dataclasses.replace(base, **more)  # type: ignore[arg-type]  # fields of it


def at_once(calls: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing: the model answers at once, and a loop for each call takes its time."""
    with pytest.raises(StopIteration):
        calls.send(None)


class Cloud:
    """A zone of the model, and the plan of it."""

    def __init__(self, setting: Setting = SETTING) -> None:
        self.model, self.setting = ModelDesignate(), setting
        self.id = self.model.zone(ZONE).id

    def put(self, name: str, kind: str, *records: str, description: str = "") -> RecordSet:
        return self.model.put(self.id, name, kind, *records, description=description)

    def steps(self, *wishes: Wish, untouched: frozenset[str] = frozenset()) -> list[list[str]]:
        return [[str(step) for step in chain] for chain in self.plan(*wishes, untouched=untouched).chains]

    def plan(self, *wishes: Wish, untouched: frozenset[str] = frozenset()):  # type: ignore[no-untyped-def]
        return plan(Desired(wishes, (), untouched), zone_of(self.model, self.id, self.setting), self.setting)

    def do(self, *wishes: Wish, rounds: int = 6) -> dict[tuple[str, str], tuple[str, ...]]:
        """Plan and carry out until nothing is left to do; return what the zone answers."""
        for _ in range(rounds):
            planned = self.plan(*wishes)
            if not planned.chains:
                return self.model.answers(self.id)
            at_once(carry_out(planned, self.model, self.id, self.setting))
        raise AssertionError(f"never ends: {planned.chains}")

    def reasons(self, *wishes: Wish) -> list[tuple[str, str]]:
        return [(each.source.name, each.reason) for each in self.plan(*wishes).notes]


def test_the_txt_is_written_before_its_record_set_and_deleted_after() -> None:
    cloud = Cloud()
    text = claim("service/shop/web", OWNER, "causeway=marked")
    assert cloud.steps(wish()) == [[f"create TXT a-{WWW} {text}", f"create A {WWW} 192.0.2.7"]]
    assert cloud.do(wish()) == {(f"a-{WWW}", "TXT"): (text,), (WWW, "A"): ("192.0.2.7",)}
    assert cloud.steps() == [[f"delete A {WWW}", f"delete TXT a-{WWW}"]]
    assert cloud.do() == {}


def test_changed_addresses_and_ttls_are_changed_in_place() -> None:
    cloud = Cloud()
    cloud.do(wish())
    assert cloud.steps(wish(WWW, "192.0.2.8")) == [[f"update A {WWW} to 192.0.2.8"]]
    assert cloud.steps(wish(ttl=60)) == [[f"update A {WWW} to 192.0.2.7"]]
    cloud.do(wish(ttl=60))
    assert not cloud.steps(wish(ttl=60))


def test_a_foreign_record_set_stays_and_is_told() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "198.51.100.1")
    assert not cloud.steps(wish())
    assert cloud.reasons(wish()) == [("web", "NameTaken")]


def test_so_does_one_of_another_owner() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "198.51.100.1")
    cloud.put(f"a-{WWW}", "TXT", claim(owner="other"))
    assert not cloud.steps(wish())
    assert "'other'" in cloud.plan(wish()).notes[0].cause


def test_a_name_another_owner_has_claimed_is_his_before_the_record_is_there() -> None:
    cloud = Cloud()
    cloud.put(f"a-{WWW}", "TXT", claim(owner="other"))
    assert not cloud.steps(wish())
    assert cloud.reasons(wish()) == [("web", "NameTaken")]


def test_who_makes_a_record_set_between_our_txt_and_ours_keeps_it() -> None:
    cloud = Cloud()
    chain = cloud.plan(wish()).chains[0]
    at_once(
        carry_out(
            dataclasses.replace(cloud.plan(wish()), chains=(chain[:1],)), cloud.model, cloud.id, SETTING
        )
    )
    cloud.put(WWW, "A", "198.51.100.1")
    assert cloud.steps(wish()) == [[f"delete TXT a-{WWW}"]]
    assert cloud.reasons(wish()) == [("web", "NameTaken")]
    assert cloud.do() == {(WWW, "A"): ("198.51.100.1",)}


def test_a_crash_after_the_txt_is_healed() -> None:
    for later in ((wish(),), ()):
        cloud = Cloud()
        planned = cloud.plan(wish())
        half = dataclasses.replace(planned, chains=(planned.chains[0][:1],))
        at_once(carry_out(half, cloud.model, cloud.id, SETTING))
        assert set(cloud.do(*later)) == ({(WWW, "A"), (f"a-{WWW}", "TXT")} if later else set())


def test_a_crash_after_a_deletion_is_healed() -> None:
    cloud = Cloud()
    cloud.do(wish())
    planned = cloud.plan()
    half = dataclasses.replace(planned, chains=(planned.chains[0][:1],))
    at_once(carry_out(half, cloud.model, cloud.id, SETTING))
    assert cloud.do() == {}


@pytest.mark.parametrize("form", [f"a-{WWW}", WWW])
def test_a_zone_of_external_dns_is_taken_over_without_a_change(form: str) -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "192.0.2.7")
    cloud.put(form, "TXT", claim())
    assert not cloud.steps(wish())
    assert not cloud.reasons(wish())
    assert cloud.do(wish(WWW, "192.0.2.8"))[WWW, "A"] == ("192.0.2.8",)
    assert cloud.do() == {}


def test_both_forms_at_once_as_releases_in_between_wrote_them() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "192.0.2.7")
    cloud.put(WWW, "TXT", claim())
    cloud.put(f"a-{WWW}", "TXT", claim())
    assert cloud.do(wish(), wish("old.example.org."))[WWW, "A"] == ("192.0.2.7",)
    assert cloud.do() == {}


def test_its_prefix_suffix_and_wildcard_are_followed() -> None:
    for affixes, txt in (
        (Affixes("txt."), f"txt.a-{WWW}"),
        (Affixes("", "-owner"), "a-www-owner.example.org."),
        (Affixes("%{record_type}-x."), f"a-x.{WWW}"),
    ):
        cloud = Cloud(dataclasses.replace(SETTING, affixes=affixes))
        cloud.put(WWW, "A", "192.0.2.7")
        cloud.put(txt, "TXT", claim())
        assert not cloud.steps(wish())
        assert cloud.do() == {}
    cloud = Cloud(dataclasses.replace(SETTING, affixes=Affixes(wildcard="any")))
    cloud.put("*.apps.example.org.", "A", "192.0.2.7")
    cloud.put("a-any.apps.example.org.", "TXT", claim())
    assert not cloud.steps(wish("*.apps.example.org."))
    assert cloud.do() == {}


def test_a_txt_that_may_mean_a_wildcard_or_a_name_proves_nothing() -> None:
    cloud = Cloud()
    cloud.put("*.example.org.", "A", "192.0.2.7")
    cloud.put("wildcard.example.org.", "A", "198.51.100.1")
    cloud.put("a-wildcard.example.org.", "TXT", claim())
    assert set(cloud.do()) >= {("*.example.org.", "A"), ("wildcard.example.org.", "A")}


def test_what_external_dns_published_of_other_kinds_stays() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "192.0.2.7")
    cloud.put(f"a-{WWW}", "TXT", claim("crd/shop/web"))
    cloud.put("_x._tcp.example.org.", "SRV", "0 50 80 w1.example.org.")
    cloud.put("srv-_x._tcp.example.org.", "TXT", claim("service/shop/web"))
    assert not cloud.steps()
    assert not cloud.steps(wish())
    assert "belongs to crd/shop/web" in cloud.plan(wish()).notes[0].cause


def test_what_it_published_of_services_this_room_does_not_publish_stays() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "10.0.0.5")
    cloud.put(f"a-{WWW}", "TXT", claim("service/shop/port"))
    assert not cloud.steps(untouched=frozenset({"service/shop/port"}))
    assert cloud.steps() == [[f"delete A {WWW}", f"delete TXT a-{WWW}"]]


@pytest.mark.parametrize("resource", ["httproute/one/shop", "tlsroute/one/shop"])
def test_what_a_kind_has_stays_until_all_of_it_are_known(resource: str) -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "192.0.2.1")
    cloud.put(f"a-{WWW}", "TXT", claim(resource))
    assert not cloud.steps()
    assert not cloud.steps(wish())
    assert f"belongs to {resource}" in cloud.plan(wish()).notes[0].cause
    known = Desired(known=ALWAYS_KNOWN | {resource.partition("/")[0]})
    (chain,) = plan(known, zone_of(cloud.model, cloud.id), SETTING).chains
    assert [str(step) for step in chain] == [f"delete A {WWW}", f"delete TXT a-{WWW}"]


def test_who_has_a_name_keeps_it_and_the_next_gets_it_then() -> None:
    cloud = Cloud()
    late, early = wish(created="2"), wish(WWW, "192.0.2.9", of="other", namespace="else", created="1")
    assert cloud.do(late)[WWW, "A"] == ("192.0.2.7",)
    assert cloud.do(late, early)[WWW, "A"] == ("192.0.2.7",)
    assert cloud.reasons(late, early) == [("other", "NameTaken")]
    assert cloud.do(early)[WWW, "A"] == ("192.0.2.9",)
    assert cloud.model.answers(cloud.id)[f"a-{WWW}", "TXT"] == (
        claim("service/else/other", OWNER, "causeway=marked"),
    )


def answered(of: str = "shop", namespace: str = "one", created: str = "2") -> Wish:
    """Return what somebody wants for whom a wildcard answers."""
    return Wish(WWW, "", (), source(of, namespace, created))


def test_a_name_that_a_wildcard_answers_has_no_record_and_is_nobody_elses() -> None:
    cloud = Cloud()
    thief = wish(namespace="evil", created="1")
    assert not cloud.steps(answered(), answered("twin", "two"))
    assert not cloud.reasons(answered(), answered("twin", "two"))
    assert not cloud.steps(answered(), thief)
    (note,) = cloud.plan(thief, answered()).notes
    assert (note.source, note.reason) == (thief.source, "NameTaken")
    assert note.cause == f"{WWW} belongs to service/one/shop"


def test_who_a_wildcard_answers_for_may_have_a_record_besides_and_so_may_his_namespace() -> None:
    for namespace in ("one", "two"):
        cloud = Cloud()
        own = wish(of="shop", namespace="one") if namespace == "one" else wish(namespace="two")
        wanted = (own, answered(namespace=namespace), wish(WWW, "192.0.2.9", namespace="evil", created="1"))
        assert cloud.do(*wanted)[WWW, "A"] == ("192.0.2.7",)
        assert cloud.reasons(*wanted) == [("web", "NameTaken")]


def test_so_is_one_whose_record_goes() -> None:
    cloud = Cloud()
    thief = wish(WWW, "192.0.2.9", namespace="evil", created="1")
    cloud.do(wish(namespace="one"), answered(), thief)
    assert cloud.do(answered(), thief) == {}


def test_who_has_a_record_keeps_it_from_one_a_wildcard_would_answer_for() -> None:
    cloud = Cloud()
    cloud.do(wish())
    assert not cloud.steps(wish(), answered())
    assert cloud.reasons(wish(), answered()) == [("shop", "NameTaken")]
    assert cloud.do(answered()) == {}


def test_so_does_one_whose_record_old_external_dns_made_and_names_nobody() -> None:
    cloud = Cloud()
    cloud.put(WWW, "A", "192.0.2.7")
    cloud.put(WWW, "TXT", claim(""))
    same = wish(WWW, "192.0.2.9", of="other", namespace="evil", created="1")
    assert cloud.reasons(wish(created="2"), answered(), same) == [
        ("other", "NameTaken"),
        ("shop", "NameTaken"),
    ]
    assert cloud.do(wish(created="2"), answered(), same)[WWW, "A"] == ("192.0.2.7",)
    assert not cloud.reasons(wish(created="2"))


def test_while_a_wildcard_answers_for_several_who_has_a_record_keeps_it_and_nobody_gets_one() -> None:
    cloud = Cloud()
    wanted = wish(created="2"), answered(), answered("twin", "evil", "1")
    assert not cloud.steps(*wanted)
    (note,) = cloud.plan(*wanted).notes
    assert (note.source, note.reason) == (wanted[0].source, "NameTaken")
    assert "service/evil/twin, service/one/shop" in note.cause
    cloud.do(wanted[0])
    assert not cloud.steps(*wanted)
    assert cloud.reasons(*wanted) == [("twin", "NameTaken"), ("shop", "NameTaken")]


def test_a_nodes_name_is_its_own_whatever_a_wildcard_answers() -> None:
    cloud = Cloud()
    node = dataclasses.replace(wish(), source=Source("node", "", "w1"))
    assert cloud.do(node, answered(), answered("twin", "two"))[WWW, "A"] == ("192.0.2.7",)


def test_a_free_name_goes_to_who_asked_first() -> None:
    cloud = Cloud()
    late, early = wish(created="2"), wish(WWW, "192.0.2.9", of="other", namespace="else", created="1")
    assert cloud.do(late, early)[WWW, "A"] == ("192.0.2.9",)


def test_services_of_one_namespace_share_a_name() -> None:
    cloud = Cloud()
    both = wish(created="2", ttl=60), wish(WWW, "192.0.2.3", of="twin", created="1", ttl=30)
    assert cloud.do(*both)[WWW, "A"] == ("192.0.2.3", "192.0.2.7")
    assert not cloud.reasons(*both)
    assert cloud.do(both[0])[WWW, "A"] == ("192.0.2.7",)


def test_addresses_come_before_an_alias() -> None:
    cloud = Cloud()
    both = wish(), wish(WWW, "far.example.net.", of="twin")
    assert (WWW, "CNAME") not in cloud.do(*both)
    assert cloud.reasons(*both) == [("twin", "TargetLeftOut")]


def test_a_record_set_becomes_an_alias_and_back() -> None:
    cloud = Cloud()
    cloud.put(WWW, "TXT", claim())
    cloud.put(WWW, "A", "192.0.2.7")
    alias = wish(WWW, "far.example.net.")
    assert set(cloud.do(alias)) == {(WWW, "CNAME"), (f"cname-{WWW}", "TXT")}
    assert set(cloud.do(wish())) == {(WWW, "A"), (f"a-{WWW}", "TXT")}


def test_nothing_is_put_beside_a_foreign_alias_nor_an_alias_beside_anything_foreign() -> None:
    cloud = Cloud()
    cloud.put(WWW, "CNAME", "far.example.net.")
    assert not cloud.steps(wish())
    other = Cloud()
    other.put(WWW, "TXT", '"v=spf1 -all"')
    assert not other.steps(wish(WWW, "far.example.net."))
    assert other.steps(wish())
    assert cloud.reasons(wish()) == other.reasons(wish(WWW, "far.example.net.")) == [("web", "NameTaken")]


def test_the_zones_own_name_has_no_place_for_its_owner_without_a_prefix() -> None:
    assert Cloud().reasons(wish(ZONE)) == [("web", "NoPlaceForOwner")]
    assert Cloud(dataclasses.replace(SETTING, affixes=Affixes("%{record_type}-x."))).steps(wish(ZONE))


def test_what_is_being_deleted_is_waited_for() -> None:
    cloud = Cloud()
    cloud.do(wish())
    cloud.model.at_once = False
    at_once(carry_out(cloud.plan(), cloud.model, cloud.id, SETTING))
    assert not cloud.steps(wish())
    cloud.model.settle()
    assert cloud.do(wish())


def test_an_error_is_told_and_left_to_designate() -> None:
    cloud = Cloud()
    cloud.do(wish())
    for each in [*cloud.model.sets[cloud.id].values()]:
        cloud.model.sets[cloud.id][each.id] = msgspec.structs.replace(each, status="ERROR", action="CREATE")
    assert not cloud.steps(wish())
    assert cloud.reasons(wish()) == [("web", "RecordInError")]


# What others may have put into a zone, and what objects may want of it: few names, so that they meet.
NAMES = st.sampled_from([WWW, f"a-{WWW}", "*.example.org.", "wildcard.example.org.", "db.example.org.", ZONE])
TARGETS = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "far.example.net.", "far.example.com."])
RESOURCES = st.sampled_from(["service/shop/web", "service/else/web", "node/w1", "httproute/shop/web", ""])
SPACES = st.sampled_from(["shop", "else", "third"])
AFFIXES = st.sampled_from([Affixes(), Affixes("txt-"), Affixes("%{record_type}-x."), Affixes("", "-txt")])


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    return wish(
        draw(NAMES),
        draw(TARGETS),
        namespace=draw(st.sampled_from(["shop", "else"])),
        of=draw(st.sampled_from(["web", "twin"])),
        created=draw(st.sampled_from(["1", "2"])),
        ttl=draw(st.sampled_from([None, 60])),
    )


@st.composite
def zones(draw: st.DrawFn) -> Cloud:
    """Return a zone others have written to, and external-dns or an earlier life of ours as well."""
    cloud = Cloud(dataclasses.replace(SETTING, affixes=draw(AFFIXES)))
    taken: set[str] = set()
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        kind = draw(st.sampled_from(["A", "AAAA", "CNAME", "MX"]))
        marked = draw(st.booleans())
        cloud.put(name, kind, "192.0.2.1", description=SETTING.mark if marked else "")
        txt = draw(st.sampled_from([cloud.setting.affixes.txt_name(name, kind), name, ""]))
        if txt and txt not in taken and kind != "CNAME":
            taken.add(txt)
            owner = draw(st.sampled_from([OWNER, OWNER, "other"]))
            more = draw(st.sampled_from([[], ["causeway=marked"], ["causeway=wildcard"]]))
            text = draw(st.sampled_from([claim(draw(RESOURCES), owner, *more), '"v=spf1 -all"']))
            cloud.put(txt, "TXT", text)
    return cloud


@settings(max_examples=100)
@given(zones(), st.lists(wishes(), max_size=6))
def test_nothing_without_our_claim_is_ever_changed(cloud: Cloud, wanted: list[Wish]) -> None:
    zone = zone_of(cloud.model, cloud.id, cloud.setting)
    foreign = {
        each.id: each
        for each in zone.sets.values()
        if zone.ours(each) is None and OWNER not in "".join(each.records)
    }
    cloud.do(*wanted)
    now = cloud.model.sets[cloud.id]
    assert {each: now.get(each) for each in foreign} == foreign


@settings(max_examples=100)
@given(zones(), st.lists(wishes(), max_size=6), st.lists(wishes(), max_size=6))
def test_a_plan_ends_in_what_is_wanted_from_wherever_it_begins(
    cloud: Cloud, before: list[Wish], after: list[Wish]
) -> None:
    cloud.do(*before)
    answers = cloud.do(*after)
    planned = cloud.plan(*after)
    assert not planned.chains
    for record in planned.records:
        assert answers.get((record.name, record.type)) == record.targets
    # Every wish is served or somebody has been told why not.
    told = {each.source for each in planned.notes}
    served = {source for record in planned.records for source in record.sources}
    assert {each.source for each in after if each.targets} <= told | served


@settings(max_examples=100)
@given(
    st.lists(wishes(), max_size=6),
    st.sets(SPACES, min_size=1),
    st.fixed_dictionaries(dict.fromkeys(("shop", "else", "third"), st.sampled_from(["0", "1", "2", "3"]))),
)
def test_what_a_wildcard_answers_makes_no_record_and_lets_no_other_namespace_have_it(
    wanted: list[Wish], namespaces: set[str], ages: dict[str, str]
) -> None:
    cloud = Cloud()
    claims = [answered(namespace=each, created=ages[each]) for each in namespaces]
    cloud.do(*claims, *wanted)
    planned = cloud.plan(*claims, *wanted)
    for record in planned.records:
        if record.name == WWW:
            assert {each.namespace for each in record.sources} == namespaces
    assert cloud.do(*claims) == {}


@settings(max_examples=50)
@given(st.lists(wishes(), max_size=6), st.data())
def test_whatever_is_broken_off_leaves_nothing_behind(wanted: list[Wish], data: st.DataObject) -> None:
    cloud = Cloud()
    for _ in range(data.draw(st.integers(1, 3))):
        planned = cloud.plan(*data.draw(st.sampled_from([wanted, []])))
        cut = tuple(chain[: data.draw(st.integers(0, len(chain)))] for chain in planned.chains)
        at_once(carry_out(dataclasses.replace(planned, chains=cut), cloud.model, cloud.id, cloud.setting))
    assert cloud.do() == {}


def test_a_cause_that_ends_with_a_name_has_no_full_stop_of_its_own() -> None:
    assert (
        Note(source(), "NameTaken", f"it would be that of {ZONE}", "Do.").cause
        == "it would be that of example.org"
    )
