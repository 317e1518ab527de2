import pytest

from causeway.cloud.neutron import Subnet
from causeway.rooms.services.model import SubnetChoice
from causeway.rooms.services.subnets import matching

SUBNETS = [
    Subnet("1", "public-a", "ext", "192.0.2.0/25", tags=["open", "a"]),
    Subnet("2", "public-b", "ext", "192.0.2.128/25", tags=["open"]),
    Subnet("3", "dmz", "ext", "198.51.100.0/24"),
]


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        (SubnetChoice("3"), "3"),
        (SubnetChoice("9"), ""),
        (SubnetChoice(pattern="dmz"), "3"),
        (SubnetChoice(pattern="public-*"), "12"),
        (SubnetChoice(pattern="!public-*"), "3"),
        (SubnetChoice(pattern="~public-[ab]"), "12"),
        (SubnetChoice(pattern="~public"), ""),  # the whole name
        (SubnetChoice(pattern="!~public-[ab]"), "3"),
        (SubnetChoice(tags="a, b"), "1"),
        (SubnetChoice(tags="&open,a"), "1"),
        (SubnetChoice(tags="!a"), "23"),
        (SubnetChoice(tags="!&open,a"), "23"),
        (SubnetChoice(pattern="public-*", tags="!a"), "2"),
    ],
)
def test_subnets_are_meant_by_id_name_or_tags(choice: SubnetChoice, meant: str) -> None:
    assert "".join(identifier for identifier, _ in matching(SUBNETS, choice)) == meant
