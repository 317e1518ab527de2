import pytest

from causeway.cloud.octavia_providers import (
    PROVIDERS,
    Ability,
    able,
    balancing_by,
    known,
    offering,
    preferred,
)


def test_ovn_knows_one_algorithm_and_no_http() -> None:
    ovn = known("ovn")
    assert ovn is not None
    assert ovn.algorithms == ("SOURCE_IP_PORT",)
    assert "HTTP" not in ovn.listener_protocols
    assert not ovn.allowed_cidrs


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_serves_what_a_platform_needs(name: str) -> None:
    provider = PROVIDERS[name]
    assert provider.listener_protocols >= {"TCP", "UDP"}
    assert "TCP" in provider.health_monitors
    assert provider.algorithms
    assert provider.allowed_cidrs or provider.keeps_source  # the API can be closed to others


@pytest.mark.parametrize(
    ("enabled", "name"),
    [(["amphora", "ovn"], "ovn"), (["octavia", "amphora"], "amphora"), (["f5"], None), ([], None)],
)
def test_ovn_goes_before_others(enabled: list[str], name: str | None) -> None:
    assert preferred(enabled) == name


def test_whoever_is_refused_something_is_told_who_can() -> None:
    assert all(able(ability) == ("amphora",) for ability in Ability)
    assert offering("HTTP") == ("amphora",)
    assert offering("UDP") == ("ovn", "amphora")
    assert balancing_by("SOURCE_IP_PORT") == ("ovn",)
    assert balancing_by("BEST") == ()
