"""Events of the API in memory: what a recorder wrote is kept, to be looked at."""

from causeway.kube.errors import Object
from causeway.kube.resource import Resource


class KeptEvents:
    """Takes what a recorder writes; of a series only the first is kept."""

    def __init__(self) -> None:
        self.kept: list[Object] = []

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Keep an Event."""
        self.kept.append(body)
        return body

    async def patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None
    ) -> Object:
        """Take one more of a series."""
        return body

    def said(self) -> list[str]:
        """Return of each Event its object's name, its reason and its note, as ``name: Reason: note``."""
        return [f"{each['regarding']['name']}: {each['reason']}: {each['note']}" for each in self.kept]

    def reasons(self) -> list[str]:
        """Return the reason of each Event."""
        return [each["reason"] for each in self.kept]
