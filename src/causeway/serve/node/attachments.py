"""Attaching pods to their ports and detaching them: what ADD, DEL, CHECK, STATUS and GC do.

Waiting (for the port, for the gateway's answer) happens in the event loop, many at a time. What changes
links and records runs in a few threads, changes of one port one after another: see ``lanes``.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address, ip_interface
from typing import Any

import msgspec
import structlog

from causeway.host import arp, interface, netns
from causeway.host.interface import Address
from causeway.host.vlan import NodeEnd
from causeway.kube.interfaces import Interface
from causeway.kube.objects import Claim, FixedIP, PoolPort
from causeway.serve.node import cni
from causeway.serve.node.cni import CniError, Code, Request
from causeway.serve.node.lanes import Lanes
from causeway.serve.node.ports import NodePorts
from causeway.serve.node.records import Attachment
from causeway.serve.node.shelf import Holder
from causeway.serve.node.wiring import Wiring

log = structlog.get_logger()


class Attachments:
    """The attachments of this node."""

    def __init__(
        self, wiring: Wiring, ports: NodePorts, *, port_deadline: float, gateway_deadline: float
    ) -> None:
        self._wiring = wiring
        self._ports = ports
        self._port_deadline = port_deadline
        self._gateway_deadline = gateway_deadline
        self._lanes = Lanes()
        for record in wiring.records.all():
            ports.restore(_port_of(record), _claim_of(record), record.key)

    def tidy(self) -> list[str]:
        """Remove what a crash left of no attachment; return the VLANs and ports it was of."""
        stray = self._wiring.strays()
        for place in stray:
            self._wiring.remove_stray(place)
        return stray

    async def close(self) -> None:
        """Return once the changes under way are done."""
        await self._lanes.close()

    async def add(self, request: Request) -> dict[str, Any]:
        """Attach a pod to its ports and return the result; doing it again, also after a crash, is fine.

        Whatever fails, the pod keeps none of its interfaces.
        """
        started = time.perf_counter()
        namespace, pod, _ = request.pod
        taken = await self._take_all(request)
        with_port = time.perf_counter()
        records = [
            _record(request, port, self._ports.shelf.claim_of(holder), self._wiring.trunk.name, holder[1])
            for holder, port in taken
        ]
        try:
            records, linking = _routed(records, self._ports.further(namespace, pod)), 0.0
            for index, record in enumerate(records):
                connect = partial(self._wiring.connect, record)
                records[index], seconds = await self._lanes.do(record.place, connect)
                linking += seconds
                self._ports.shelf.keep_only(record.key)  # earlier sandboxes of the pod lost the link
            linked = time.perf_counter()
            for record in records:
                await _reach_gateway(record, self._gateway_deadline)
        except BaseException:
            for record in records:
                self._take_back(record)
            raise
        done = time.perf_counter()
        first = records[0]
        log.info(
            "pod attached",
            pod=f"{namespace}/{pod}",
            vlan=first.vlan,
            address=[address.cidr for address in first.addresses],
            further=[f"{record.ifname}: VLAN {record.vlan}" for record in records[1:]],
            port_ms=_milliseconds(with_port - started),
            turn_ms=_milliseconds(linked - with_port - linking),  # waited for links of others
            link_ms=_milliseconds(linking),
            gateway_ms=_milliseconds(done - linked),
        )
        end = first.node_end or NodeEnd("vlan")
        return cni.add_result(
            request.version,
            ifname=first.ifname,
            netns=first.netns,
            mac=first.mac,
            mtu=end.mtu,
            addresses=first.addresses,
            node_end=end.name,
            node_mac=end.mac,
        )

    async def delete(self, request: Request) -> None:
        """Detach a pod; one that is not attached is fine."""
        for record in self._records(request):
            started = time.perf_counter()
            await self._lanes.do(record.place, partial(self._wiring.disconnect, record))
            log.info(
                "pod detached",
                pod=f"{record.namespace}/{record.pod}",
                vlan=record.vlan,
                link_ms=_milliseconds(time.perf_counter() - started),
            )
            self._ports.let_go(record.key)
        self._ports.let_go((request.container_id, request.ifname))

    async def check(self, request: Request) -> None:
        """Raise ``CniError`` unless the attachment is as ADD left it."""
        expected = cni.expected_addresses(request)
        record = self._wiring.records.get((request.container_id, request.ifname))
        if record is None:
            raise CniError(
                Code.UNKNOWN_CONTAINER, "unknown container", f"{request.container_id} is not attached"
            )
        lacks = await self._lanes.do(
            record.place, partial(self._wiring.missing, record, request.netns, expected)
        )
        for each in self._records(request):
            if each.further:
                known = list(each.addresses)
                check = partial(self._wiring.missing, each, request.netns, known)
                lacks += await self._lanes.do(each.place, check)
        if lacks:
            raise CniError(Code.DEGRADED, "the pod's network is damaged", "; ".join(lacks))

    async def status(self) -> None:
        """Raise ``CniError`` unless pods can be attached."""
        if not self._ports.synced:
            raise CniError(
                Code.UNAVAILABLE,
                "the node daemon is not ready",
                "it has not yet read this node's pods and ports from the Kubernetes API",
            )
        if not await self._lanes.do("", self._wiring.trunk.exists):
            raise CniError(
                Code.UNAVAILABLE,
                "no trunk interface",
                f"{self._wiring.trunk.name} does not exist on this node",
            )

    async def collect(self, request: Request) -> None:
        """Remove all that belongs to none of the attachments the runtime calls valid."""
        valid = request.valid_attachments
        containers = {container_id for container_id, _ in valid}
        stale = [
            record
            for record in self._wiring.records.all()
            if record.key not in valid and not (record.further and record.container_id in containers)
        ]
        failures = []
        for record in stale:
            try:
                await self._lanes.do(record.place, partial(self._wiring.disconnect, record))
                self._ports.let_go(record.key)
            except OSError as error:
                failures.append(f"{record.namespace}/{record.pod}: {error}")
        leftovers = await self._lanes.do("", self._wiring.strays)
        for place in leftovers:
            await self._lanes.do(place, partial(self._wiring.remove_stray, place))
        log.info("collected", attachments=len(stale), strays=leftovers, failures=failures)
        if failures:
            raise CniError(Code.LINK_FAILED, "some attachments were not removed", "; ".join(failures))

    def _records(self, request: Request) -> list[Attachment]:
        """Return what there is of the attachment a request is about, further interfaces first."""
        found = self._wiring.records.of_container(request.container_id)
        return [record for record in found if record.further or record.ifname == request.ifname]

    async def _take_all(self, request: Request) -> list[tuple[Holder, PoolPort]]:
        """Take the ports of all interfaces of a pod, the first one's first; all or none."""
        namespace, pod, uid = request.pod
        holder = request.container_id, request.ifname
        taken = [(holder, await self._port(namespace, pod, uid, holder))]
        try:
            for each in self._ports.further(namespace, pod):
                holder = request.container_id, each.name
                taken.append((holder, await self._port(namespace, pod, uid, holder, each.name)))
        except BaseException as error:
            for holder, _ in taken:
                self._ports.let_go(holder)
            if isinstance(error, ValueError):
                details = f"annotation k8s.v1.cni.cncf.io/networks: {error}"
                raise CniError(Code.INVALID_CONFIG, "invalid annotation", details) from error
            raise
        return taken

    def _take_back(self, record: Attachment) -> None:
        """Undo an ADD; the port is free again only once its link is gone."""

        def undo() -> None:
            self._wiring.disconnect(record)

        def undone(work: "Future[None]") -> None:
            error = work.exception()
            if error is None:
                self._ports.let_go(record.key)
            else:  # DEL, which follows a failed ADD, tries again
                log.warning("link not removed", pod=f"{record.namespace}/{record.pod}", cause=str(error))

        loop = asyncio.get_running_loop()
        self._lanes.submit(record.place, undo).add_done_callback(
            lambda work: loop.call_soon_threadsafe(undone, work)
        )

    async def _port(
        self, namespace: str, pod: str, uid: str, holder: Holder, interface: str = ""
    ) -> PoolPort:
        try:
            async with asyncio.timeout(self._port_deadline):
                return await self._ports.take(namespace, pod, uid, holder, interface)
        except TimeoutError:
            what = f"no port for its interface {interface}" if interface else "no port"
            raise CniError(
                Code.TRY_AGAIN,
                f"pod {namespace}/{pod} has {what} yet",
                f"no port of this node was free for pod UID {uid} within {self._port_deadline:g} s; "
                f"`causeway explain pod {namespace}/{pod}` names the cause",
            ) from None


