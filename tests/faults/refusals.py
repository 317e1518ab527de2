"""Refusals in the words of the servers they are told for."""

import json
from http import HTTPStatus

from tests.faults.weather import Fault, Request

_REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}


_FAULTS = {409: "conflictingRequest", 429: "overLimit"}  # what Cinder and Nova call them


def openstack(request: Request, fault: Fault) -> bytes:
    """Return what the services and Keystone answer; a proxy before them answers 503 in HTML."""
    if fault.status == 503:
        return _answer(fault, b"<html><h1>Service Unavailable</h1></html>", "text/html")
    if fault.status == 409 and request.door == "load-balancer":
        words = "Load Balancer is immutable and cannot be updated."
        document: object = {"faultcode": "Client", "faultstring": words, "debuginfo": None}
    elif request.door == "network":
        words = "Request Failed: internal server error while processing your request."
        kind = {409: "Conflict", 429: "TooManyRequests"}.get(fault.status, "HTTPInternalServerError")
        document = {"NeutronError": {"type": kind, "message": words, "detail": ""}}
    elif request.door in ("block-storage", "compute"):
        words = HTTPStatus(fault.status).phrase
        document = {_FAULTS.get(fault.status, "computeFault"): {"code": fault.status, "message": words}}
    else:
        words = HTTPStatus(fault.status).phrase
        document = {"error": {"code": fault.status, "title": words, "message": words}}
    return _answer(fault, json.dumps(document).encode(), "application/json")


def kubernetes(_request: Request, fault: Fault) -> bytes:
    """Return the Status the API server answers."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": _REASONS.get(fault.status, "ServiceUnavailable"),
        "message": HTTPStatus(fault.status).phrase,
        "code": fault.status,
    }
    return _answer(fault, json.dumps(status).encode(), "application/json")


def _answer(fault: Fault, body: bytes, content: str) -> bytes:
    lines = [f"HTTP/1.1 {fault.status} {HTTPStatus(fault.status).phrase}", f"Content-Type: {content}"]
    lines.append(f"Content-Length: {len(body)}")
    if fault.retry_after:
        lines.append(f"Retry-After: {fault.retry_after}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
