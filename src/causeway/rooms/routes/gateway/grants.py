"""Which references into other namespaces are allowed: pure."""

from collections.abc import Iterable

from causeway.kube.gateways import GROUP, Grant, GrantFrom


class Grants:
    """All ReferenceGrants there are."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._by_namespace: dict[str, list[Grant]] = {}
        for each in grants:
            self._by_namespace.setdefault(each.metadata.namespace, []).append(each)

    def allow(self, kind: str, namespace: str, group: str, target: str, key: str) -> bool:
        """Return whether objects of Gateway API of ``kind`` in ``namespace`` may refer to ``key``.

        ``group`` and ``target`` are the group and the kind of what is referred to. Within a namespace all
        may.
        """
        home, _, name = key.partition("/")
        if home == namespace:
            return True
        origin = GrantFrom(kind, namespace, GROUP)
        return any(
            origin in grant.spec.origins
            and any((to.group, to.kind) == (group, target) and to.name in ("", name) for to in grant.spec.to)
            for grant in self._by_namespace.get(home, ())
        )