def _record(request: Request, port: PoolPort, claim: Claim, trunk: str, ifname: str) -> Attachment:
    return Attachment(
        container_id=request.container_id,
        ifname=ifname,
        further=bool(claim.interface),
        netns=request.netns,
        namespace=claim.namespace,
        pod=claim.name,
        pod_uid=claim.pod_uid,
        port_id=port.port_id,
        trunk=trunk,
        vlan=port.segmentation_id,
        mac=port.mac_address,
        mtu=port.mtu,
        addresses=tuple(Address(f"{ip.ip_address}/{ip.prefix_length}", ip.gateway) for ip in port.fixed_ips),
    )


def _port_of(record: Attachment) -> PoolPort:
    """Return the port of a record, which its pod keeps whatever became of the pool."""
    cidrs = [(*address.cidr.split("/"), address.gateway) for address in record.addresses]
    return PoolPort(
        port_id=record.port_id,
        mac_address=record.mac,
        fixed_ips=tuple(FixedIP(ip, int(length), gateway) for ip, length, gateway in cidrs),
        mtu=record.mtu,
        segmentation_id=record.vlan,
    )


def _claim_of(record: Attachment) -> Claim:
    interface = record.ifname if record.further else ""
    return Claim(record.port_id, record.pod_uid, record.namespace, record.pod, interface)


