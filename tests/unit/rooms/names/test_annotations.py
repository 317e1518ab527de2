from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.names.annotations import PREFIXES, Annotations, absolute, read, record_type

NEW, OLD = PREFIXES


def said(**annotations: str) -> Annotations:
    return read({OLD + key.replace("_", "-"): value for key, value in annotations.items()})


def test_names_are_lists_without_repetition_absolute_and_in_lower_case() -> None:
    found = said(hostname=" Www.Example.org, www.example.org. ,*.apps.example.org")
    assert found.hostnames == ("www.example.org.", "*.apps.example.org.")
    assert not found.errors


def test_the_newer_prefix_wins() -> None:
    found = read({OLD + "hostname": "old.example.org", NEW + "hostname": "new.example.org", OLD + "ttl": "9"})
    assert (found.hostnames, found.ttl) == (("new.example.org.",), 9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5m", 90),
        ("0", None),
        ("", None),
        ("2147483647", 2**31 - 1),
    ],
)
def test_a_ttl_is_seconds_or_a_duration(text: str, seconds: int | None) -> None:
    assert said(ttl=text) == Annotations(ttl=seconds)


@pytest.mark.parametrize("text", ["-1", "soon", "1d", "10 m", "2147483648", "٣"])
def test_any_other_ttl_is_left_out_and_told(text: str) -> None:
    found = said(ttl=text, hostname="a.example.org")
    assert (found.ttl, found.hostnames, len(found.errors)) == (None, ("a.example.org.",), 1)


def test_targets_are_addresses_or_names() -> None:
    found = said(target="192.0.2.1, 2001:DB8::1,edge.example.net,*.x.org,a b")
    assert found.targets == ("192.0.2.1", "2001:db8::1", "edge.example.net.")
    assert len(found.errors) == 2
    assert [record_type(each) for each in found.targets] == ["A", "AAAA", "CNAME"]


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::1%a b", "010.0.0.1", "192.0.2.0/24"])
def test_what_is_no_address_of_a_record_is_told(text: str) -> None:
    found = said(target=text)
    assert (found.targets, len(found.errors)) == ((), 1)


def test_where_no_target_can_be_read_it_is_told_what_counts_instead() -> None:
    (error,) = said(target="300.1.1.1").errors
    assert error.endswith("nor a host name, and names lead to the object's own addresses")
    assert "own addresses" not in str(said(target="300.1.1.1,192.0.2.1", hostname="-").errors)


def test_a_choice_of_hosts_that_is_none_is_told() -> None:
    found = said(ingress_hostname_source="annotations-only", hostname="a.example.org")
    assert (found.hosts, found.hostnames) == (True, ("a.example.org.",))
    (error,) = found.errors
    assert error.endswith("'annotations-only' is neither annotation-only nor defined-hosts-only: both count")


def test_another_controller_is_respected() -> None:
    assert not said(controller="somebody").ours
    assert said(controller="dns-controller").ours


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "-a.org", "a_.-b.org", "x" * 64 + ".org", "a.*.org", "ü.org", "a b.org", "a/b.org"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    assert absolute(text) is None


@given(
    st.dictionaries(
        st.sampled_from([p + k for p in PREFIXES for k in ("hostname", "ttl", "target")]), st.text()
    )
)
def test_any_annotations_can_be_read(annotations: Mapping[str, str]) -> None:
    found = read(annotations)
    assert all(absolute(each) == each for each in found.hostnames)
    assert all(each.isascii() and each.isprintable() and " " not in each for each in found.targets)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 310 + "h", "1" + "0" * 400 + "ms", "٣m", "1h" * 30])
def test_a_ttl_of_many_digits_is_left_out_and_told(text: str) -> None:
    found = said(ttl=text, hostname="a.example.org")
    assert (found.ttl, found.hostnames, len(found.errors)) == (None, ("a.example.org.",), 1)


@given(st.from_regex(r"([0-9]+(\.[0-9]+)?(h|m|s|ms)?)+", fullmatch=True))
def test_any_ttl_can_be_read(text: str) -> None:
    found = said(ttl=text)
    assert found.ttl is None or 0 < found.ttl < 2**31
