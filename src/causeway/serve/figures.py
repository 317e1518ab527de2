"""Showing the figures of this process in Prometheus' text format."""

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from causeway.kit import metrics


async def show(_request: web.Request) -> web.Response:
    """Answer a scrape."""
    body = generate_latest(metrics.REGISTRY)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
