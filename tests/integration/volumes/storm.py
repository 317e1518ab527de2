"""Lives of volumes in a storm: each call is asked for until it is done, also twice, by callers that hang up.

Meanwhile the cloud refuses, loses answers and resets, and the driver is killed.

It asks as Kubernetes' sidecars do: again as long as the code says that something may have happened.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import message_factory
from tests.faults.proxy import FaultProxy
from tests.integration.volumes.kubernetes import way
from tests.integration.volumes.place import Driver

from causeway.rooms.volumes.model import GIB
from causeway.serve.csi.spec import csi_pb2 as csi

Code = grpc.StatusCode
AGAIN = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED})
"""After these codes a sidecar asks for the same again, whatever it asked for."""

_IMPATIENT, _PATIENT = 0.7, 30.0  # seconds a caller waits for its answer
_INSISTS = 300.0  # seconds until a call that is asked for again and again has to be done
_RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
_CLIENT = csi.DESCRIPTOR.services_by_name["Controller"]


@dataclass
class Kept:
    """What lives left in the cloud: volumes, where each is and its size, and snapshots of which volumes."""

    volumes: dict[str, tuple[str, str, int]] = field(default_factory=dict)  # name -> id, server, GiB
    snapshots: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> id, volume's id
    changed: set[str] = field(default_factory=set)  # names of volumes that are of the other type


class Storm:
    """Callers of one driver; ``dice`` decides who hangs up and what is left behind.

    ``other_type`` is a volume type beside the default one, of the same backend.
    """

    def __init__(self, driver: Driver, server: str, other_type: str, dice: random.Random) -> None:
        self.driver = driver
        self.server = server
        self.other_type = other_type
        self.dice = dice
        self.kept = Kept()
        self.met: Counter[str] = Counter()  # codes, and starts in vain
        self.over = asyncio.Event()
        self.killed = 0
        self._channel = grpc.aio.insecure_channel(driver.controller, options=_RECONNECT)

    async def close(self) -> None:
        await self._channel.close()

    async def start(self) -> None:
        """Start the driver, again if the cloud did not let it begin, as the kubelet would."""
        while not await asyncio.to_thread(self.driver.begin, "controller"):
            self.met["not begun"] += 1

    async def kill(self, proxies: list[FaultProxy], every: float) -> None:
        """Kill the driver again and again, until the storm is over.

        The next one starts when all that the last has ordered is in the cloud: it could not know of it else,
        and nothing in Cinder keeps two orders for one name apart.
        """
        while not await self._over_within(every):
            self.driver.processes["controller"].kill()
            self.killed += 1
            for proxy in proxies:
                await proxy.idle()
            await self.start()

    async def _over_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def live(self, name: str) -> None:
        """Have a volume made, used, copied and taken away, and leave some of it behind."""
        made = await self.ask("CreateVolume", name=name, volume_capabilities=[way("block")], **_size(1))
        volume = made.volume.volume_id
        at = {"volume_id": volume, "node_id": self.server}
        await self.ask("ControllerPublishVolume", volume_capability=way("block"), **at)
        force = {"parameters": {"force-create": "true"}}
        taken = await self.ask("CreateSnapshot", name=f"{name}-then", source_volume_id=volume, **force)
        snapshot = taken.snapshot.snapshot_id
        source = csi.VolumeContentSource()
        source.snapshot.snapshot_id = snapshot
        copied = await self.ask(
            "CreateVolume",
            name=f"{name}-copy",
            volume_capabilities=[way("block")],
            volume_content_source=source,
            **_size(2),
        )
        copy = copied.volume.volume_id
        attached = self.dice.random() < 0.5
        if not attached:
            await self.ask("ControllerUnpublishVolume", **at)
            await self.ask("ControllerExpandVolume", volume_id=volume, **_size(3))
        # Not of the volume itself: Cinder leaves one that has snapshots "retyping" for ever.
        changed = {"mutable_parameters": {"type": self.other_type}}
        await self.ask("ControllerModifyVolume", volume_id=copy, **changed)
        if self.dice.random() < 0.5:
            await self.ask("DeleteVolume", volume_id=copy)
        else:
            self.kept.volumes[f"{name}-copy"] = (copy, "", 2)
            self.kept.changed.add(f"{name}-copy")
        if self.dice.random() < 0.3:
            self.kept.snapshots[f"{name}-then"] = (snapshot, volume)
            attached_at = self.server if attached else ""
            self.kept.volumes[name] = (volume, attached_at, 1 if attached else 3)
            return
        await self.ask("DeleteSnapshot", snapshot_id=snapshot)
        if attached:
            await self.ask("ControllerUnpublishVolume", **at)
        await self.ask("DeleteVolume", volume_id=volume)

    async def ask(self, rpc: str, **fields: Any) -> Any:
        """Ask until it is done, now and then twice at once, and return the answer; all answers are one."""
        asks = [self._insist(rpc, fields) for _ in range(self.dice.choice((1, 1, 2)))]
        first, *others = await asyncio.gather(*asks)
        assert all(_of(each) == _of(first) for each in others), (rpc, first, others)
        return first

    async def _insist(self, rpc: str, fields: dict[str, Any]) -> Any:
        method = _CLIENT.methods_by_name[rpc]
        request = message_factory.GetMessageClass(method.input_type)
        call = self._channel.unary_unary(
            f"/{_CLIENT.full_name}/{rpc}",
            request_serializer=request.SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        until = time.monotonic() + _INSISTS
        while True:
            patience = _IMPATIENT if self.dice.random() < 0.3 else _PATIENT
            try:
                return await call(request(**fields), timeout=patience)
            except grpc.aio.AioRpcError as error:
                told = f"{rpc}: {error.code().name}: {error.details()}"
                assert error.code() in AGAIN, told
                assert time.monotonic() < until, told
                self.met[error.code().name] += 1
            await asyncio.sleep(self.dice.uniform(0.1, 0.4))


def _size(gib: int) -> dict[str, Any]:
    return {"capacity_range": csi.CapacityRange(required_bytes=gib * GIB)}


def _of(answer: Any) -> str:
    """Return which object an answer is about."""
    about = getattr(answer, "volume", None) or getattr(answer, "snapshot", None)
    return str(getattr(about, "volume_id", "") or getattr(about, "snapshot_id", ""))
