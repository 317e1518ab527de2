"""Doing a step of a plan so that it can be seen: a span of the trace under way, and a line of the log."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from causeway.kit import trace

log = structlog.get_logger()


@contextmanager
def doing(step: object) -> Iterator[None]:
    """Do ``step``, which reads as what is done, inside; it is logged when it has succeeded."""
    with trace.span(f"step {type(step).__name__}", {"causeway.step": str(step)}):
        yield
    log.info("step", step=str(step))
