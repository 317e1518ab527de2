"""What a crash left twice is brought back to one."""

from causeway.cloud.networks import Network, Subnet
from causeway.cloud.security_groups import SecurityGroup
from causeway.rooms.namespaces.model import Actual, DeleteSubnet, Desired, Join, Range, Setting
from causeway.rooms.namespaces.plan import own_of, plan

SETTING = Setting("c", "r", False, (Range(4, pool_id="p4"),), (), frozenset())
DESIRED = Desired("uid", "shop", (Range(4, pool_id="p4"), Range(6, pool_id="p6")))
NETWORK, GROUP = Network("n", "namespace/shop", 1442), SecurityGroup("g", "namespace/shop")
A, B = Subnet("a", "n", "10.40.0.0/24", 4), Subnet("b", "n", "10.40.1.0/24", 4)
SIX = Subnet("six", "n", "fd00:40::/64", 6)


def actual(*subnets: Subnet, joined: str = "") -> Actual:
    return Actual((NETWORK,), subnets, frozenset(joined.split()), (GROUP,))


def test_of_two_subnets_of_a_version_one_is_kept_and_the_other_goes() -> None:
    assert plan(DESIRED, actual(B, A, SIX), SETTING) == [DeleteSubnet("b")]
    assert plan(DESIRED, actual(A, SIX), SETTING)[:2] == [Join("a"), Join("six")]


def test_the_subnet_pods_may_live_on_is_the_one_that_is_kept() -> None:
    there = actual(A, B, SIX, joined="b six")
    assert plan(DESIRED, there, SETTING) == [DeleteSubnet("a")]
    own = own_of(there)
    assert own is not None
    assert own.subnets == (B, SIX)


def test_no_subnet_is_deleted_that_the_router_is_on() -> None:
    steps = plan(DESIRED, actual(A, B, SIX, joined="a b six"), SETTING)
    assert not [each for each in steps if isinstance(each, DeleteSubnet)]
