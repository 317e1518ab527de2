"""How the counting proxies name a call."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.proxy import kind_of


@pytest.mark.parametrize(
    ("service", "path", "query", "kind"),
    [
        ("kubernetes", "/api/v1/namespaces/default/pods/web/status", {}, "pods/status"),
        ("kubernetes", "/api/v1/namespaces/default", {}, "namespaces"),
        ("kubernetes", "/apis/causeway.dev/v1alpha1/namespaces/a/podports/b", {}, "podports"),
        ("kubernetes", "/api/v1/pods", {"watch": "1"}, "pods (watch)"),
        ("kubernetes", "/readyz", {}, "/readyz"),
        ("network", "/v2.0/ports/6f6c1f9c-0000-4000-8000-000000000000", {}, "/v2.0/ports/{}"),
    ],
)
def test_names_of_objects_are_left_out(service: str, path: str, query: dict[str, str], kind: str) -> None:
    request: Any = SimpleNamespace(path=path, query=query)
    assert kind_of(service, request) == kind
