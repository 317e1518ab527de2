"""The services room as a process of its own, so that a test can kill it: run_services.py SETTINGS.json."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

from causeway.cloud.neutron import Neutron
from causeway.cloud.octavia import Octavia
from causeway.cloud.octavia_providers import OVN
from causeway.cloud.session import Cloud
from causeway.kit import logging
from causeway.kube.access import from_kubeconfig
from causeway.kube.client import Client
from causeway.kube.events import Recorder
from causeway.kube.informers import Informers
from causeway.rooms.services import pace
from causeway.rooms.services.controller import Services
from causeway.rooms.services.model import Place, Setting


async def main(settings: dict[str, str]) -> dict[str, int]:
    async with (
        await Cloud.open("test", Path(settings["clouds"])) as cloud,
        Client(from_kubeconfig(Path(settings["kubeconfig"]))) as kube,
    ):
        setting = Setting(
            settings["cluster"],
            settings["service_subnet"],
            settings["external_network"],
            OVN,
            (Place(settings["pod_cidr"], settings["pod_subnet"]),),
            frozenset({"ovn", "amphora"}),
        )
        informers, recorder = Informers.at(kube), Recorder(kube, "services")
        pace.LOST_AFTER = float(settings.get("lost_after", pace.LOST_AFTER))
        pace.STILL = min(pace.STILL, pace.LOST_AFTER)
        room = Services(setting, Octavia(cloud), Neutron(cloud), kube, recorder, sources=informers)

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(informers.run())
                group.create_task(room.run())

        task = asyncio.create_task(run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return {f"{service} {verb}": count for (service, verb), count in cloud.calls.items()}


if __name__ == "__main__":
    logging.configure()
    given = json.loads(Path(sys.argv[1]).read_text())
    Path(given["figures"]).write_text(json.dumps(asyncio.run(main(given))))
