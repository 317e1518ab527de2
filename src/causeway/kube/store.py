"""The objects of one resource in memory, with indexes, as the reflector last saw them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from causeway.kube.objects import Cached, key_of

T = TypeVar("T", bound=Cached)

Index = Callable[[T], Iterable[str]]
"""Says under which values an object is found."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What happened to an object: ``old`` is None when it appeared, ``new`` when it went away."""

    key: str
    old: T | None
    new: T | None


class Store(Generic[T]):
    """Objects by key and by index value. Only its reflector writes to it."""

    def __init__(self, indexes: Mapping[str, Index[T]] | None = None) -> None:
        self._objects: dict[str, T] = {}
        self._indexes: dict[str, Index[T]] = dict(indexes or {})
        self._indexed: dict[str, dict[str, dict[str, T]]] = {name: {} for name in self._indexes}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> T | None:
        """Return the object of ``key``, if there is one."""
        return self._objects.get(key)

    def all(self) -> list[T]:
        """Return every object."""
        return list(self._objects.values())

    def by(self, index: str, value: str) -> list[T]:
        """Return the objects the index ``index`` finds under ``value``."""
        return list(self._indexed[index].get(value, {}).values())

    def put(self, thing: T) -> Change[T] | None:
        """Keep an object; return the change, or None if this version was known."""
        key = key_of(thing)
        old = self._objects.get(key)
        if old is not None:
            if old.metadata.resource_version == thing.metadata.resource_version:
                return None
            self._unindex(key, old)
        self._objects[key] = thing
        for name, index in self._indexes.items():
            for value in index(thing):
                self._indexed[name].setdefault(value, {})[key] = thing
        return Change(key, old, thing)

    def remove(self, key: str) -> Change[T] | None:
        """Drop an object; return the change, or None if there was none."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        self._unindex(key, old)
        return Change(key, old, None)

    def replace(self, things: Iterable[T]) -> Iterator[Change[T]]:
        """Make the store hold exactly ``things``, change by change as they are taken, disappearances first.

        An object that was deleted and made again under the same name is two changes.
        """
        fresh = {key_of(thing): thing for thing in things}
        for key, old in list(self._objects.items()):
            gone = key not in fresh or fresh[key].metadata.uid != old.metadata.uid
            if gone and (change := self.remove(key)):
                yield change
        for thing in fresh.values():
            if change := self.put(thing):
                yield change

    def _unindex(self, key: str, old: T) -> None:
        for name, index in self._indexes.items():
            entries = self._indexed[name]
            for value in index(old):
                found = entries.get(value)
                if found is not None:
                    found.pop(key, None)
                    if not found:
                        del entries[value]
