"""Ranges of addresses as prefixes of text, so that one look into a map finds an address.

An address is written as its family and hexadecimal digits; a range is the digits all its addresses begin
with. One that ends within a digit is up to eight such prefixes.
"""

from collections.abc import Iterable

from causeway.rooms.routes.annotations import Network


def prefixes(networks: Iterable[Network]) -> list[str]:
    """Return ``/<family>/<digits>`` for every part of ``networks``, as often as it is there once."""
    found: dict[str, None] = {}
    for network in networks:
        digits, rest = divmod(network.prefixlen, 4)
        aligned = network.prefixlen if not rest else (digits + 1) * 4
        width = network.max_prefixlen // 4
        for part in network.subnets(new_prefix=aligned) if rest else (network,):
            text = f"{int(part.network_address):0{width}X}"[: aligned // 4]
            found[f"/{network.version}/{text}"] = None
    return list(found)
