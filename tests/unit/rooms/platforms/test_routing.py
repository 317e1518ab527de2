"""The router a platform has, and its certificate."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.unit.rooms.platforms.examples import PKI, platform, pool

from causeway.rooms.platforms import addons
from causeway.rooms.platforms.addons import Settings
from causeway.rooms.platforms.pki import RENEWED_BEFORE, SERVER_LIFE, make_pki, server_certificate
from causeway.rooms.platforms.routing import Routing, routing
from causeway.rooms.routes.controller import Selection
from causeway.serve.router.settings import Settings as RouterSettings

NOW = datetime(2026, 11, 29, tzinfo=UTC)
ZONE: dict[str, Any] = {"names": {"zone": "shop.example."}}


CLIENTS: dict[str, Any] = {"clientCertificatePolicy": "Required", "clientCA": {"name": "partners"}}


def found(
    present: str = "", now: datetime = NOW, clients: str = PKI.ca.public, **spec: Any
) -> Routing | None:
    files = {"ca-bundle.pem": clients} if clients else {}
    return routing(platform(pool("master"), pool("infra"), **spec), PKI, present, now, clients=files)


def made(now: datetime = NOW, clients: str = PKI.ca.public, **spec: Any) -> Routing:
    one = found(now=now, clients=clients, **spec)
    assert one is not None
    return one


@pytest.mark.parametrize(
    ("spec", "suffix"),
    [
        ({}, ""),
        (ZONE, "apps.shop.example"),
        ({"router": {"suffix": "apps.example.org."}}, "apps.example.org"),
        ({"router": {"suffix": "apps.example.org"}, **ZONE}, "apps.example.org"),
    ],
)
def test_hosts_are_completed_by_the_suffix_or_by_the_zone(spec: dict[str, Any], suffix: str) -> None:
    one = made(**spec)
    assert one.suffix == suffix
    assert one.canonical_name == (f"router-default.{suffix}" if suffix else "")
    assert bool(one.certificate) == bool(suffix)


def test_without_nodes_for_it_or_when_not_wanted_there_is_none() -> None:
    assert found(router={"enabled": False}, **ZONE) is None
    assert routing(platform(pool("master"), pool("compute"), **ZONE), PKI, "", NOW) is None
    assert routing(platform(pool("master"), pool("compute"), pool("infra", count=0)), PKI, "", NOW) is None


def test_the_certificate_is_of_the_platforms_authority_for_all_hosts_below_the_suffix() -> None:
    pem = made(**ZONE).certificate
    certificate = x509.load_pem_x509_certificate(pem.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(PKI.ca.public.encode()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.apps.shop.example"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]
    assert "EC PRIVATE KEY" in pem
    assert "PRIVATE" not in repr(made(**ZONE))


def test_a_certificate_stays_until_it_is_old_or_of_other_hosts() -> None:
    first = made(**ZONE).certificate
    renewed = NOW + SERVER_LIFE - RENEWED_BEFORE
    assert found(first, renewed - timedelta(minutes=1), **ZONE) == Routing("apps.shop.example", first)
    for later, spec in ((renewed, ZONE), (NOW, {"router": {"suffix": "other.example"}})):
        again = found(first, later, **spec)
        assert again is not None
        assert again.certificate != first


def test_a_certificate_of_another_authority_stays() -> None:
    theirs = server_certificate(make_pki().ca, ["www.example.com"], NOW - timedelta(days=1000))
    pem = theirs.public + theirs.private
    assert found(pem, **ZONE) == Routing("apps.shop.example", pem)


def test_what_is_no_certificate_is_replaced() -> None:
    again = found("nonsense", **ZONE)
    assert again is not None
    assert "BEGIN CERTIFICATE" in again.certificate


def declared(clients: str = PKI.ca.public, **router: Any) -> list[dict[str, Any]]:
    """Return what is put into a platform whose file says this of its router; ``clients`` are authorities."""
    return addons.manifests(Settings({}, {}, masters=1, router=made(clients=clients, router=router)))


def daemons(clients: str = PKI.ca.public, **router: Any) -> dict[str, Any]:
    """Return the routers' DaemonSet of such a platform."""
    (found,) = (
        each
        for each in declared(clients, **router)
        if (each["kind"], each["metadata"]["name"]) == ("DaemonSet", addons.ROUTER)
    )
    return found


def of_class(**router: Any) -> dict[str, Any]:
    """Return the metadata of the class of Ingresses of a platform whose file says this of its router."""
    found = addons.manifests(Settings({}, {}, masters=1, router=made(router=router)))
    (one,) = (each for each in found if each["kind"] == "IngressClass")
    metadata: dict[str, Any] = one["metadata"]
    return metadata


def read(**router: Any) -> RouterSettings:
    """Return the settings a router reads whose file says this."""
    (container,) = daemons(**router)["spec"]["template"]["spec"]["containers"]
    return RouterSettings.from_environment({each["name"]: each.get("value", "") for each in container["env"]})


