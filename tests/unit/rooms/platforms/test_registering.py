"""The registry a platform has: host, address, certificate, keys; and how its nodes sign in."""

import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from ipaddress import IPv4Network, ip_address
from typing import Any

import pytest
from cryptography import x509
from tests.unit.rooms.platforms import examples
from tests.unit.rooms.platforms.examples import PKI, platform

from causeway.rooms.platforms import addons, hot, registering
from causeway.rooms.platforms.addons import Settings
from causeway.rooms.platforms.image_store import ImageStore, container_of
from causeway.rooms.platforms.pki import RENEWED_BEFORE, SERVER_LIFE
from causeway.rooms.platforms.registering import CERTIFICATE, KEYS, SIGNING_KEY, UPLOADS, Registering
from causeway.rooms.registry import reviews

NOW = datetime(2026, 11, 29, tzinfo=UTC)
SERVICES = IPv4Network("172.30.0.0/16")
WANTED: dict[str, Any] = {"storage": "cinder"}
SUFFIX: dict[str, Any] = {"router": {"suffix": "apps.example.org."}}


def made(present: dict[str, str] | None = None, now: datetime = NOW, **spec: Any) -> Registering:
    chosen = {"registry": WANTED, **SUFFIX, **spec}
    found = registering.registering(platform(**chosen), SERVICES, PKI, present or {}, now)
    assert found is not None
    return found


def test_no_registry_unless_asked_for() -> None:
    assert registering.registering(platform(**SUFFIX), SERVICES, PKI, {}, NOW) is None


S3 = {"endpoint": "https://s3.example", "bucket": "images"}