def _routed(records: list[Attachment], further: Sequence[Interface]) -> list[Attachment]:
    """Return the records with a gateway where the default route of its IP version goes, and nowhere else.

    That is the first interface, but for versions another one's annotation claims.
    """
    gateways = {
        each.name: {ip_address(gateway).version: gateway for gateway in each.gateways} for each in further
    }
    claimed = {version for each in gateways.values() for version in each}

    def routed(record: Attachment, address: Address) -> Address:
        version = ip_interface(address.cidr).version
        if record.further:
            return Address(address.cidr, gateways.get(record.ifname, {}).get(version, ""))
        return Address(address.cidr, "" if version in claimed else address.gateway)

    return [
        msgspec.structs.replace(
            record, addresses=tuple(routed(record, address) for address in record.addresses)
        )
        for record in records
    ]


async def _reach_gateway(record: Attachment, deadline: float) -> None:
    try:
        with netns.open_namespace(record.netns) as namespace:
            await interface.reach_gateway(namespace, record.ifname, record.mac, record.addresses, deadline)
    except arp.NoAnswer as error:
        raise CniError(
            Code.TRY_AGAIN,
            "the pod's gateway does not answer",
            f"{_place(record)}: {error}",
        ) from error
    except OSError as error:
        raise CniError(Code.LINK_FAILED, "the pod's gateway cannot be asked", str(error)) from error


def _place(record: Attachment) -> str:
    if record.vlan:
        return f"VLAN {record.vlan} of {record.trunk}, on which port {record.port_id} must be a subport"
    return f"the integration bridge, whose chassis port {record.port_id} must be bound to"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
