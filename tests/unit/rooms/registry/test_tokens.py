"""Tokens as a registry checks them: with the key set alone."""

import base64
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from tests.unit.rooms.platforms.examples import PKI, platform

from causeway.kit.errors import Problem
from causeway.rooms.platforms import registering
from causeway.rooms.registry.scopes import Access
from causeway.rooms.registry.tokens import LIFE, Signer

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
GRANTED = [Access("repository", "shop/front", ("pull", "push"))]


def unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def key(keys: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    (one,) = keys["keys"]
    x, y = (int.from_bytes(unpacked(one[name])) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What ``apply`` puts into the registry's Secret."""
    wanted = platform(registry={"storage": "cinder", "host": "registry.example"})
    made = registering.registering(wanted, IPv4Network("172.30.0.0/16"), PKI, {}, NOW)
    assert made is not None
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_token_says_who_may_do_what_where_and_until_when(directory: Path) -> None:
    token = Signer.read("registry.example", directory).token("alice", GRANTED, NOW)
    keys = json.loads((directory / "keys.json").read_text())
    head, body, signature = token.split(".")
    assert json.loads(unpacked(head)) == {"typ": "JWT", "alg": "ES256", "kid": keys["keys"][0]["kid"]}
    claims = json.loads(unpacked(body))
    assert len(claims.pop("jti")) == 32
    assert claims == {
        "iss": "causeway",
        "sub": "alice",
        "aud": "registry.example",
        "iat": int(NOW.timestamp()),
        "nbf": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
        "access": [{"type": "repository", "name": "shop/front", "actions": ["pull", "push"]}],
        "namespaces": {},
    }
    assert timedelta(minutes=5) == LIFE
    raw = unpacked(signature)
    assert len(raw) == 64
    signed = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key(keys).verify(signed, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key(keys).verify(signed, f"{head}.{body}x".encode(), ec.ECDSA(hashes.SHA256()))


def test_a_token_says_for_which_namespaces_it_was_given_and_why_nobody_may_push(directory: Path) -> None:
    signer = Signer.read("registry.example", directory)
    token = signer.token("alice", GRANTED, NOW, {"shop": "a-uid"}, closed="later")
    assert json.loads(unpacked(token.split(".")[1]))["closed"] == "later"
    assert signer.namespaces(token) == {"shop": "a-uid"}
    forged = token.replace(token.split(".")[1], token.split(".")[1][:-2] + "fQ")
    for other in ("", "a.b.c", "a.b", forged, token[:-4], token + "!", "\xe9.b.c"):
        assert signer.namespaces(other) is None


def test_no_two_tokens_are_the_same(directory: Path) -> None:
    signer = Signer.read("registry.example", directory)
    assert signer.token("alice", GRANTED, NOW) != signer.token("alice", GRANTED, NOW)


@pytest.mark.parametrize("missing", ["signing.key", "keys.json"])
def test_a_directory_without_keys_is_said_to_be_one(directory: Path, missing: str) -> None:
    (directory / missing).write_text("{}")
    with pytest.raises(Problem, match="no key"):
        Signer.read("registry.example", directory)
