"""Routes and what is behind them, short to write."""

import datetime
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from causeway.kube.objects import EndpointSlice
from causeway.kube.routes import Route
from causeway.rooms.routes.admission import Rules
from causeway.rooms.routes.compiling import Offer, compile_route
from causeway.rooms.routes.model import Backend, Entry, Refusal

OFFER = Offer(directory=Path("/run/router"), rules=Rules(wildcards=True, suffix="apps.example"))


def route(name: str = "shop", namespace: str = "one", **given: Any) -> Route:
    """Return a route; ``age`` orders creation, the smallest first; besides ``uid``, the rest is its spec."""
    annotations, age, uid = given.pop("annotations", {}), given.pop("age", 0), given.pop("uid", "")
    created = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=age)
    body = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{namespace}-{name}",
            "resourceVersion": "1",
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "annotations": annotations,
        },
        "spec": {"to": {"name": name}, "host": "www.apps.example"} | given,
    }
    return msgspec.convert(body, Route)


def slice_of(addresses: Mapping[str, bool], port: int = 8080, **given: Any) -> EndpointSlice:
    """Return a slice of (address, ready) on a port named web."""
    body = {
        "metadata": {"name": "slice", "namespace": "one"},
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": ready}} for address, ready in addresses.items()
        ],
        "ports": [{"name": "web", "port": port} | given],
    }
    return msgspec.convert(body, EndpointSlice)


def compiled(given: Route, offer: Offer = OFFER, **services: list[EndpointSlice]) -> Entry | Refusal:
    """Compile a route; by default every service has one endpoint."""

    def slices(_namespace: str, service: str) -> list[EndpointSlice]:
        return services.get(service, [slice_of({"10.0.0.1": True})])

    return compile_route(given, slices, offer)


def entry(given: Route, offer: Offer = OFFER, **services: list[EndpointSlice]) -> Entry:
    found = compiled(given, offer, **services)
    assert isinstance(found, Entry), found
    return found


def behind(given: Entry) -> Backend:
    """Return the backend of an entry that has one."""
    assert given.backend is not None
    return given.backend


def refused(given: Route, offer: Offer = OFFER) -> str:
    found = compiled(given, offer)
    assert isinstance(found, Refusal)
    assert found.reason == "ExtendedValidationFailed"
    return found.message


@functools.cache
def certificate(
    host: str = "www.apps.example", number: int = 0, names: tuple[str, ...] = ()
) -> tuple[str, str]:
    """Return a self-signed certificate and its key as PEM; ``number`` tells those of one host apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{host}{number}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder()
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        builder = builder.add_extension(alternative, critical=False)
    made = (
        builder.subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()
