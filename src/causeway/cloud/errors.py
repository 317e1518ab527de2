"""What can go wrong between Causeway and an OpenStack API, as types a plan can act on.

Services word the same trouble differently (Neutron answers an exhausted quota with 409, Octavia with 403), so
the answer is read once, at the door, and becomes one of the classes below. Each carries the request id, the
cause in the service's own words and a remedy for the person who reads it. ``from_response`` is pure.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

_PAUSE = 5.0  # seconds to wait when a service asks for a pause without saying how long
_TEXT_LIMIT = 400  # an HTML page of a proxy is no cause anybody reads to its end


class CloudError(Exception):
    """A call that did not succeed; ``retriable`` says whether the same call may succeed later by itself."""

    retriable: ClassVar[bool] = True
    remedy: ClassVar[str] = "Look for the request id in the logs of the service."

    def __init__(self, service: str, cause: str, *, status: int | None = None, request_id: str = "") -> None:
        super().__init__(cause)
        self.service = service
        self.cause = cause
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        reference = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.service}: {self.cause}{reference}"


class NotFound(CloudError):
    """The object does not exist (any more)."""

    remedy = "It was deleted, or belongs to another project."


class Conflict(CloudError):
    """The object's present state, or another object, forbids the change."""

    remedy = "Look at the object named in the cause."


class InUse(Conflict):
    """Something else still uses the object."""

    remedy = "The user of the object has to let go of it first."


class AddressTaken(Conflict):
    """The requested address, MAC address or segmentation id already belongs to another object."""

    remedy = "Find the object that holds it; addresses of the service range are meant for Causeway alone."


class Immutable(Conflict):
    """The object is being changed by an earlier request (Octavia: PENDING); it settles by itself."""

    remedy = "Nothing to do: Causeway goes on when the earlier change has ended."


class Quota(CloudError):
    """The project's quota is used up."""

    remedy = "Ask the cloud's administrator for a higher quota, or delete what is not needed any more."


class NoAddresses(CloudError):
    """The network or subnet has no free address left."""

    remedy = "Free addresses on that network, or add a subnet to it."


class RateLimited(CloudError):
    """The service asks for a pause; ``retry_after`` is its length in seconds."""

    remedy = "Nothing to do: Causeway waits as long as the service asked for."

    def __init__(
        self,
        service: str,
        cause: str,
        *,
        status: int | None = None,
        request_id: str = "",
        retry_after: float = 5.0,
    ) -> None:
        super().__init__(service, cause, status=status, request_id=request_id)
        self.retry_after = retry_after


class Unauthorized(CloudError):
    """The credentials are wrong, expired or revoked."""

    remedy = "Renew the credentials (application credential or password) and store them again."


class Forbidden(CloudError):
    """The credentials are right but a role is missing."""

    retriable = False
    remedy = "Give the user the role the service's policy asks for (for Octavia: load-balancer_member)."


class BadRequest(CloudError):
    """The service understood the request and refuses it; the same request will be refused again."""

    retriable = False
    remedy = "The cause names the value that was refused."


class Unsupported(BadRequest):
    """The provider of the service cannot do this at all."""

    remedy = "Use another provider, or leave out the option named in the cause."


class ServerError(CloudError):
    """The service failed by itself."""


class Timeout(CloudError):
    """No answer in time; whether the request took effect is not known."""

    remedy = "Check that the service answers; Causeway looks at the actual state before it tries again."


class Unreachable(CloudError):
    """No connection to the service could be made, or its certificate is not trusted."""

    remedy = "Check network, endpoint and the cacert entry in clouds.yaml."


class Fenced(CloudError):
    """Nothing was sent, because this process may have been replaced by another while it did not run."""

    remedy = "Nothing to do: whoever leads now does what is left."


class MissingService(CloudError):
    """The cloud's catalogue has no such service."""

    retriable = False
    remedy = (
        "Have the service installed and registered in the catalogue, or choose another region or interface."
    )


_NEUTRON_TYPES: dict[str, type[CloudError]] = {
    "OverQuota": Quota,
    "QuotaExceeded": Quota,
    "IpAddressGenerationFailure": NoAddresses,
    "IpAddressGenerationFailureAllSubnets": NoAddresses,
    "ExternalIpAddressExhausted": NoAddresses,
    "IpAddressInUse": AddressTaken,
    "IpAddressAlreadyAllocated": AddressTaken,
    "MacAddressInUse": AddressTaken,
    "DuplicateSubPort": AddressTaken,
    "FloatingIPPortAlreadyAssociated": InUse,
    "PortInUseAsTrunkParent": InUse,
    "PortInUseAsSubPort": InUse,
    "TrunkInUse": InUse,
    "PortInUse": InUse,
    "SubnetInUse": InUse,
    "NetworkInUse": InUse,
    "ServicePortInUse": InUse,
    "SecurityGroupInUse": InUse,
    "AddressGroupInUse": InUse,
    "AddressesAlreadyExist": Conflict,
}
_DESIGNATE_TYPES: dict[str, type[CloudError]] = {
    "over_quota": Quota,  # with 413, which elsewhere asks for a pause
    "duplicate_recordset": Conflict,
}

