"""Structured logs of the long-running parts: one JSON object a line on standard error, no secrets.

A key whose name says that it holds a secret is blanked whatever its value, so that a careless call does no
harm.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from causeway.kit.errors import Exit, Problem

LEVEL = "CAUSEWAY_LOG_LEVEL"
"""The variable of the environment that says from which level on is logged."""

_LEVELS = ("debug", "info", "warning", "error")
_SECRET_WORDS = ("password", "secret", "token", "credential", "private_key", "authorization")


def blank_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that names a secret (a structlog processor)."""
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = "***"
    return event


def level_from(environment: Mapping[str, str], default: str = "info") -> str:
    """Return the level the environment asks for, or ``default``; raises ``Problem`` if there is none such."""
    level = environment.get(LEVEL) or default
    if level.lower() not in _LEVELS:
        cause = f"{level!r} is none of {', '.join(_LEVELS)}"
        raise Problem.of(LEVEL, cause, "Set one of them, or nothing.", exit_code=Exit.USAGE)
    return level


def configure(level: str = "info") -> None:
    """Send all logs of this process to standard error as JSON lines; ``level`` as in ``logging``."""
    number = logging.getLevelNamesMapping()[level.upper()]
    common: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ends: list[structlog.types.Processor] = [
        structlog.processors.format_exc_info,
        blank_secrets,
        structlog.processors.JSONRenderer(),
    ]
    # What libraries log comes in the same form, but only what they think is wrong.
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    foreign = [*common, structlog.stdlib.add_logger_name]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=[remove, *ends])
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    structlog.configure(
        processors=[*common, *ends],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
