"""What the pods' room is told: the network of each namespace, as soon as it is known and whole."""

from collections.abc import Callable

from causeway.kube.informers import Lister
from causeway.kube.objects import Namespace
from causeway.rooms.namespaces.model import Own


class Answers:
    """The networks of namespaces, by uid: None says that a namespace shares the platform's."""

    def __init__(self, namespaces: Lister[Namespace]) -> None:
        self._namespaces = namespaces
        self._of: dict[str, Own | None] = {}
        self._wakes: list[Callable[[str], None]] = []

    def known(self, namespace: str) -> bool:
        """Return whether it is known where the pods of a namespace live."""
        found = self._namespaces.get(namespace)
        return found is not None and found.metadata.uid in self._of

    def own(self, namespace: str) -> Own | None:
        """Return the network of a namespace's own; None if it shares the platform's (or is not ``known``)."""
        found = self._namespaces.get(namespace)
        return self._of.get(found.metadata.uid) if found is not None else None

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Call ``wake(namespace)`` whenever the answer for it may have changed."""
        self._wakes.append(wake)

    def give(self, namespace: Namespace, own: Own | None) -> bool:
        """Answer for a namespace from now on; return whether that is news."""
        uid = namespace.metadata.uid
        if uid in self._of and self._of[uid] == own:
            return False
        self._of[uid] = own
        self._wake(namespace.metadata.name)
        return True

    def withdraw(self, namespace: Namespace) -> None:
        """Let the pods of a namespace wait for the next answer."""
        if namespace.metadata.uid in self._of:
            del self._of[namespace.metadata.uid]
            self._wake(namespace.metadata.name)

    def _wake(self, namespace: str) -> None:
        for wake in self._wakes:
            wake(namespace)
