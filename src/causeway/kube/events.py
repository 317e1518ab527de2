"""Telling users what happens to their objects, as Events of the API.

The same news about the same object is one Event whose series counts on, written at most once a minute, so
that something that keeps failing does not fill the API.
"""

import asyncio
import datetime
import hashlib
import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from causeway.kube.errors import ApiError, NotFound, Object
from causeway.kube.objects import Meta
from causeway.kube.resource import EVENTS, Resource

log = structlog.get_logger()

_NOTE_LENGTH = 1000  # the API takes 1024 bytes
_WINDOW = 600.0  # seconds after which the same news is a new Event
_EVERY = 60.0  # seconds between two writes of one series
_REMEMBERED = 4096


class Writer(Protocol):
    """The part of the client that a recorder needs."""

    async def create(self, resource: Resource, body: Object, namespace: str | None = None) -> Object:
        """Create an object."""
        ...

    async def patch(
        self, resource: Resource, name: str, body: Object, namespace: str | None = None
    ) -> Object:
        """Change part of an object."""
        ...


@dataclass
class _Series:
    name: str
    began: float
    written: float
    count: int = 1


class Recorder:
    """Writes Events in the name of ``controller``."""

    def __init__(self, client: Writer, controller: str) -> None:
        self._client = client
        self._controller = controller
        self._instance = f"{controller}-{socket.gethostname()}"[:128]
        self._series: OrderedDict[str, _Series] = OrderedDict()

    async def record(
        self,
        resource: Resource,
        about: Meta,
        *,
        reason: str,
        note: str,
        action: str,
        type: Literal["Normal", "Warning"] = "Warning",
    ) -> None:
        """Record that ``reason`` (one word) happened to an object; ``note`` says cause and remedy.

        Never raises for the API's sake: news that cannot be written is logged.
        """
        note = note.encode()[:_NOTE_LENGTH].decode(errors="ignore")
        identity = hashlib.sha256(f"{about.uid}\n{type}\n{reason}\n{action}\n{note}".encode()).hexdigest()[
            :16
        ]
        now = asyncio.get_running_loop().time()
        series = self._series.get(identity)
        namespace = about.namespace or "default"
        try:
            if series is not None and now - series.began < _WINDOW:
                series.count += 1
                if now - series.written >= _EVERY:
                    series.written = now
                    body: Object = {"series": {"count": series.count, "lastObservedTime": _time()}}
                    await self._client.patch(EVENTS, series.name, body, namespace)
                return
            started = _time()
            suffix = hashlib.sha256(f"{identity}{started}".encode()).hexdigest()[:16]
            series = _Series(f"{about.name}.{suffix}", began=now, written=now)
            self._series[identity] = series
            self._series.move_to_end(identity)
            while len(self._series) > _REMEMBERED:
                self._series.popitem(last=False)
            regarding = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": about.name,
                "namespace": about.namespace or None,
                "uid": about.uid,
            }
            body = {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {"name": series.name, "namespace": namespace},
                "eventTime": started,
                "reportingController": f"causeway.dev/{self._controller}",
                "reportingInstance": self._instance,
                "action": action,
                "reason": reason,
                "regarding": {key: value for key, value in regarding.items() if value},
                "note": note,
                "type": type,
            }
            await self._client.create(EVENTS, body, namespace)
        except NotFound:
            self._series.pop(identity, None)  # expired, or its namespace is gone
        except ApiError as error:
            log.warning(
                "event not written", about=f"{namespace}/{about.name}", reason=reason, cause=str(error)
            )


def _time() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
