import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from causeway.rooms.routes.allowing import prefixes
from causeway.rooms.routes.annotations import Network

ADDRESS = st.ip_addresses()
NETWORK = st.builds(
    lambda address, bits: ipaddress.ip_network((address, min(bits, address.max_prefixlen)), strict=False),
    ADDRESS,
    st.integers(0, 128),
)


@given(NETWORK, ADDRESS, st.integers(0, 2**128 - 1))
def test_an_address_begins_with_a_prefix_if_it_is_of_the_range(
    network: Network, other: ipaddress.IPv4Address | ipaddress.IPv6Address, number: int
) -> None:
    within = network[number % network.num_addresses]
    for address in (within, network[0], network[-1], other):
        text = f"/{address.version}/{int(address):0{address.max_prefixlen // 4}X}"
        found = any(text.startswith(each) for each in prefixes([network]))
        assert found == (address.version == network.version and address in network)


def test_a_range_is_few_prefixes() -> None:
    assert prefixes([ipaddress.ip_network("10.0.0.0/22")]) == [
        "/4/0A0000",
        "/4/0A0001",
        "/4/0A0002",
        "/4/0A0003",
    ]
    assert prefixes([ipaddress.ip_network("0.0.0.0/0")]) == ["/4/"]
