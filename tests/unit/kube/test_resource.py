"""What a path of the API is about."""

import pytest

from causeway.kube.resource import ENDPOINT_SLICES, NAMESPACES, NODES, PODS, SERVICES, resource_in


@pytest.mark.parametrize(
    ("path", "about"),
    [
        (PODS.path(), "pods"),
        (PODS.path("shop", "web", "eviction"), "pods/eviction"),
        (SERVICES.path("shop", "web", "status"), "services/status"),
        (ENDPOINT_SLICES.path("shop"), "endpointslices"),
        (NODES.path(None, "n1"), "nodes"),
        (NAMESPACES.path(), "namespaces"),
        (NAMESPACES.path(None, "shop"), "namespaces"),
        (NAMESPACES.path(None, "shop", "finalize"), "namespaces/finalize"),
        ("/readyz", ""),
    ],
)
def test_a_path_is_told_without_names(path: str, about: str) -> None:
    assert resource_in(path) == about
