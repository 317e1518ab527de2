import pytest

from causeway.rooms.platforms.belongings import Balancer


@pytest.mark.parametrize(
    ("provisioning", "operating", "works"),
    [
        ("ACTIVE", "ONLINE", True),
        ("ACTIVE", "DEGRADED", True),
        ("ACTIVE", "ERROR", False),
        ("PENDING_CREATE", "OFFLINE", False),
        ("PENDING_UPDATE", "ONLINE", True),
        ("PENDING_UPDATE", "OFFLINE", False),
        ("PENDING_DELETE", "ONLINE", False),
        ("ERROR", "ONLINE", False),
    ],
)
def test_a_balancer_works_while_it_serves(provisioning: str, operating: str, works: bool) -> None:
    assert Balancer("api", provisioning, operating, "192.0.2.1").works is works
