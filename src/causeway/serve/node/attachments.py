"""Attaching pods to their ports and detaching them: what ADD, DEL, CHECK, STATUS and GC do.

Waiting (for the port, for the gateway's answer) happens in the event loop, many at a time. What changes
links and records runs in one thread, one change after another: it cannot be cut in half by a caller that
gives up, and two pods that follow each other on one VLAN cannot meet.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import structlog

from causeway.host import arp, interface, netns
from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd
from causeway.kube.objects import PodPortSpec
from causeway.serve.node import cni
from causeway.serve.node.cni import CniError, Code, Request
from causeway.serve.node.ports import WatchedPorts
from causeway.serve.node.records import Attachment
from causeway.serve.node.wiring import Wiring

T = TypeVar("T")

log = structlog.get_logger()


class Attachments:
    """The attachments of this node."""

    def __init__(
        self, wiring: Wiring, ports: WatchedPorts, *, port_deadline: float, gateway_deadline: float
    ) -> None:
        self._wiring = wiring
        self._ports = ports
        self._port_deadline = port_deadline
        self._gateway_deadline = gateway_deadline
        self._kernel = ThreadPoolExecutor(1, thread_name_prefix="kernel")

    def close(self) -> None:
        """Return once the change under way is done."""
        self._kernel.shutdown()

    async def add(self, request: Request) -> dict[str, Any]:
        """Attach a pod to its port and return the result; doing it again, also after a crash, is fine."""
        started = time.perf_counter()
        namespace, pod, uid = request.pod
        port = await self._port(namespace, pod, uid)
        with_port = time.perf_counter()
        record = _record(request, port, self._wiring.trunk.name)
        try:
            record = await self._in_order(lambda: self._wiring.connect(record))
            linked = time.perf_counter()
            await _reach_gateway(record, self._gateway_deadline)
        except BaseException:
            self._kernel.submit(self._undo, record)
            raise
        done = time.perf_counter()
        log.info(
            "pod attached",
            pod=f"{namespace}/{pod}",
            vlan=record.vlan,
            address=[address.cidr for address in record.addresses],
            port_ms=_milliseconds(with_port - started),
            link_ms=_milliseconds(linked - with_port),
            gateway_ms=_milliseconds(done - linked),
        )
        end = record.node_end or NodeEnd("vlan")
        return cni.add_result(
            request.version,
            ifname=record.ifname,
            netns=record.netns,
            mac=record.mac,
            mtu=end.mtu,
            addresses=record.addresses,
            node_end=end.name,
            node_mac=end.mac,
        )

    async def delete(self, request: Request) -> None:
        """Detach a pod; one that is not attached is fine."""
        record = self._wiring.records.get((request.container_id, request.ifname))
        if record is not None:
            started = time.perf_counter()
            await self._in_order(lambda: self._wiring.disconnect(record))
            log.info(
                "pod detached",
                pod=f"{record.namespace}/{record.pod}",
                vlan=record.vlan,
                link_ms=_milliseconds(time.perf_counter() - started),
            )

    async def check(self, request: Request) -> None:
        """Raise ``CniError`` unless the attachment is as ADD left it."""
        expected = cni.expected_addresses(request)
        record = self._wiring.records.get((request.container_id, request.ifname))
        if record is None:
            raise CniError(
                Code.UNKNOWN_CONTAINER, "unknown container", f"{request.container_id} is not attached"
            )
        lacks = await self._in_order(lambda: self._wiring.missing(record, request.netns, expected))
        if lacks:
            raise CniError(Code.DEGRADED, "the pod's network is damaged", "; ".join(lacks))

    async def status(self) -> None:
        """Raise ``CniError`` unless pods can be attached."""
        if not self._ports.synced:
            raise CniError(
                Code.UNAVAILABLE,
                "the node daemon is not ready",
                "it has not yet read this node's PodPorts from the Kubernetes API",
            )
        if not await self._in_order(self._wiring.trunk.exists):
            raise CniError(
                Code.UNAVAILABLE,
                "no trunk interface",
                f"{self._wiring.trunk.name} does not exist on this node",
            )

    async def collect(self, request: Request) -> None:
        """Remove all that belongs to none of the attachments the runtime calls valid."""
        valid = request.valid_attachments
        stale = [record for record in self._wiring.records.all() if record.key not in valid]
        failures = []
        for record in stale:
            try:
                await self._in_order(partial(self._wiring.disconnect, record))
            except OSError as error:
                failures.append(f"{record.namespace}/{record.pod}: {error}")
        leftovers = await self._in_order(self._wiring.remove_stray_filters)
        log.info("collected", attachments=len(stale), filters=leftovers, failures=failures)
        if failures:
            raise CniError(Code.LINK_FAILED, "some attachments were not removed", "; ".join(failures))

    def _undo(self, record: Attachment) -> None:
        try:
            self._wiring.disconnect(record)
        except OSError as error:  # DEL, which follows a failed ADD, tries again
            log.warning("link not removed", pod=f"{record.namespace}/{record.pod}", cause=str(error))

    async def _in_order(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._kernel, work)

    async def _port(self, namespace: str, pod: str, uid: str) -> PodPortSpec:
        try:
            async with asyncio.timeout(self._port_deadline):
                return await self._ports.wait_for(namespace, pod, uid)
        except TimeoutError:
            raise CniError(
                Code.TRY_AGAIN,
                f"pod {namespace}/{pod} has no port yet",
                f"no PodPort of pod UID {uid} after {self._port_deadline:g} s; "
                f"`causeway explain pod {namespace}/{pod}` names the cause",
            ) from None


def _record(request: Request, port: PodPortSpec, trunk: str) -> Attachment:
    namespace, pod, uid = request.pod
    return Attachment(
        container_id=request.container_id,
        ifname=request.ifname,
        netns=request.netns,
        namespace=namespace,
        pod=pod,
        pod_uid=uid,
        port_id=port.port_id,
        trunk=trunk,
        vlan=port.segmentation_id,
        mac=port.mac_address,
        mtu=port.mtu,
        addresses=tuple(Address(f"{ip.ip_address}/{ip.prefix_length}", ip.gateway) for ip in port.fixed_ips),
    )


async def _reach_gateway(record: Attachment, deadline: float) -> None:
    try:
        with netns.open_namespace(record.netns) as namespace:
            await interface.reach_gateway(namespace, record.ifname, record.mac, record.addresses, deadline)
    except arp.NoAnswer as error:
        raise CniError(
            Code.TRY_AGAIN,
            "the pod's gateway does not answer",
            f"VLAN {record.vlan} of {record.trunk}: {error}; "
            f"is port {record.port_id} a subport of this node's trunk?",
        ) from error
    except OSError as error:
        raise CniError(Code.LINK_FAILED, "the pod's gateway cannot be asked", str(error)) from error


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
