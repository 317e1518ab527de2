"""Ranges of addresses without other ranges, exactly. Pure."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=4096)
def network(cidr: str) -> Network:
    """Return the range ``cidr`` means; bits behind the prefix count for nothing."""
    return ipaddress.ip_network(cidr, strict=False)


@lru_cache(maxsize=65536)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def family(address: str) -> int:
    """Return 4 or 6 for an address or a range."""
    return 6 if ":" in address else 4


def contains(cidr: str, address: str) -> bool:
    """Return whether ``address`` lies in ``cidr``; addresses of the other family never do."""
    return family(cidr) == family(address) and _address(address) in network(cidr)


def whole(address: str) -> str:
    """Return the range that is this one address."""
    return f"{address}/{128 if family(address) == 6 else 32}"


def subtract(cidr: str, without: Iterable[str]) -> tuple[str, ...]:
    """Return the fewest ranges that together are ``cidr`` without any address of ``without``, in order."""
    left: list[Network] = [network(cidr)]
    for hole in map(network, without):
        left = [part for each in left for part in _cut(each, hole)]
    same = [each for each in left if each.version == network(cidr).version]
    return tuple(str(each) for each in sorted(ipaddress.collapse_addresses(same)))  # type: ignore[type-var]  # of one family


def _cut(whole_range: Network, hole: Network) -> list[Network]:
    if whole_range.version != hole.version or not whole_range.overlaps(hole):
        return [whole_range]
    if hole.prefixlen <= whole_range.prefixlen:
        return []
    return list(whole_range.address_exclude(hole))  # type: ignore[arg-type]  # of one family
