import contextlib
import re
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
    file.write_bytes(b"# caf\xe9\n" + (chain + key).encode())
    assert Settings.from_environment(given).front.certificate == file
    another, _ = certificate("other.example")
    for text in (chain, chain + key[: len(key) // 2], another + key, "nonsense", "\udcff"):
        file.write_bytes(text.encode(errors="surrogateescape"))
        with pytest.raises(Problem, match=r"wildcard\.pem cannot be used: .*") as refused:
            Settings.from_environment(given)
        assert refused.value.exit_code is Exit.USAGE


def test_what_is_misspelt_is_told_with_what_may_be_meant() -> None:
    given = {"SUFIX": "apps.example", "HTTP": "*:8080", "XYZ": "1", "health_port": "1"}
    settings = Settings.from_environment({f"CAUSEWAY_ROUTER_{name}": value for name, value in given.items()})
    assert settings.unknown == {
        "CAUSEWAY_ROUTER_SUFIX": "CAUSEWAY_ROUTER_SUFFIX",
        "CAUSEWAY_ROUTER_XYZ": "",
        "CAUSEWAY_ROUTER_health_port": "",
    }


def test_every_setting_of_the_reference_is_known() -> None:
    text = (Path(__file__).parents[4] / "docs/reference/router.md").read_text()
    table = text.partition("| variable |")[2].partition("\n\n")[0].splitlines()[2:]
    names = [name for line in table for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1])]
    assert len(names) > 25
    for name in names:
        with contextlib.suppress(Problem):  # not each may be empty
            assert Settings.from_environment({f"CAUSEWAY_ROUTER_{name}": ""}).unknown == {}


def _links(service: str, port: int) -> dict[str, str]:
    """Return what Kubernetes tells a pod of a Service."""
    address = f"tcp://10.96.0.9:{port}"
    return {
        f"{service}_SERVICE_HOST": "10.96.0.9",
        f"{service}_SERVICE_PORT": str(port),
        f"{service}_SERVICE_PORT_WEB": str(port),
        f"{service}_PORT": address,
        f"{service}_PORT_{port}_TCP": address,
        f"{service}_PORT_{port}_TCP_PROTO": "tcp",
        f"{service}_PORT_{port}_TCP_PORT": str(port),
        f"{service}_PORT_{port}_TCP_ADDR": "10.96.0.9",
    }


@pytest.mark.parametrize("service", ["CAUSEWAY_ROUTER", "CAUSEWAY_ROUTER_INNER", "CAUSEWAY_ROUTER_HEALTH"])
def test_what_kubernetes_tells_of_services_is_no_setting(service: str) -> None:
    usual, settings = Settings.from_environment({}), Settings.from_environment(_links(service, 80))
    assert settings == usual
    assert settings.unknown == {}
    own = _links(service, 80) | {"CAUSEWAY_ROUTER_HEALTH_PORT": "99", "CAUSEWAY_ROUTER_PORTTS": "1"}
    settings = Settings.from_environment(own)
    assert settings.health_port == 99
    assert settings.unknown == {"CAUSEWAY_ROUTER_PORTTS": "CAUSEWAY_ROUTER_PORTS"}