def test_a_router_is_told_nothing_that_its_file_does_not_say() -> None:
    usual = read()
    assert not usual.offer.rules.wildcards
    assert usual.selection == Selection()
    assert daemons() == daemons(routeAdmission={"wildcardPolicy": "WildcardsDisallowed"})


def test_a_router_does_what_its_file_says() -> None:
    assert read(routeAdmission={"wildcardPolicy": "WildcardsAllowed"}).offer.rules.wildcards
    labels = {"matchLabels": {"example.org/team": "blue", "exposed": ""}}
    assert read(routeSelector=labels).selection == Selection(routes="example.org/team=blue,exposed=")
    assert read(namespaceSelector=labels).selection == Selection(namespaces="example.org/team=blue,exposed=")


@pytest.mark.parametrize("key", ["team", "a/team", "example.org/team", f"{'a' * 253}/team"])
def test_every_label_that_kubernetes_takes_can_be_selected(key: str) -> None:
    selection = read(routeSelector={"matchLabels": {key: "blue"}}).selection
    assert selection == Selection(routes=f"{key}=blue")


def test_a_config_map_may_have_a_name_with_dots() -> None:
    asked = CLIENTS | {"clientCA": {"name": "partners.example.org"}}
    found = made(clients="", router={"clientTLS": asked}).lacking
    assert found is not None
    assert "ConfigMap partners.example.org" in found.cause


@pytest.mark.parametrize(
    ("policy", "done"),
    [("Append", "append"), ("Replace", "replace"), ("IfNone", "if-none"), ("Never", "never")],
)
def test_forwarded_headers_are_treated_by_the_policy(policy: str, done: str) -> None:
    assert read(httpHeaders={"forwardedHeaderPolicy": policy}).front.forwarded == done


@pytest.mark.parametrize("policy", ["Required", "Optional"])
def test_clients_show_certificates_of_the_authorities_named(policy: str) -> None:
    asked = CLIENTS | {"clientCertificatePolicy": policy}
    front = read(clientTLS=asked).front
    assert front.client_verify == policy.lower()
    pod = daemons(clientTLS=asked)["spec"]["template"]["spec"]
    (source,) = (each["configMap"] for each in pod["volumes"] if each["name"] == "clients")
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "clients")
    (mounted,) = (each for each in declared(clientTLS=asked) if each["metadata"]["name"] == source["name"])
    assert mounted["kind"] == "ConfigMap"
    assert mounted["data"] == {"ca-bundle.pem": PKI.ca.public}
    assert front.client_authorities == f"{mount['mountPath']}/ca-bundle.pem"


def test_other_authorities_are_other_routers() -> None:
    one, two = (daemons(clients=each, clientTLS=CLIENTS) for each in (PKI.ca.public, make_pki().ca.public))
    assert one != two
    assert daemons(clients=make_pki().ca.public) == daemons()  # whoever does not ask for them


def of_no_version(pem: str) -> str:
    """Return a certificate of a version that there is not."""
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    wrong = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(wrong).decode()}-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("clients", "why"),
    [
        ("", "is not there"),
        ("nonsense", "has no certificates"),
        (PKI.ca.public + of_no_version(PKI.ca.public), "has no certificates"),
    ],
)
def test_authorities_that_cannot_be_had_are_told(clients: str, why: str) -> None:
    one = made(clients=clients, router={"clientTLS": CLIENTS})
    assert one.lacking is not None
    assert f"ca-bundle.pem of the ConfigMap partners in kube-system {why}" in one.lacking.cause
    assert one.authorities == ""
    assert made(router={"clientTLS": CLIENTS}).lacking is None


def test_of_what_is_beside_certificates_nothing_is_handed_on() -> None:
    given = "whose they are\n" + PKI.ca.public + PKI.ca.private
    assert made(clients=given, router={"clientTLS": CLIENTS}).authorities == PKI.ca.public


def test_ingresses_without_a_class_are_the_routers_where_the_file_says_so() -> None:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    assert of_class(defaultIngressClass=True) == {"name": "causeway", "annotations": default}
    assert of_class() == of_class(defaultIngressClass=False) == {"name": "causeway"}
    assert found(router={"defaultIngressClass": True, "enabled": False}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"routeAdmission": {"wildcardPolicy": "WildcardsAllowed"}},
        {"routeSelector": {"matchLabels": {"team": "blue"}}},
        {"namespaceSelector": {"matchLabels": {"team": "blue"}}},
        {"httpHeaders": {"forwardedHeaderPolicy": "Replace"}},
        {"clientTLS": CLIENTS},
    ],
)
def test_what_the_file_changes_has_the_next_routers_started_before_the_former_go(
    change: dict[str, Any],
) -> None:
    before, after = daemons()["spec"], daemons(**change)["spec"]
    assert before["template"] != after["template"]
    assert after["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
