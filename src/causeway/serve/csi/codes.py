"""What went wrong as the status codes of the Container Storage Interface.

The code tells Kubernetes' sidecars whether something may have happened: after ABORTED, DEADLINE_EXCEEDED
and UNAVAILABLE they ask again for the same volume until they know; after the others a claim may be given
up. So an answer of the cloud that was lost must never become one of the others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from causeway.cloud import errors
from causeway.engine.storage.model import Reason, Refused
from causeway.kit.errors import Problem

Code = grpc.StatusCode

_BY_REASON = {
    Reason.INVALID: Code.INVALID_ARGUMENT,
    Reason.NOT_FOUND: Code.NOT_FOUND,
    Reason.EXISTS: Code.ALREADY_EXISTS,
    Reason.OUT_OF_RANGE: Code.OUT_OF_RANGE,
    Reason.EXHAUSTED: Code.RESOURCE_EXHAUSTED,
    Reason.PRECONDITION: Code.FAILED_PRECONDITION,
    Reason.PENDING: Code.ABORTED,
    Reason.DEADLINE: Code.DEADLINE_EXCEEDED,
    Reason.FAILED: Code.INTERNAL,
}
# The first that matches.
_BY_ERROR = (
    (errors.NotFound, Code.NOT_FOUND),
    (errors.Quota, Code.RESOURCE_EXHAUSTED),
    (errors.Conflict, Code.ABORTED),
    (errors.Forbidden, Code.PERMISSION_DENIED),
    (errors.BadRequest, Code.INVALID_ARGUMENT),
    (errors.MissingService, Code.FAILED_PRECONDITION),
)


_BY_LOG = "The driver's log has the request id, to look for in the logs of the service."


@contextmanager
def final_without_room(place: str) -> Iterator[None]:
    """Refuse what a quota leaves no room for with a code that is final: nothing of it is to be under way.

    csi-snapshotter takes RESOURCE_EXHAUSTED for a snapshot that may still come, and lets no VolumeSnapshot go
    before it has: nobody could delete one to make room.
    """
    try:
        yield
    except errors.Quota as error:
        raise Refused(Reason.PRECONDITION, place, error.cause, error.remedy) from error


@contextmanager
def to_be_lowered(place: str) -> Iterator[None]:
    """Refuse a size there is no room for with a code after which a smaller one may be asked for.

    csi-resizer takes RESOURCE_EXHAUSTED for an enlargement that may be under way, and asks for the same size
    until it is there, whatever the claim says since. After OUT_OF_RANGE it follows the claim.
    """
    try:
        yield
    except errors.Quota as error:
        raise _too_large(place, error.cause, error.remedy) from error
    except Refused as refused:
        if refused.reason is not Reason.EXHAUSTED:
            raise
        raise _too_large(place, refused.findings[0].cause, refused.findings[0].remedy) from refused


def _too_large(place: str, cause: str, remedy: str) -> Refused:
    remedy = f"{remedy} Or lower storage of the claim, to more than it has."
    return Refused(Reason.OUT_OF_RANGE, place, cause.rstrip("."), remedy)


def status(error: Problem | errors.CloudError) -> tuple[grpc.StatusCode, str]:
    """Return the code and the message, which names place, cause and remedy. Pure.

    The request id of the cloud is left to the log: Kubernetes counts Events of the same words as one.
    """
    if isinstance(error, errors.CloudError):
        code = next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Code.UNAVAILABLE)
        generic = type(error).remedy == errors.CloudError.remedy
        remedy = _BY_LOG if generic else error.remedy
        return code, f"{error.service}: {error.cause.rstrip('.')}. {remedy}"
    return _BY_REASON[error.reason] if isinstance(error, Refused) else Code.INTERNAL, str(error)


def request_id(error: BaseException | None) -> str | None:
    """Return the cloud's request id of an error, or of what it came of; None when there is none. Pure."""
    while error is not None:
        if isinstance(error, errors.CloudError) and error.request_id:
            return error.request_id
        error = error.__cause__
    return None
