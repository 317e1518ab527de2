"""Messages in Redis: read from the followers and written to the leader, each found by its service's name."""

import json
import os
from typing import Any

import resp

LEADER = os.environ.get("REDIS_LEADER", "redis-leader")
FOLLOWER = os.environ.get("REDIS_FOLLOWER", "redis-follower")
KEY = "messages"


def newest(count: int) -> list[dict[str, Any]]:
    """Return the newest messages, newest first; raises ``OSError`` when they cannot be read."""
    reply = _command(FOLLOWER, "LRANGE", KEY, "0", str(count - 1))
    return [json.loads(str(each)) for each in reply] if isinstance(reply, list) else []


def add(message: dict[str, Any]) -> None:
    """Store a message; raises ``OSError`` when it cannot be written."""
    _command(LEADER, "LPUSH", KEY, json.dumps(message))


def _command(host: str, *words: str) -> resp.Reply:
    try:
        return resp.command(host, *words)
    except (EOFError, resp.RedisError) as error:
        raise OSError(str(error)) from error
