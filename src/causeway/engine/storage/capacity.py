"""Sizes: Kubernetes counts bytes and gives a range, Cinder sells whole GiB. Pure."""

from causeway.engine.storage.model import GIB, Capacity, Reason, Refused


def gigabytes(capacity: Capacity, place: str, at_least: int = 1) -> int:
    """Return the smallest size in GiB within ``capacity`` that is not below ``at_least`` GiB.

    Raises ``Refused`` when the range is no range, or no whole number of GiB lies in it.
    """
    required, limit = capacity.required, capacity.limit
    if required < 0 or limit < 0:
        raise Refused(
            Reason.INVALID, place, f"a size of {min(required, limit)} bytes is asked for", "Ask for more."
        )
    size = max(-(-required // GIB), at_least)
    if limit and size * GIB > limit:
        cause = f"{size} GiB are the least that hold what is asked for, and at most {limit} bytes are allowed"
        raise Refused(Reason.OUT_OF_RANGE, place, cause, "Raise the limit to a whole number of GiB.")
    return size


def fits(size: int, capacity: Capacity) -> bool:
    """Return whether a volume of ``size`` GiB is within ``capacity``."""
    held = size * GIB
    return capacity.required <= held and (not capacity.limit or held <= capacity.limit)
