"""Addresses of load balancers that were never made.

Octavia takes the port of a load balancer's address first and writes down the load balancer last. When Neutron
or Octavia dies in between, the port stays, nobody knows it, and the address is refused to the next load
balancer that is to have it: a Service could never be served at its ClusterIP again.
"""

import asyncio
import re
from collections.abc import Callable, Iterable

import structlog

from causeway.cloud import errors
from causeway.cloud.neutron import Neutron, Port
from causeway.cloud.octavia import Octavia

_log = structlog.get_logger(__name__)

GRACE = 120.0
"""Seconds for which a port must have been without its load balancer: longer than any call takes."""

_NAME = re.compile(r"^(?:ovn-lb-vip|octavia-lb)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
"""How Octavia and its OVN provider name the port of a load balancer's address."""


class Remnants:
    """Finds such ports on ``subnets``, where only the platform's Services have addresses, and deletes them.

    ``is_known`` says whether there is a load balancer of an id, as far as lists tell. Looking costs a list of
    the subnets' ports, so it is done only when there is a reason: ``suspect`` gives one, and a process that
    begins has one, because it does not know how the last one ended.
    """

    def __init__(
        self, octavia: Octavia, neutron: Neutron, subnets: Iterable[str], is_known: Callable[[str], bool]
    ) -> None:
        self._octavia = octavia
        self._neutron = neutron
        self._subnets = [subnet for subnet in subnets if subnet]
        self._is_known = is_known
        self._alone: dict[str, float] = {}  # id of a port -> since when it has no load balancer
        self._since: float | None = None  # when the last reason was; None before the first look
        self._quiet = False

    def suspect(self) -> None:
        """Remember that the creation of a load balancer did not end in order."""
        self._since, self._quiet = asyncio.get_running_loop().time(), False

    async def clear(self) -> None:
        """Look, if there is a reason to, and delete what has been alone for long; raises ``CloudError``.

        A look that fails does not count: while the cloud does not answer, the reason stays.
        """
        if self._quiet:
            return
        now = asyncio.get_running_loop().time()
        reason = self._since = now if self._since is None else self._since
        alone = {port.id: port for subnet in self._subnets for port in await self._without_balancer(subnet)}
        self._alone = {one: self._alone.get(one, now) for one in alone}
        for identifier, since in self._alone.items():
            if now - since >= GRACE:
                _log.info("port without load balancer deleted", port=identifier, name=alone[identifier].name)
                await self._neutron.delete_port(identifier)
        self._quiet = not alone and reason == self._since and now - reason >= GRACE

    async def _without_balancer(self, subnet: str) -> list[Port]:
        ports = await self._neutron.list_ports(fixed_ips=f"subnet_id={subnet}")
        named = [(port, match[1]) for port in ports if (match := _NAME.match(port.name))]
        return [port for port, balancer in named if not await self._exists(balancer)]

    async def _exists(self, balancer: str) -> bool:
        if self._is_known(balancer):
            return True
        try:
            await self._octavia.get_load_balancer(balancer)
        except errors.NotFound:
            return False
        except errors.Forbidden:
            return True  # another project's, on a subnet it was given the use of
        return True
