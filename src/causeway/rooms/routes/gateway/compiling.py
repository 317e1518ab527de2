"""Parts of Gateway API as entries: pure."""

from causeway.kube.objects import key_of, split_key
from causeway.rooms.routes import certificates
from causeway.rooms.routes.endpoints import SlicesOf, ready, weights
from causeway.rooms.routes.gateway.filters import order
from causeway.rooms.routes.model import Backend, CertificateKey, Entry, Kind, MapName
from causeway.rooms.routes.parts import Opening, Rule, Table

_BROKEN, _EMPTY = "500", "503"  # of a reference that cannot be followed, of a service without endpoints


def compile_rule(rule: Rule, slices: SlicesOf, balance: str, cookie: str) -> Entry:
    """Return the backend of a rule, and what is done for it."""
    key = key_of(rule)
    shares: dict[str, int] = {}
    addresses = {}
    for number, target in zip(map(str, range(len(rule.targets))), rule.targets, strict=True):
        namespace, name = split_key(target.service)
        shares[number] = target.weight
        addresses[number] = ready(slices(namespace or "", name), target.port)
    each = weights(shares, {number: len(found) for number, found in addresses.items()})
    servers: dict[str, tuple[str, int, str]] = {}
    for number, found in addresses.items():
        if rule.passthrough and not each.get(number):
            continue  # nobody can be held to a server without a cookie
        for address in found:
            detail = address.place + (" proto h2" if address.h2c and not rule.passthrough else "")
            server = f"s{certificates.digest(rule.metadata.uid, number, detail)[:16]}"
            servers[server] = (server, each[number], detail)
    alive = sum(shares[number] for number, found in addresses.items() if found)
    options: list[tuple[MapName, str, str]] = [("owner", "", key)]
    if rule.timeout:
        options.append(("timeout", "", str(rule.timeout)))
    several = sum(weight > 0 for weight in shares.values()) > 1
    if rule.passthrough:
        tcp = Kind("tcp", "roundrobin" if several else "source")
        return Entry(key, Backend(tcp, tuple(sorted(servers.values())), tuple(options)), found_by_owner=True)
    kind = Kind("http", "roundrobin" if several else balance, cookie, options=bool(rule.timeout))
    orders = "&".join(filter(None, [_failing(rule, sum(shares.values()), alive), rule.orders]))
    return Entry(
        owner=key,
        backend=Backend(kind, tuple(sorted(servers.values())), tuple(options)),
        texts=(("filter", key, orders),) if orders else (),
        found_by_owner=True,
    )


def _failing(rule: Rule, shares: int, alive: int) -> str:
    """Return the orders that answer the share of requests nobody is there for."""
    if rule.answers:
        return ""
    lost = rule.lost if shares or rule.lost else 1  # nobody at all is as one who cannot be had
    empty = shares - alive if alive or lost else 0  # without any other HAProxy says so itself
    failing = [order("fail", code, str(share)) for code, share in ((_BROKEN, lost), (_EMPTY, empty)) if share]
    return "&".join([order("of", str(shares + lost)), *failing]) if failing else ""


def compile_opening(opening: Opening) -> Entry:
    """Return what leads from a port."""
    return Entry(owner=key_of(opening), backend=None, texts=(("port", str(opening.port), opening.leads),))


def compile_table(table: Table) -> Entry:
    """Return the entries of a host."""
    return Entry(
        owner=key_of(table),
        backend=None,
        certificates=tuple(
            (CertificateKey(certificates.digest(text, host), host), text) for host, text in table.certificates
        ),
        texts=table.entries,
    )
