"""Services as the policies see them: which of their ports a policy lets pods ask. No I/O.

The cloud judges what leaves a pod before a load balancer has chosen where it goes. So a port of a service is
allowed when every address and port that may answer behind it is: nothing is reached that a policy does not
allow, whichever the load balancer chooses.
"""

from collections.abc import Iterable, Iterator

from causeway.rooms.policies.model import Front, Peers, Rule
from causeway.rooms.policies.ranges import family, whole
from causeway.rooms.policies.sets import Sets
from causeway.rooms.policies.translate import Named, Ports, Template

_EVERYTHING = Template("egress", None, Ports())


class Fronts:
    """The ports of all services with what answers behind them."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._of: dict[str, tuple[Front, ...]] = {}
        self._at: dict[str, set[str]] = {}  # services by the addresses that answer for them

    def keys(self) -> list[str]:
        """Return the keys of all services."""
        return list(self._of)

    def answered_at(self, addresses: Iterable[str]) -> set[str]:
        """Return the services for which one of ``addresses`` answers."""
        return {service for address in addresses for service in self._at.get(address, ())}

    def put(self, key: str, fronts: tuple[Front, ...]) -> bool:
        """Take in a service as it is now; return whether it changed."""
        old = self._of.pop(key, ())
        if fronts:
            self._of[key] = fronts
        if old == fronts:
            return False
        for address in _backends(old):
            self._at[address].discard(key)
            if not self._at[address]:
                del self._at[address]
        for address in _backends(fronts):
            self._at.setdefault(address, set()).add(key)
        return True

    def rules(self, key: str, egress: tuple[Template, ...] | None, families: Iterable[int]) -> Iterator[Rule]:
        """Yield rules for the ports of a service that ``egress`` allows."""
        if not egress or _EVERYTHING in egress:
            return  # what allows everything allows services as well
        for front in self._of.get(key, ()):
            version = family(front.address)
            if version in families and front.backends and self._allowed(egress, front):
                yield Rule(
                    "egress", version, front.protocol.lower(), front.port, front.port, whole(front.address)
                )

    def _allowed(self, egress: tuple[Template, ...], front: Front) -> bool:
        return all(
            any(self._covers(template, front.protocol, *backend) for template in egress)
            for backend in front.backends
        )

    def _covers(self, template: Template, protocol: str, address: str, port: int) -> bool:
        ports, remote = template.ports, template.remote
        number = 0
        if isinstance(ports, Named):
            if ports.protocol != protocol:
                return False
            number = port
        elif not ports.has(protocol, port):
            return False
        if isinstance(remote, Peers):
            return self._sets.of(remote).has(address, number)
        return remote is None or remote.has(address)


def _backends(fronts: Iterable[Front]) -> set[str]:
    return {address for front in fronts for address, _ in front.backends}
