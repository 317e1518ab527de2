"""What is shipped for Prometheus, used by a real one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.integration.serve.conftest import DEADLINE, Platform
from tests.ports import free_port

from causeway.host.command import run
from causeway.serve.scraping import AUDIENCE, Scraping

TOP = Path(__file__).resolve().parents[3]
ALERTS = TOP / "deploy" / "prometheus" / "causeway-alerts.yaml"
DASHBOARD = TOP / "deploy" / "grafana" / "causeway.json"


def documented() -> dict[str, Any]:
    """The scrape configuration of the how-to."""
    text = (TOP / "docs" / "how-to" / "observe.md").read_text()
    (block,) = [part for part in text.split("```yaml\n")[1:] if part.startswith("scrape_configs:")]
    content: dict[str, Any] = yaml.safe_load(block.split("```")[0])
    return content


def test_the_alerts_fire_when_they_should(prometheus: Path) -> None:
    run(prometheus / "promtool", "test", "rules", Path(__file__).with_name("alerts_test.yaml"))


def test_the_documented_configuration_is_one(prometheus: Path, tmp_path: Path) -> None:
    content = documented()
    (job,) = content["scrape_configs"]
    # Debian builds Prometheus without the discovery of Kubernetes.
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["kube-system"]}}]
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump(content | {"rule_files": [str(ALERTS)]}))
    run(prometheus / "promtool", "check", "config", "--syntax-only", config)


async def test_a_prometheus_scrapes_us_and_understands_every_question(
    platform: Platform, prometheus: Path, tmp_path: Path
) -> None:
    ours, its = free_port(), free_port()
    token = tmp_path / "token"
    token.write_text(await platform.token("prometheus", AUDIENCE))
    job = documented()["scrape_configs"][0]
    job.pop("kubernetes_sd_configs")
    job.pop("relabel_configs")
    job["authorization"]["credentials_file"] = str(token)
    job |= {"job_name": "causeway-controller", "scrape_interval": "5s", "scrape_timeout": "5s"}
    job["static_configs"] = [{"targets": [f"127.0.0.1:{ours}"]}]
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"scrape_configs": [job], "rule_files": [str(ALERTS)]}))
    async with (
        await platform.as_account("causeway-controller") as client,
        Scraping(f"127.0.0.1:{ours}", client),
        running(prometheus, config, its, tmp_path) as http,
    ):

        async def ask(expression: str) -> list[Any]:
            async with http.get("/api/v1/query", params={"query": expression}) as answer:
                said = await answer.json()
            assert said["status"] == "success", said
            found: list[Any] = said["data"]["result"]
            return found

        async def scraped() -> bool:
            return [one["value"][1] for one in await ask("up")] == ["1"]

        await come(scraped)
        panels = [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]
        for panel in panels:
            for target in panel["targets"]:
                await ask(target["expr"].replace("$__rate_interval", "1m"))

        async def counted() -> bool:  # what a scrape that came late calls stale is there again with the next
            return bool(await ask("sum by (verb) (causeway_kube_calls_total)"))

        await come(counted)
        async with http.get("/api/v1/rules") as answer:
            rules = (await answer.json())["data"]["groups"][0]["rules"]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


@asynccontextmanager
async def running(
    prometheus: Path, config: Path, port: int, directory: Path
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run Prometheus and ask it."""
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            prometheus / "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:

            async def ready() -> bool:
                assert process.returncode is None, (directory / "prometheus.log").read_text()
                try:
                    async with http.get("/-/ready") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await come(ready)
            yield http
    finally:
        process.terminate()
        await process.wait()


async def come(look: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not await look():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.1)
