"""The names room as a process of its own, so that a test can kill it: run_names.py SETTINGS.json."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from causeway.cloud.designate import Designate
from causeway.cloud.session import Cloud
from causeway.kit import logging
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.rooms.names.controller import Names
from causeway.rooms.names.model import Setting


async def main(settings: dict[str, Any]) -> dict[str, int]:
    async with (
        await Cloud.open(settings["cloud"], Path(settings["clouds"])) as cloud,
        Client(from_kubeconfig(Path(settings["kubeconfig"]))) as kube,
    ):
        setting = Setting(
            settings["cluster"], (settings["zone"],), settings["owner"], fixed=settings["fixed"]
        )
        informers = Informers.at(kube)
        room = Names(setting, Designate(cloud), Recorder(kube, "names"), sources=informers)

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(room.run())
                group.create_task(informers.run())

        task = asyncio.create_task(run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return {f"{service} {verb}": count for (service, verb), count in cloud.calls.items()}


if __name__ == "__main__":
    logging.configure()
    given = json.loads(Path(sys.argv[1]).read_text())
    Path(given["figures"]).write_text(json.dumps(asyncio.run(main(given))))
