"""What the registry's collection wants to find in a directory, and ends in failure without.

It goes through the repositories, the layers of each, and the blobs. A folder that is not there is an error to
it: where nothing was pushed yet, and where a repository has manifests and no layers, such as an index that
names none. One such repository would keep all others from being freed. In a bucket there are no folders, and
it finds nothing. Source: registry/storage/garbagecollect.go and registry/storage/driver/walk.go, v3.1.1.
"""

from causeway.rooms.registry import layout
from causeway.rooms.registry.store import Store

_MARK = "_causeway"
"""A file that all walks pass by: it is neither a repository, nor a link, nor the data of a blob."""


async def complete(store: Store) -> None:
    """Make the folders that are not there, by a file in each; raises ``Problem``."""
    for folder in [layout.REPOSITORIES, layout.BLOBS]:
        await store.write(f"{folder}/{_MARK}", b"")
    left = [layout.REPOSITORIES]
    while left:
        folder = left.pop()
        names = await store.folders(folder)
        if layout.MANIFESTS in names and layout.LAYERS not in names:
            await store.write(f"{folder}/{layout.LAYERS}/{_MARK}", b"")
        left += [f"{folder}/{each}" for each in names if not each.startswith("_")]
