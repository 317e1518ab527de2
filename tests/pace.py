"""How long a test waits between two looks.

A look at a cloud, or a command, costs the machine what the cloud would do its work with: whoever looks
without a pause waits longer, and everybody else with him.
"""

from collections.abc import Iterator


def pauses(first: float = 0.2, most: float = 2.0) -> Iterator[float]:
    """Yield seconds, each a fifth more than those before: what took long is seen a little later."""
    pause = first
    while True:
        yield pause
        pause = min(most, pause * 1.2)
