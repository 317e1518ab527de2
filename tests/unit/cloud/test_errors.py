"""Answers as Neutron, Octavia, Keystone and proxies in front of them give them."""

import json

import pytest

from causeway.cloud import errors


def neutron(kind: str, message: str) -> bytes:
    return json.dumps({"NeutronError": {"type": kind, "message": message, "detail": ""}}).encode()


def octavia(message: str) -> bytes:
    return json.dumps({"faultcode": "Client", "faultstring": message, "debuginfo": None}).encode()


def designate(code: int, kind: str, message: str, **more: object) -> bytes:
    body = {"code": code, "type": kind, "message": message, "request_id": "req-2", **more}
    return json.dumps(body).encode()


def cinder(message: str) -> bytes:
    return json.dumps({"overLimit": {"code": 413, "message": message, "retryAfter": "0"}}).encode()


LB = "4c6f3ad0-9d6c-4c73-8f2b-1f3a4dfbf8a1"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, neutron("OverQuota", "Quota exceeded for resources: ['port']."), errors.Quota),
        (409, neutron("IpAddressGenerationFailure", "No more IP addresses available."), errors.NoAddresses),
        (400, neutron("ExternalIpAddressExhausted", "Unable to find any IP address."), errors.NoAddresses),
        (409, neutron("IpAddressAlreadyAllocated", "IP address 10.0.0.3 already."), errors.AddressTaken),
        (409, neutron("DuplicateSubPort", "segmentation_id 7 already in use"), errors.AddressTaken),
        (409, neutron("PortInUseAsSubPort", "Port x is in use by trunk y"), errors.InUse),
        (409, neutron("FloatingIPPortAlreadyAssociated", "Cannot associate"), errors.InUse),
        (404, neutron("PortNotFound", "Port x could not be found."), errors.NotFound),
        (400, neutron("InvalidInput", "Invalid input for operation"), errors.BadRequest),
        (409, neutron("RevisionNumberConstraint", "Constrained to 3, but current is 4"), errors.Conflict),
        (500, neutron("HTTPInternalServerError", "Request Failed"), errors.ServerError),
        (500, neutron("SubnetAllocationError", "Insufficient prefix space to allocate"), errors.NoAddresses),
        (403, octavia("Quota has been met for resources: Load Balancer"), errors.Quota),
        (413, cinder("Maximum number of volumes allowed (10) exceeded for quota 'volumes'."), errors.Quota),
        (413, cinder("Maximum number of backups allowed (10) exceeded"), errors.Quota),
        (409, octavia(f"Load Balancer {LB} is immutable and cannot be updated."), errors.Immutable),
        (409, octavia(f"Invalid state PENDING_UPDATE of loadbalancer resource {LB}"), errors.Immutable),
        (409, octavia("Another Listener is already using protocol_port 80"), errors.Conflict),
        (404, octavia(f"Load Balancer {LB} not found."), errors.NotFound),
        (501, octavia("Provider 'ovn' does not support a requested option"), errors.Unsupported),
        (403, octavia("Policy does not allow this request to be performed."), errors.Forbidden),
        (500, octavia("IP address 10.3.0.9 already allocated in subnet x"), errors.AddressTaken),
        (413, designate(413, "over_quota", "Quota exceeded for zone_recordsets."), errors.Quota),
        (409, designate(409, "duplicate_recordset", "Duplicate RecordSet"), errors.Conflict),
        (404, designate(404, "zone_not_found", "Could not find Zone"), errors.NotFound),
        (403, designate(403, "forbidden", "Forbidden"), errors.Forbidden),
        (400, designate(400, "invalid_object", "Provided object does not match schema"), errors.BadRequest),
        (401, b'{"error": {"code": 401, "title": "Unauthorized", "message": "no"}}', errors.Unauthorized),
        (502, b"<html><head><title>502 Bad Gateway</title></head></html>", errors.ServerError),
        (504, b"", errors.Timeout),
        (503, b"", errors.ServerError),
    ],
)
def test_an_answer_becomes_the_error_it_means(
    status: int, body: bytes, expected: type[errors.CloudError]
) -> None:
    error = errors.from_response("network", status, body, request_id="req-1")
    assert type(error) is expected
    assert error.cause
    assert error.remedy
    assert "req-1" in str(error)


@pytest.mark.parametrize(
    ("status", "header", "pause"), [(429, "17", 17.0), (429, None, 5.0), (413, "x", 5.0), (503, "3", 3.0)]
)
def test_a_request_for_a_pause_says_how_long(status: int, header: str | None, pause: float) -> None:
    error = errors.from_response("network", status, b"slow down", retry_after=header)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == pause


def test_the_cause_is_in_the_words_of_the_service() -> None:
    body = neutron("OverQuota", "Quota exceeded for resources: ['port'].")
    assert errors.from_response("network", 409, body).cause == "Quota exceeded for resources: ['port']."


def test_novas_errors_are_read_as_well() -> None:
    body = b'{"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}'
    error = errors.from_response("compute", 404, body)
    assert isinstance(error, errors.NotFound)
    assert error.cause == "Instance x could not be found."


def test_a_page_of_a_proxy_is_shortened() -> None:
    assert len(errors.from_response("network", 502, b"x " * 5000).cause) <= 400


def test_what_will_be_refused_again_is_not_tried_again() -> None:
    assert not errors.from_response("load-balancer", 501, octavia("Provider cannot")).retriable
    assert errors.from_response("network", 409, neutron("OverQuota", "full")).retriable


def test_what_designate_says_of_single_values_is_part_of_the_cause() -> None:
    single = {"errors": [{"path": "name", "message": "'a b.' is not a 'hostname'", "validator": "format"}]}
    body = designate(400, "invalid_object", "Provided object does not match schema", errors=single)
    error = errors.from_response("dns", 400, body)
    assert error.cause == "Provided object does not match schema (name: 'a b.' is not a 'hostname')"
    bare = {key: value for key, value in json.loads(body).items() if key != "message"}
    error = errors.from_response("dns", 400, json.dumps(bare).encode())
    assert error.cause == "invalid object (name: 'a b.' is not a 'hostname')"
