"""What the Kubernetes API refuses, as types, so that callers decide by class and never by text."""

from typing import Any

import msgspec

from causeway.kit.errors import Finding, Problem


class ApiError(Problem):
    """The API answered with an error, or did not answer; ``status`` is the HTTP status (0: no answer)."""

    remedy = "See the API server's log for this request."

    def __init__(self, place: str, cause: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(Finding(place, cause, self.remedy))
        self.status = status
        self.retry_after = retry_after  # seconds the server asks to wait, if it does


class NotFound(ApiError):
    """The object, or its whole resource, does not exist."""

    remedy = "Check its name and namespace, and that its definition is installed."


class Conflict(ApiError):
    """The object changed meanwhile, or a field belongs to another manager."""

    remedy = "Read the object again and repeat the change."


class AlreadyExists(Conflict):
    """An object of this name exists."""

    remedy = "Use another name, or change the one that exists."


class Fenced(ApiError):
    """Nothing was sent, because this process may have been replaced by another while it did not run."""

    remedy = "Nothing to do: whoever leads now does what is left."


class Gone(ApiError):
    """The resource version asked for is no longer kept: list again."""

    remedy = "List again."


class Unauthorized(ApiError):
    """The API does not know who asks."""

    remedy = "Renew the token or the client certificate."


class Forbidden(ApiError):
    """Who asks may not do this, or a quota or an admission rule refuses it."""

    remedy = "Grant the right by RBAC, or change what the quota or the admission rule refuses."


class Invalid(ApiError):
    """The object breaks a rule of its schema."""

    remedy = "Correct the fields named."


class TooManyRequests(ApiError):
    """The API asks to slow down; an eviction answered so is held back by a disruption budget."""

    remedy = "It is repeated later; an eviction waits for the disruption budget of the pod."


class Unavailable(ApiError):
    """The API cannot be reached or is failing; worth repeating."""

    remedy = "Check that the API address is reachable and the API server runs."


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


class _Details(msgspec.Struct, rename="camel", gc=False):
    retry_after_seconds: int = 0


class Status(msgspec.Struct, gc=False):
    """The part of Kubernetes' ``Status`` object that says what went wrong."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


def error_from(place: str, http_status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """Return the typed error for an answer; ``body`` may be a ``Status`` object or any text."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, msgspec.ValidationError):
        status = Status(message=body[:500].decode(errors="replace").strip())
    code = http_status if http_status >= 400 else status.code
    kind = _BY_STATUS.get(code, Unavailable if code >= 500 else ApiError)
    if status.reason == "AlreadyExists":
        kind = AlreadyExists
    elif status.reason in {"Expired", "Gone"}:
        kind = Gone
    wait: float | None = None
    if retry_after and retry_after.isdigit():
        wait = float(retry_after)
    elif status.details and status.details.retry_after_seconds:
        wait = float(status.details.retry_after_seconds)
    return kind(place, status.message or f"HTTP status {code}", status=code, retry_after=wait)


Object = dict[str, Any]
"""An object of the API as plain data, as it is read for display and written by apply or patch."""
