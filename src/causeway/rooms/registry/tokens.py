"""The tokens a registry takes: what its bearer may do, signed (RFC 7519, ES256), for some minutes."""

import base64
import binascii
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from causeway.kit.errors import Problem
from causeway.rooms.registry.scopes import Access

LIFE = timedelta(minutes=5)
ISSUER = "causeway"
_NAMESPACES = "namespaces"  # a claim of ours: UIDs of the namespaces it was given for
_CLOSED = "closed"  # another: what HAProxy tells whoever would push with it


class Signer:
    """Makes tokens for one registry with the key in a directory."""

    def __init__(self, service: str, key: ec.EllipticCurvePrivateKey, identifier: str) -> None:
        self._service = service
        self._key = key
        self._identifier = identifier

    @classmethod
    def read(cls, service: str, directory: Path) -> "Signer":
        """Return the signer of ``signing.key``, which ``keys.json`` names; raises ``Problem``."""
        try:
            key = serialization.load_pem_private_key((directory / "signing.key").read_bytes(), password=None)
            identifier = json.loads((directory / "keys.json").read_text())["keys"][0]["kid"]
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise Problem.of(
                str(directory), f"has no key that tokens can be signed with: {error}", "Run apply again."
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Problem.of(str(directory), "its key is not an elliptic one", "Run apply again.")
        return cls(service, key, str(identifier))

    def token(
        self,
        subject: str,
        granted: Iterable[Access],
        now: datetime,
        namespaces: Mapping[str, str] = {},
        closed: str = "",
    ) -> str:
        """Return a token by which ``subject`` may do what is granted, from ``now`` on for ``LIFE``.

        ``namespaces`` are the UIDs of those it is given for, by name; ``closed`` says why
        nobody may push now.
        """
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": subject,
            "aud": self._service,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + LIFE).timestamp()),
            "jti": secrets.token_hex(16),
            "access": [
                {"type": each.kind, "name": each.name, "actions": list(each.actions)} for each in granted
            ],
            _NAMESPACES: dict(namespaces),
        } | ({_CLOSED: closed} if closed else {})
        header = {"typ": "JWT", "alg": "ES256", "kid": self._identifier}
        signed = f"{_packed(header)}.{_packed(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def namespaces(self, token: str) -> Mapping[str, str] | None:
        """Return for which namespaces a token was given, None if it was not made here.

        Whether it has ended, and what it allows, is the registry's to judge.
        """
        signed, _, signature = token.rpartition(".")
        try:
            raw, claims = _unpacked(signature), json.loads(_unpacked(signed.partition(".")[2]))
            given = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            self._key.public_key().verify(given, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, binascii.Error):
            return None
        found: Mapping[str, str] = claims.get(_NAMESPACES, {})
        return found


def _packed(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
