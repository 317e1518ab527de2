"""What the status tree of a load balancer says."""

import pytest

from causeway.cloud.octavia_objects import ListenerStatus, StatusTree


@pytest.mark.parametrize(
    ("balancer", "listener", "pending"),
    [
        ("ACTIVE", "ACTIVE", False),
        ("ACTIVE", "PENDING_CREATE", True),
        ("PENDING_UPDATE", "ACTIVE", True),
        ("ERROR", "PENDING_CREATE", False),  # Octavia gave up in the middle
    ],
)
def test_octavia_works_until_everything_is_settled_or_it_gave_up(
    balancer: str, listener: str, pending: bool
) -> None:
    tree = StatusTree("lb", balancer, "OFFLINE", listeners=[ListenerStatus("li", listener, "OFFLINE")])
    assert tree.pending is pending
