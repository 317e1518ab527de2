import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.names.registry import Affixes, Claim, Mark, claim_in, old_form_speaks_of

NAMES = st.from_regex(
    r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?\.){1,4}example\.org\.", fullmatch=True
)
KINDS = st.sampled_from(["A", "AAAA", "CNAME"])
USUAL = [
    Affixes(),
    Affixes("txt."),
    Affixes("owner-"),
    Affixes("%{record_type}-owner."),
    Affixes("x-%{record_type}-"),
    Affixes("", "-txt"),
    Affixes("", "-%{record_type}-txt"),
    Affixes("", ".owner"),
]


@pytest.mark.parametrize("affixes", USUAL, ids=str)
@given(name=NAMES, kind=KINDS)
def test_the_name_of_a_txt_leads_back_to_its_record_set(affixes: Affixes, name: str, kind: str) -> None:
    assert affixes.record_of(affixes.txt_name(name, kind)) == (affixes.plain(name), kind)


@pytest.mark.parametrize(
    ("affixes", "name", "kind", "txt"),
    [
        # As external-dns 0.12 and later write them.
        (Affixes(), "www.example.org.", "A", "a-www.example.org."),
        (Affixes(), "www.example.org.", "CNAME", "cname-www.example.org."),
        (Affixes("txt."), "www.example.org.", "A", "txt.a-www.example.org."),
        (Affixes("", "-txt"), "www.example.org.", "AAAA", "aaaa-www-txt.example.org."),
        (Affixes("%{record_type}-txt-"), "www.example.org.", "A", "a-txt-www.example.org."),
        (Affixes("%{record_type}-abc-."), "ex.com.", "CNAME", "cname-abc-.ex.com."),
        (Affixes("", "-%{record_type}"), "www.example.org.", "A", "www-a.example.org."),
        (Affixes(wildcard="any"), "*.apps.example.org.", "A", "a-any.apps.example.org."),
    ],
)
def test_names_are_those_of_external_dns(affixes: Affixes, name: str, kind: str, txt: str) -> None:
    assert affixes.txt_name(name, kind) == txt


@pytest.mark.parametrize(
    ("affixes", "txt", "found"),
    [
        (Affixes(), "www.example.org.", ("www.example.org.", "")),
        (Affixes("txt-"), "txt-www.example.org.", ("www.example.org.", "")),
        (Affixes("%{record_type}txt-"), "txt-www.example.org.", ("www.example.org.", "")),
        (Affixes("", "-txt"), "www-txt.example.org.", ("www.example.org.", "")),
        (Affixes("txt-"), "a-www.example.org.", ("", "")),
        (Affixes(), "b-www.example.org.", ("b-www.example.org.", "")),
    ],
)
def test_the_old_form_and_what_fits_nothing_are_told_apart(
    affixes: Affixes, txt: str, found: tuple[str, str]
) -> None:
    assert affixes.record_of(txt) == found


def test_the_old_form_does_not_speak_of_ipv6() -> None:
    assert [each for each in ("A", "AAAA", "CNAME") if old_form_speaks_of(each)] == ["A", "CNAME"]


@given(st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), st.sampled_from(Mark))
def test_a_claim_is_read_as_it_was_written(owner: str, mark: Mark) -> None:
    claim = Claim(owner, "service/shop/web", mark)
    assert claim_in([claim.text()]) == claim


def test_claims_are_written_as_external_dns_writes_them() -> None:
    text = '"heritage=external-dns,external-dns/owner=me,external-dns/resource=service/shop/web"'
    assert Claim("me", "service/shop/web").text() == text
    assert claim_in([text.strip('"')]) == Claim("me", "service/shop/web")
    assert Claim("me", "service/shop/web").kind == "service"


@pytest.mark.parametrize(
    "records",
    [
        [],
        ['"v=spf1 -all"'],
        ['"heritage=other,external-dns/owner=me"'],
        ['"external-dns/owner=me"'],
        ['"heritage=external-dns,external-dns/owner=me"', '"more"'],
    ],
)
def test_what_is_no_claim_is_none(records: list[str]) -> None:
    assert claim_in(records) is None


@given(st.text(max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    claim_in([text])


def test_the_longest_claim_fits_into_one_string() -> None:
    longest = Claim("o" * 36, f"service/{'n' * 63}/{'s' * 63}", Mark.WILDCARD).text()
    assert len(longest.strip('"')) <= 255
