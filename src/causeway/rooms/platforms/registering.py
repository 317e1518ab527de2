"""What a platform's registry is: its host, its address inside, its certificate, and the key of its tokens."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from causeway.kit.errors import Finding
from causeway.rooms.platforms.image_store import ImageStore, container_of
from causeway.rooms.platforms.model import Platform
from causeway.rooms.platforms.pki import Pki, key_pair, server_certificate, will_do
from causeway.rooms.platforms.ranges import kubernetes_services
from causeway.rooms.platforms.registry import OLDEST_MINOR, Bucket, Registry
from causeway.rooms.platforms.routing import suffix_of

NAME = "causeway-registry"
"""What the registry's Deployment, Service, Route, claim and Secret are called."""

AUDIENCE = "registry.causeway.dev"
"""Whom tokens are made for that a kubelet shows the registry; good for nothing else."""

CERTIFICATE, SIGNING_KEY, KEYS, UPLOADS = "certificate.pem", "signing.key", "keys.json", "uploads"
"""The keys of its Secret: certificate with private key, key of tokens, that as the registry reads it, and
what states of uploads are signed with."""

AUTHORITY, ACCESS, SECRET = "cacert.pem", "access-key", "secret-key"
"""Further keys of it for images in Swift: whom its certificate is of, and what it lets the registry in by."""

CONFIG = "config.yml"
"""The key of its ConfigMap that has the settings of the registry's program."""

_PLACE = 11  # in the services' range: the cluster's DNS has the tenth address


@dataclass(frozen=True)
class Registering:
    """The registry of a platform; ``files`` is the content of its Secret."""

    host: str
    address: str
    chosen: Registry
    files: Mapping[str, str] = field(repr=False)
    bucket: Bucket | None = None

    @property
    def digest(self) -> str:
        """Return what changes with its keys and certificates, and with where images are."""
        text = json.dumps(dict(self.files), sort_keys=True)
        text += self.bucket.model_dump_json() if self.bucket else ""
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def trusts(self) -> bool:
        """Return whether there is an authority of the object store's."""
        return AUTHORITY in self.files


def host_of(platform: Platform) -> str:
    """Return the host images are named by, or would be: a registry may come when the nodes are there.

    It is "" where nothing gives a host, or the platform's kubelets are too old for a registry.
    """
    chosen, suffix = platform.spec.registry, suffix_of(platform)
    if chosen is not None and chosen.host is not None:
        return chosen.host.rstrip(".")
    known = suffix and int(platform.spec.kubernetes.version.split(".")[1]) >= OLDEST_MINOR
    return f"registry.{suffix}" if known else ""


def address_of(services: IPv4Network) -> str:
    """Return where nodes and pods reach the registry, in the range of all services."""
    return str(kubernetes_services(services)[_PLACE])


def registering(
    platform: Platform,
    services: IPv4Network,
    pki: Pki,
    present: Mapping[str, str],
    now: datetime | None = None,
    *,
    store: ImageStore | None = None,
) -> Registering | None:
    """Return the registry a platform has, None if none is asked for; ``present`` is its Secret so far.

    ``store`` is where images are with storage swift.
    """
    chosen = platform.spec.registry
    if chosen is None:
        return None
    host, address = host_of(platform), address_of(services)
    files = {each: present[each] for each in (SIGNING_KEY, KEYS, UPLOADS) if present.get(each)}
    if SIGNING_KEY not in files or KEYS not in files:
        pair = key_pair()
        files |= {SIGNING_KEY: pair.private, KEYS: _key_set(pair.public)}
    files.setdefault(UPLOADS, secrets.token_urlsafe(32))
    hosts = [host, address]
    certificate = present.get(CERTIFICATE, "")
    if not will_do(certificate, pki.ca, hosts, now):
        made = server_certificate(pki.ca, hosts, now)
        certificate = made.public + made.private
    files[CERTIFICATE] = certificate
    if store is None:
        return Registering(host, address, chosen, files, chosen.s3)
    files |= {ACCESS: store.access, SECRET: store.secret}
    if store.authority:
        files[AUTHORITY] = store.authority
    bucket = Bucket.model_validate({"endpoint": store.endpoint, "bucket": store.container, "secret": NAME})
    return Registering(host, address, chosen, files, bucket)


def left_behind(platform: Platform, cluster_id: str, config: str) -> Finding | None:
    """Return what is to be said where images would be in another place than so far. Pure.

    ``config`` are the settings of the registry's program there is, "" if there is none.
    """
    chosen = platform.spec.registry
    if chosen is None or not config:
        return None
    program = yaml.safe_load(config)["storage"].get("s3", {})
    before, host = program.get("bucket", ""), program.get("regionendpoint", "")
    after = chosen.s3.bucket if chosen.s3 else container_of(cluster_id) if chosen.storage == "swift" else ""
    moved = chosen.s3 is not None and chosen.s3.endpoint.rstrip("/") != host.rstrip("/")
    if after == before and not moved:
        return None
    here, there = (host, chosen.s3.endpoint) if after == before and chosen.s3 else ("", "")
    return Finding(
        "registry",
        f"its images stay in {_place(before, here)}, and are not moved to {_place(after, there)}: "
        "there it has only what was pushed while it was there, "
        "and a pod whose node lacks its image does not start",
        "Push what is used again. Nothing is deleted: with the former storage those images are back.",
    )


def _place(bucket: str, endpoint: str) -> str:
    at = f" at {endpoint}" if endpoint else ""
    return f"the bucket {bucket}{at}" if bucket else f"the claim kube-system/{NAME}"


def _key_set(public: str) -> str:
    """Return a public key (PEM) as a set of JSON web keys (RFC 7517)."""
    key = serialization.load_pem_public_key(public.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the key of tokens is not an elliptic one")
    numbers = key.public_numbers()
    place = {
        name: base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
        for name, value in (("x", numbers.x), ("y", numbers.y))
    }
    identifier = hashlib.sha256(public.encode()).hexdigest()[:16]
    described = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": identifier, **place}
    return json.dumps({"keys": [described]})
