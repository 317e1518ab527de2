"""The floor of CNI: a process that does nothing for each call, and a link by as few messages as there can be.

No plugin can do with less: a container runtime starts a process for each call, and somebody makes a link in
the pod's network namespace, with address and route. There is no VLAN in it, nor any proof that traffic flows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.node import Node, namespace_path
from causeway.host import links, netns
from causeway.host.netlink import Netlink

_MTU = 1442
_LOOPBACK = 1
_THREADS = {"ADD": 1, "DEL": 16}  # what is quickest: the kernel makes links in turn, but removes many at once


class Bare:
    """Links of pods on a node that nobody keeps account of."""

    def __init__(self, node: Node, sandboxes: Sequence[str]) -> None:
        self._node = node
        self._sandboxes = sandboxes

    async def calls(self, command: str, at_once: int) -> list[float]:
        """Make (ADD) or remove (DEL) the links, a process before each; return how many seconds each took."""
        loop = asyncio.get_running_loop()
        work = {"ADD": self._add, "DEL": self._remove}[command]
        with ThreadPoolExecutor(_THREADS[command]) as threads:
            return await started(
                len(self._sandboxes), at_once, lambda number: loop.run_in_executor(threads, work, number)
            )

    def _add(self, number: int) -> None:
        with (
            netns.open_namespace(namespace_path(self._node.namespace)) as outside,
            netns.open_namespace(namespace_path(self._sandboxes[number])) as inside,
        ):
            with netns.inside(outside, Netlink) as netlink:
                end = links.add_veth(
                    netlink,
                    _name(number),
                    mtu=_MTU,
                    peer="eth0",
                    peer_mac=f"fa:16:3e:01:{number >> 8:02x}:{number & 0xFF:02x}",
                    peer_namespace=inside.fileno(),
                )
                netlink.ask(links.switch_on(end.index))
            with netns.inside(inside, Netlink) as netlink:
                link = links.find(netlink, "eth0")
                if link is not None:
                    netlink.ask(
                        links.switch_on(_LOOPBACK),
                        links.switch_on(link.index),
                        links.add_address(link.index, f"10.99.{number >> 7}.{(number & 0x7F) + 2}/16"),
                        links.add_default_route(link.index, "10.99.255.254"),
                    )

    def _remove(self, number: int) -> None:
        with (
            netns.open_namespace(namespace_path(self._node.namespace)) as outside,
            netns.inside(outside, Netlink) as netlink,
        ):
            link = links.find(netlink, _name(number))
            if link is not None:
                netlink.ask(links.delete(link.index))


def _name(number: int) -> str:
    return f"cwfloor{number}"


async def nothing(_number: int) -> None:
    """Do nothing after a process that did nothing."""


async def started(count: int, at_once: int, work: Callable[[int], Awaitable[None]]) -> list[float]:
    """Start processes that do nothing, and do ``work`` after each; return how many seconds each took."""
    free = asyncio.Semaphore(at_once)

    async def call(number: int) -> float:
        async with free:
            begun = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                "/bin/true", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
            )
            await process.communicate()
            await work(number)
            return time.monotonic() - begun

    return list(await asyncio.gather(*map(call, range(count))))
