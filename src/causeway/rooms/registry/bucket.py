"""A store in a bucket of an object store, by the few calls of S3 that are needed, signed as it wants them.

The signature is version 4 of AWS, "Authenticating Requests (AWS Signature Version 4)" of Amazon S3's
documentation. The bucket is addressed by path, as the registry does.
"""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import aiohttp
from yarl import URL

from causeway.kit.errors import Problem
from causeway.rooms.registry.store import together

_PARALLEL = 8
_TRIES = 4
_PAUSE = 0.5  # seconds before the second try, twice as many before each further one
_TIMEOUT = aiohttp.ClientTimeout(total=60)
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Place:
    """A bucket and what lets one in; ``authority`` (PEM) is whom the store's certificate is of, or ""."""

    endpoint: str
    bucket: str
    region: str
    access: str
    secret: str = field(repr=False)
    authority: str = field(repr=False, default="")


@dataclass(frozen=True)
class _Answer:
    """What a request is answered with; ``length`` is that of the file, also where it was not asked for."""

    status: int
    content: bytes
    length: int


def signature(
    place: Place, method: str, path: str, *, query: Mapping[str, str], now: datetime, body: bytes = b""
) -> dict[str, str]:
    """Return the headers of a signed request; ``path`` and ``query`` are not yet quoted. Pure."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest() if body else _EMPTY
    signed = {"host": urlsplit(place.endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = ";".join(signed)
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/"),
            _query(query),
            *(f"{name}:{value}" for name, value in signed.items()),
            "",
            names,
            digest,
        ]
    )
    scope = f"{day}/{place.region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{place.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    told = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={place.access}/{scope}, SignedHeaders={names}, Signature={told}"
    return {**signed, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def _query(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


class Bucket:
    """A store in a bucket; use it as an asynchronous context manager."""

    shared = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_PARALLEL)

    async def __aenter__(self) -> Self:
        trusted = ssl.create_default_context(cadata=self._place.authority) if self._place.authority else True
        connector = aiohttp.TCPConnector(limit=_PARALLEL, ssl=trusted)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def keys(self, folder: str) -> list[str]:
        """Return the keys of all files below a folder."""
        return list(await self.written(folder))

    async def written(self, folder: str) -> dict[str, datetime]:
        """Return the keys of all files below a folder, and when each was written last."""
        return (await self._listed(f"{folder}/", ""))[0]

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right below a folder."""
        _, found = await self._listed(f"{folder}/", "/")
        return [each.rstrip("/").rpartition("/")[2] for each in found]

    async def read(self, key: str) -> bytes | None:
        """Return the bytes of a file, None where it is not there."""
        answer = await self._ask("GET", key)
        return None if answer.status == 404 else answer.content

    async def size(self, key: str) -> int | None:
        """Return the bytes a file has, None where it is not there."""
        answer = await self._ask("HEAD", key)
        return None if answer.status == 404 else answer.length

    async def write(self, key: str, content: bytes) -> None:
        """Write a file whole."""
        await self._ask("PUT", key, body=content)

    async def remove(self, folder: str) -> None:
        """Delete a folder, or a file, with all below."""
        await together(self._delete(key) for key in [*await self.keys(folder), folder])

    async def _delete(self, key: str) -> None:
        await self._ask("DELETE", key)

    async def _listed(self, prefix: str, delimiter: str) -> tuple[dict[str, datetime], list[str]]:
        """Return keys with their times and, with a delimiter, common beginnings of keys, page by page."""
        query = {"list-type": "2", "prefix": prefix} | ({"delimiter": delimiter} if delimiter else {})
        keys: dict[str, datetime] = {}
        folders: list[str] = []
        while True:
            answer = await self._ask("GET", "", query=query)
            if answer.status == 404:
                raise self._wrong("there is no such bucket")
            page = ElementTree.fromstring(answer.content)  # noqa: S314  # of the store that has all images
            for each in page.iterfind("{*}Contents"):
                told = each.findtext("{*}LastModified", "")
                keys[each.findtext("{*}Key", "")] = datetime.fromisoformat(told)
            folders += [each.text or "" for each in page.iterfind("{*}CommonPrefixes/{*}Prefix")]
            following = page.findtext("{*}NextContinuationToken")
            if not following:
                return keys, folders
            query["continuation-token"] = following

    async def _ask(
        self, method: str, key: str, *, query: Mapping[str, str] = {}, body: bytes = b""
    ) -> "_Answer":
        """Return an answer below 300, or of 404 where nothing is to be written.

        What is the store's fault is tried again.
        """
        if self._session is None:
            raise RuntimeError("a bucket is used as a context manager")
        path = f"/{self._place.bucket}" + (f"/{key}" if key else "")
        place = self._place.endpoint.rstrip("/") + quote(path, safe="/")
        url = URL(f"{place}?{_query(query)}" if query else place, encoded=True)
        said = ""
        for turn in range(_TRIES):
            if turn:
                await asyncio.sleep(_PAUSE * 2 ** (turn - 1))
            headers = signature(self._place, method, path, query=query, now=datetime.now(UTC), body=body)
            try:
                async with (
                    self._turns,
                    self._session.request(method, url, headers=headers, data=body or None) as answer,
                ):
                    content = await answer.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                said = str(error) or type(error).__name__
                continue
            if answer.status < 300 or (answer.status == 404 and method != "PUT"):
                return _Answer(answer.status, content, answer.content_length or 0)
            said = f"it answers {answer.status}: {_told(content)}"
            if answer.status < 500 and answer.status != 429:
                break
        raise self._wrong(f"{method} {key or 'of the list'}: {said}")

    def _wrong(self, cause: str) -> Problem:
        place = f"bucket {self._place.bucket} at {self._place.endpoint}"
        return Problem.of(place, cause, "Check the object store, and the keys of spec.registry.")


def _told(content: bytes) -> str:
    try:
        page = ElementTree.fromstring(content)  # noqa: S314  # as above
    except ElementTree.ParseError:
        return content[:200].decode(errors="replace")
    return " ".join(filter(None, (page.findtext("{*}Code"), page.findtext("{*}Message"))))
