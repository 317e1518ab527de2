from pathlib import Path

import pytest
from tests.unit.rooms.routes.examples import certificate

from causeway.kit.errors import Exit, Problem
from causeway.serve.router.settings import Settings


def test_everything_has_a_default() -> None:
    settings = Settings.from_environment({})
    assert settings.front.plain == ("*:80",)
    assert settings.front.certificate == Path("/run/causeway-router/default.pem")
    assert not settings.offer.rules.wildcards
    assert settings.front.connections > 0


def test_settings_are_read() -> None:
    given = {"HTTP": "127.0.0.1:80,[::1]:80", "WILDCARDS": "true", "SUFFIX": "apps.example", "COOKIE": "mine"}
    given["PORTS"] = "*:5432,[::1]:9000-9002"
    given["RESERVED"] = "registry.apps.example"
    settings = Settings.from_environment({f"CAUSEWAY_ROUTER_{name}": value for name, value in given.items()})
    assert settings.front.plain == ("127.0.0.1:80", "[::1]:80")
    assert settings.front.further == {5432, 9000, 9001, 9002}
    assert settings.offer.rules.wildcards
    assert settings.offer.rules.suffix == "apps.example"
    assert settings.offer.rules.reserved == {"registry.apps.example"}
    assert settings.offer.cookie == settings.front.cookie == "mine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPARES", "many"),
        ("WILDCARDS", "yes"),
        ("BALANCE", "static-rr"),
        ("FORWARDED", "sometimes"),
        ("HTTP", "127.0.0.1:80\n  bind *:81"),
        ("DESTINATION_CA", "/nonexistent"),
        ("CERTIFICATE", "/nonexistent"),
        ("CLIENT_VERIFY", "required"),
        ("PORTS", "5432"),
        ("PORTS", "*:0"),
        ("PORTS", "*:9002-9000"),
        ("PORTS", "*:9000-70000"),
        ("PORTS", "*:80"),
        ("PORTS", "127.0.0.1:400-500"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(Problem) as caught:
        Settings.from_environment({f"CAUSEWAY_ROUTER_{name}": value})
    assert caught.value.exit_code == Exit.USAGE
    assert "CAUSEWAY_ROUTER_" in str(caught.value)


def test_a_certificate_that_is_given_is_there_with_its_key(tmp_path: Path) -> None:
    chain, key = certificate("*.apps.example")
    file = tmp_path / "wildcard.pem"
    file.write_text(chain + key)
    given = {"CAUSEWAY_ROUTER_CERTIFICATE": str(file)}
    assert Settings.from_environment(given).front.certificate == file
    for text in (chain, chain + key[: len(key) // 2], "nonsense", "\udcff"):
        file.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(Problem, match=r"wildcard\.pem cannot be used: .*") as refused:
            Settings.from_environment(given)
        assert refused.value.exit_code is Exit.USAGE
