"""The sets of addresses that rules refer to, kept right pod by pod. No I/O.

Policies whose peers mean the same share one set. A pod's change is compared with the sets that reach into its
namespace and with no others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from causeway.rooms.policies.model import Block, Member, Peers
from causeway.rooms.policies.ranges import whole
from causeway.rooms.policies.translate import block_key, block_ranges, peers_key

PodsIn = Mapping[str, Mapping[str, Member]]
"""Pods by namespace and uid."""


class PodSet:
    """The pods that ``peers`` means; ``users`` are the uids of the policies that refer to it.

    Where ``peers`` has a named port the set is several, one for each number the port has; else its number
    is 0.
    """

    def __init__(self, key: str, peers: Peers) -> None:
        self.key = key
        self.peers = peers
        self.users: set[str] = set()
        self._places: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._addresses: dict[int, Counter[str]] = {} if peers.port else {0: Counter()}
        self._changed: set[int] = set()

    def reaches(self, namespace: str, labels: dict[str, str] | None) -> bool:
        """Return whether pods of a namespace may belong; ``labels`` None means it is not known (any more)."""
        if self.peers.namespace:
            return self.peers.namespace == namespace
        return labels is not None and self.peers.namespaces.match(labels)

    def put(self, uid: str, member: Member | None) -> set[str]:
        """Let a pod belong as far as it should; return the addresses that came or went."""
        old, new = self._places.get(uid), self._place(member)
        if old == new:
            return set()
        touched = set[str]()
        if old is not None:
            del self._places[uid]
            touched |= self._count(old, -1)
        if new is not None:
            self._places[uid] = new
            touched ^= self._count(new, 1) if old is None or old[0] == new[0] else set()
            if old is not None and old[0] != new[0]:
                touched |= self._count(new, 1)
        return touched

    def numbers(self) -> frozenset[int]:
        """Return the numbers the named port has among the pods; {0} without a named port."""
        return frozenset(self._addresses)

    def keys(self) -> list[str]:
        """Return the keys of the sets of addresses this is."""
        return [self._key(number) for number in self._addresses]

    def changed(self) -> set[str]:
        """Return the keys of those that changed since this was asked last."""
        changed, self._changed = self._changed, set()
        return {self._key(number) for number in changed}

    def addresses(self, number: int = 0) -> frozenset[str] | None:
        """Return the addresses, as ranges, of the pods with this number; None if there are none with it."""
        counted = self._addresses.get(number)
        return None if counted is None else frozenset(map(whole, counted))

    def has(self, address: str, number: int = 0) -> bool:
        """Return whether a pod with this address, and this number, belongs."""
        return address in self._addresses.get(number, ())

    def _place(self, member: Member | None) -> tuple[int, tuple[str, ...]] | None:
        if member is None or not self.peers.pods.match(member.labels):
            return None
        number = member.number(*self.peers.port) if self.peers.port else 0
        addresses = member.addresses
        if self.peers.block is not None:
            addresses = tuple(filter(self.peers.block.has, addresses))
        return (number, addresses) if addresses and (number or not self.peers.port) else None

    def _count(self, place: tuple[int, tuple[str, ...]], by: int) -> set[str]:
        number, addresses = place
        counted = self._addresses.setdefault(number, Counter())
        touched = set[str]()
        for address in addresses:
            had = address in counted
            counted[address] += by
            if not counted[address]:
                del counted[address]
            if had != (address in counted):
                touched.add(address)
        if not counted and self.peers.port:
            del self._addresses[number]
        if touched:
            self._changed.add(number)
        return touched

    def _key(self, number: int) -> str:
        return self.key + (f"-{number}" if number else "")


class Sets:
    """All sets some policy refers to.

    ``touched`` is told when addresses come to a set of pods or leave it, ``renumbered`` when the numbers of
    its named port do; ``changed`` collects the keys of all sets that are not as they were.
    """

    def __init__(
        self,
        families: tuple[int, ...],
        touched: Callable[[PodSet, set[str]], None],
        renumbered: Callable[[PodSet], None],
    ) -> None:
        self.families = families
        self._touched = touched
        self._renumbered = renumbered
        self._pods: dict[str, PodSet] = {}
        self._blocks: dict[str, tuple[Block, int, set[str]]] = {}
        self._reaching: dict[str, list[PodSet]] = {}  # by namespace
        self._labels: dict[str, dict[str, str]] = {}  # of namespaces
        self.changed: set[str] = set()

    def of(self, peers: Peers) -> PodSet:
        """Return the set of pods that ``peers`` means."""
        return self._pods[peers_key(peers)]

    def keys(self) -> list[str]:
        """Return the keys of all sets of addresses."""
        return [*(key for pods in self._pods.values() for key in pods.keys()), *self._blocks]  # noqa: SIM118  # no dict

    def addresses(self, key: str) -> frozenset[str] | None:
        """Return a set of addresses, as ranges; None for a set that nothing refers to."""
        if key in self._blocks:
            block, version, _ = self._blocks[key]
            return frozenset(block_ranges(block, version))
        name, _, number = key.partition("-")
        pods = self._pods.get(name)
        return pods.addresses(int(number or 0)) if pods else None

    def describe(self, key: str) -> str:
        """Return in words what a set is."""
        if key in self._blocks:
            return str(self._blocks[key][0])
        name, _, number = key.partition("-")
        pods = self._pods.get(name)
        return f"{pods.peers}{f' = {number}' if number else ''}" if pods else ""

    def users(self, key: str) -> frozenset[str]:
        """Return the uids of the policies that refer to a set."""
        if key in self._blocks:
            return frozenset(self._blocks[key][2])
        pods = self._pods.get(key.partition("-")[0])
        return frozenset(pods.users) if pods else frozenset()

    def put_pod(self, uid: str, namespace: str, member: Member | None) -> None:
        """Take in a pod of ``namespace`` as it is now."""
        reaching = self._reaching.get(namespace)
        if reaching is None:
            labels = self._labels.get(namespace)
            reaching = [pods for pods in self._pods.values() if pods.reaches(namespace, labels)]
            self._reaching[namespace] = reaching
        for pods in reaching:
            self._put(pods, uid, member)

    def put_namespace(self, name: str, labels: dict[str, str] | None, members: Iterable[Member]) -> None:
        """Take in a namespace's labels, None for one that is gone; ``members`` are its pods."""
        if labels is None:
            self._labels.pop(name, None)
        else:
            self._labels[name] = labels
        self._reaching.pop(name, None)
        wide = [pods for pods in self._pods.values() if not pods.peers.namespace]
        for member in members:
            for pods in wide:
                self._put(pods, member.uid, member if pods.reaches(name, labels) else None)

    def refer(self, uid: str, remotes: Iterable[Block | Peers | None], pods_in: PodsIn) -> None:
        """Let a policy refer to exactly ``remotes``; ``pods_in`` are all pods, for the sets that are new."""
        kept = set[str]()
        for remote in remotes:
            if isinstance(remote, Peers):
                kept.add(self._use_pods(remote, uid, pods_in))
            elif remote is not None:
                kept |= self._use_block(remote, uid)
        for key, pods in [*self._pods.items()]:
            if uid in pods.users and key not in kept:
                pods.users.discard(uid)
                if not pods.users:
                    self.changed.update(pods.keys())
                    del self._pods[key]
                    self._reaching.clear()
        for key, (_, _, users) in [*self._blocks.items()]:
            if uid in users and key not in kept:
                users.discard(uid)
                if not users:
                    self.changed.add(key)
                    del self._blocks[key]

    def _use_pods(self, peers: Peers, uid: str, pods_in: PodsIn) -> str:
        key = peers_key(peers)
        pods = self._pods.get(key)
        if pods is None:
            pods = self._pods[key] = PodSet(key, peers)
            self._reaching.clear()
            self.changed.update(pods.keys())
            for namespace in [peers.namespace] if peers.namespace else pods_in:
                if pods.reaches(namespace, self._labels.get(namespace)):
                    for member in pods_in.get(namespace, {}).values():
                        self._put(pods, member.uid, member)
        pods.users.add(uid)
        return key

    def _use_block(self, block: Block, uid: str) -> set[str]:
        used = set[str]()
        for version in self.families:
            if len(block_ranges(block, version)) > 1:
                key = block_key(block, version)
                if key not in self._blocks:
                    self._blocks[key] = (block, version, set())
                    self.changed.add(key)
                self._blocks[key][2].add(uid)
                used.add(key)
        return used

    def _put(self, pods: PodSet, uid: str, member: Member | None) -> None:
        numbers = pods.numbers()
        touched = pods.put(uid, member)
        if touched:
            self.changed |= pods.changed()
            if pods.numbers() != numbers:
                self._renumbered(pods)
            self._touched(pods, touched)