def config(storage: dict[str, Any], cluster: str = "here") -> str:
    """Return what the registry's program is told on a platform with a storage."""
    store = None
    if storage["storage"] == "swift":
        store = ImageStore("https://swift.example", container_of(cluster), "access", "secret")
    chosen = platform(registry=storage, **SUFFIX)
    objects = addons.manifests(
        Settings({}, {}, 1, registry=registering.registering(chosen, SERVICES, PKI, {}, NOW, store=store))
    )
    (found,) = (
        each["data"][registering.CONFIG]
        for each in objects
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", registering.NAME)
    )
    return str(found)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            WANTED,
            {"storage": "swift"},
            "stay in the claim kube-system/causeway-registry, and are not moved to",
        ),
        ({"storage": "swift"}, WANTED, "stay in the bucket causeway-registry-here, and are not moved to the"),
        (WANTED, {"storage": "s3", "s3": S3}, "not moved to the bucket images"),
        (
            {"storage": "s3", "s3": S3},
            {"storage": "s3", "s3": {**S3, "bucket": "others"}},
            "stay in the bucket",
        ),
        (
            {"storage": "s3", "s3": S3},
            {"storage": "s3", "s3": {**S3, "endpoint": "https://other.example"}},
            "bucket images at https://s3.example, and are not moved to the bucket images at https://other.ex",
        ),
    ],
)
def test_that_images_stay_where_they_are_is_said(
    before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    found = registering.left_behind(platform(registry=after, **SUFFIX), "here", config(before))
    assert found is not None
    assert words in found.cause
    assert registering.left_behind(platform(registry=before, **SUFFIX), "here", config(before)) is None


def test_nothing_is_said_where_a_registry_comes_or_goes() -> None:
    assert registering.left_behind(platform(registry=WANTED, **SUFFIX), "here", "") is None
    assert registering.left_behind(platform(**SUFFIX), "here", config(WANTED)) is None


@pytest.mark.parametrize(
    ("spec", "host"),
    [
        ({}, "registry.apps.example.org"),
        ({"registry": {**WANTED, "host": "images.example.org."}}, "images.example.org"),
        ({"router": {}, "names": {"zone": "shop.example."}}, "registry.apps.shop.example"),
    ],
)
def test_the_host_is_given_or_below_the_routers_suffix(spec: dict[str, Any], host: str) -> None:
    assert made(**spec).host == host


def test_it_shows_that_it_is_its_host_and_its_address() -> None:
    one = made()
    assert one.address == "172.30.0.11"
    certificate = x509.load_pem_x509_certificate(one.files[CERTIFICATE].encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(PKI.ca.public.encode()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["registry.apps.example.org"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("172.30.0.11")]
    assert "PRIVATE" not in repr(one)


def test_keys_stay_and_a_certificate_until_it_is_old_or_of_another_host() -> None:
    first = made()
    renewed = NOW + SERVER_LIFE - RENEWED_BEFORE
    again = made(dict(first.files), renewed - timedelta(minutes=1))
    assert again == first
    for later, spec in ((renewed, {}), (NOW, {"router": {"suffix": "other.example"}})):
        other = made(dict(first.files), later, **spec)
        assert other.digest != first.digest
        assert all(other.files[each] == first.files[each] for each in (SIGNING_KEY, KEYS, UPLOADS))


def test_in_swift_the_registry_is_let_in_by_its_own_secret() -> None:
    store = ImageStore("https://swift.example", "causeway-registry-u", "access", "a-secret", "AUTHORITY")
    wanted = platform(**SUFFIX, registry={"storage": "swift"})
    found = registering.registering(wanted, SERVICES, PKI, {}, NOW, store=store)
    assert found is not None
    assert found.bucket is not None
    assert (found.bucket.bucket, found.bucket.secret) == ("causeway-registry-u", registering.NAME)
    assert (found.files["access-key"], found.files["secret-key"]) == ("access", "a-secret")
    assert found.trusts
    assert "a-secret" not in repr(found)
    elsewhere = replace(store, endpoint="https://other.example")
    moved = registering.registering(wanted, SERVICES, PKI, dict(found.files), NOW, store=elsewhere)
    assert moved is not None
    assert moved.digest != found.digest
    made_anew = replace(store, secret="another-secret")
    renewed = registering.registering(wanted, SERVICES, PKI, dict(found.files), NOW, store=made_anew)
    assert renewed is not None
    assert renewed.digest != found.digest


def test_a_key_without_its_set_is_made_anew() -> None:
    first = made()
    half = made({SIGNING_KEY: first.files[SIGNING_KEY]})
    assert half.files[SIGNING_KEY] != first.files[SIGNING_KEY]


def user_data(role: str, **spec: Any) -> dict[str, Any]:
    stack = examples.stack(platform(**spec))
    found: dict[str, Any] = hot.parse(stack.files[f"{role}.user-data.yaml"])
    return {each["path"]: each["content"] for each in found["write_files"]}


@pytest.mark.parametrize("role", ["master", "infra", "compute"])
def test_every_node_pulls_by_name_at_an_address_and_signs_in_as_the_pod(role: str) -> None:
    found = user_data(role, registry=WANTED, **SUFFIX)
    mirrors = tomllib.loads(found["/etc/containerd/certs.d/registry.apps.example.org/hosts.toml"])
    assert mirrors == {
        "server": "https://@REGISTRY@",
        "capabilities": ["pull", "resolve"],
        "ca": "/etc/causeway/pki/ca.crt",
        "host": {},
    }
    (provider,) = hot.parse(found["/etc/causeway/registry/credentials.yaml"])["providers"]
    assert provider["matchImages"] == ["registry.apps.example.org"]
    assert provider["tokenAttributes"]["serviceAccountTokenAudience"] == reviews.AUDIENCE
    assert f"/usr/local/lib/causeway/credential-providers/{provider['name']}" in found
    kubelet = found["/etc/kubernetes/causeway-join.yaml"]
    assert "image-credential-provider-config, value: /etc/causeway/registry/credentials.yaml" in kubelet
    assert "image-credential-provider-bin-dir, value: /usr/local/lib/causeway/credential-provider" in kubelet


def test_nodes_made_before_a_registry_know_all_that_later_ones_do() -> None:
    for role in ("master", "infra", "compute"):
        assert user_data(role, **SUFFIX) == user_data(role, registry=WANTED, **SUFFIX)
    before, after = (examples.stack(platform(**SUFFIX, **more)) for more in ({}, {"registry": WANTED}))
    assert (before.text, before.parameters) == (after.text, after.parameters)


@pytest.mark.parametrize("spec", [{}, {**SUFFIX, "kubernetes": {"version": "v1.33.1"}}])
def test_where_there_can_be_no_registry_nodes_hear_nothing_of_it(spec: dict[str, Any]) -> None:
    assert not [path for path in user_data("compute", **spec) if "registry" in path]
    assert "registry_address" not in examples.stack(platform(**spec)).parameters


def test_nodes_are_told_the_services_address() -> None:
    stack = examples.stack(platform(registry=WANTED, **SUFFIX))
    assert stack.parameters["registry_address"] == made().address


def test_what_a_kubelet_runs_answers_with_the_accounts_token() -> None:
    """Run as the kubelet does: the request on standard input, the answer on standard output."""
    program = (files("causeway.rooms.platforms") / "templates/registry-credentials.py").read_text()
    request = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderRequest",
        "image": "registry.apps.example.org/shop/front:1",
        "serviceAccountToken": "a-token",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(request), capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert answer["kind"] == "CredentialProviderResponse"
    assert answer["apiVersion"] == request["apiVersion"]
    assert answer["auth"] == {
        "registry.apps.example.org": {"username": "serviceaccount", "password": "a-token"}
    }


def test_nodes_and_token_service_mean_the_same_audience() -> None:
    assert registering.AUDIENCE == reviews.AUDIENCE