_USED_UP = ("quota", "maximum number of")  # the latter Cinder of backups and snapshots, without the former

# Octavia gives no types, Neutron not always one. Octavia also passes on what Neutron answered when the VIP's
# port could not be made.
_BY_WORDS: tuple[tuple[frozenset[int], tuple[str, ...], type[CloudError]], ...] = (
    (frozenset({403, 409, 413}), _USED_UP, Quota),  # 413: Cinder, with a Retry-After that means nothing
    (frozenset({409}), ("immutable", "invalid state"), Immutable),
    (
        frozenset({403}),
        ("invalid share",),
        BadRequest,
    ),  # Manila: the share's state is wrong, not a role
    (
        frozenset({400, 409, 500}),
        (
            *("no more ip addresses", "unable to find any ip address", "no free addresses"),
            "insufficient prefix space",  # a subnet pool that is used up: a 500 of Neutron's
        ),
        NoAddresses,
    ),
    (frozenset({400, 409, 500}), ("already allocated", "ip address in use", "already in use"), AddressTaken),
)

_BY_STATUS: dict[int, type[CloudError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    409: Conflict,
    410: NotFound,
    412: Conflict,
    501: Unsupported,
    504: Timeout,
}


def from_response(
    service: str, status: int, body: bytes, *, request_id: str = "", retry_after: str | None = None
) -> CloudError:
    """Return the error for an HTTP answer of ``service`` with a status of 400 or more."""
    kind, cause = _read(body)
    if kind in _DESIGNATE_TYPES:
        return _DESIGNATE_TYPES[kind](service, cause, status=status, request_id=request_id)
    used_up = status == 413 and any(word in cause.lower() for word in _USED_UP)
    if (status in {413, 429} and not used_up) or (status == 503 and retry_after):
        pause = _seconds(retry_after)
        return RateLimited(service, cause, status=status, request_id=request_id, retry_after=pause)
    return _classify(status, kind, cause)(service, cause, status=status, request_id=request_id)


def _classify(status: int, kind: str, cause: str) -> type[CloudError]:
    if kind in _NEUTRON_TYPES:
        return _NEUTRON_TYPES[kind]
    text = cause.lower()
    for statuses, words, meaning in _BY_WORDS:
        if status in statuses and any(word in text for word in words):
            return meaning
    return _BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)


def _read(body: bytes) -> tuple[str, str]:
    """Return (type, message) of an error document; type is "" where the service gives none."""
    text = body.decode(errors="replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        return "", _shorten(text) or "the service gave no reason"
    if not isinstance(document, dict):
        return "", _shorten(text)
    if isinstance(document.get("errors"), dict) and "message" not in document:  # Designate: these say it all
        document["message"] = str(document.get("type", "")).replace("_", " ")
    for key in ("NeutronError", "error", "message"):
        inner = document.get(key)
        if isinstance(inner, dict):
            kind = str(inner.get("type") or inner.get("title") or "")
            return kind, _shorten(str(inner.get("message") or inner))
        if isinstance(inner, str):
            return str(document.get("type") or ""), _shorten(_with_errors(inner, document))
    if len(document) == 1:  # Nova: {"itemNotFound": {"code": 404, "message": ...}}
        (inner,) = document.values()
        if isinstance(inner, dict) and "message" in inner:
            return "", _shorten(str(inner["message"]))
    fault = document.get("faultstring")  # Octavia
    return "", _shorten(str(fault)) if fault else _shorten(text)


def _with_errors(message: str, document: Mapping[str, Any]) -> str:
    """Return a message with the single errors Designate lists beside it: which value, and what of it."""
    found = document.get("errors")
    entries = found.get("errors") if isinstance(found, dict) else None
    told = [f"{each.get('path')}: {each.get('message')}" for each in entries or () if isinstance(each, dict)]
    return f"{message} ({'; '.join(told)})" if told else message


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 1] + "…"


def _seconds(value: str | None) -> float:
    try:
        return max(0.0, float(value)) if value else _PAUSE
    except ValueError:  # an HTTP date; no OpenStack service sends one
        return _PAUSE
