import grpc
import pytest

from causeway.cloud import errors
from causeway.kit.errors import Problem
from causeway.rooms.volumes.model import Reason, Refused
from causeway.serve.csi.codes import request_id, status, to_be_lowered

ASKED_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED}


@pytest.mark.parametrize(
    "kind",
    [
        errors.Timeout,
        errors.Unreachable,
        errors.ServerError,
        errors.RateLimited,
        errors.Fenced,
        errors.Conflict,
    ],
)
def test_after_an_answer_that_was_lost_the_same_is_asked_for_again(kind: type[errors.CloudError]) -> None:
    assert status(kind("block-storage", "broken"))[0] in ASKED_AGAIN


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_code_and_the_message_names_place_cause_and_remedy(reason: Reason) -> None:
    code, message = status(Refused(reason, "volume a", "it is blue", "Paint it."))
    assert message == "volume a: it is blue. Paint it."
    assert (code in ASKED_AGAIN) is (reason in (Reason.PENDING, Reason.DEADLINE))


def test_the_clouds_errors_keep_cause_and_remedy_and_leave_the_request_to_the_log() -> None:
    """Each retry has a request of its own, and would be an Event of its own."""
    error = errors.Quota("block-storage", "no more.", status=413, request_id="req-1")
    code, message = status(error)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert message == f"block-storage: no more. {errors.Quota.remedy}"
    assert request_id(error) == "req-1"
    assert "driver's log" in status(errors.ServerError("block-storage", "broken", request_id="req-1"))[1]


def test_the_request_is_known_of_what_a_refusal_came_of() -> None:
    with pytest.raises(Refused) as refused, to_be_lowered("volume a"):
        raise errors.Quota("block-storage", "no more", status=413, request_id="req-1")
    assert request_id(refused.value) == "req-1"
    assert request_id(Problem.of("mount", "it broke", "Mend it.")) is None


@pytest.mark.parametrize(
    "found",
    [
        errors.Quota("block-storage", "no more", status=413),
        Refused(Reason.EXHAUSTED, "volume a", "no more", "Ask for room."),
    ],
)
def test_a_size_without_room_may_be_lowered(found: Exception) -> None:
    """As csi-resizer does after OUT_OF_RANGE, and not after RESOURCE_EXHAUSTED."""
    with pytest.raises(Refused) as refused, to_be_lowered("volume a"):
        raise found
    code, message = status(refused.value)
    assert code is grpc.StatusCode.OUT_OF_RANGE
    assert message.startswith("volume a: no more. Ask ")
    assert "lower storage of the claim" in message


def test_another_refusal_to_enlarge_stays_what_it_is() -> None:
    with pytest.raises(Refused) as refused, to_be_lowered("volume a"):
        raise Refused(Reason.FAILED, "volume a", "it is blue", "Paint it.")
    assert refused.value.reason is Reason.FAILED


def test_problems_of_the_machine_are_internal() -> None:
    assert status(Problem.of("mount", "it broke", "Mend it."))[0] is grpc.StatusCode.INTERNAL
