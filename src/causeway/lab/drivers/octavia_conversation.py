"""Octavia's two halves talk faster: for the load balancer service's Python path, imported by nothing of ours.

For every member the OVN provider asks the driver agent about each pool and listener of the load balancer, one
after another. As packaged, the agent forks a process for each question, which then connects to the database
and prepares its mappings anew, and the asking side sleeps 10 ms for every digit of the answer's length: about
two seconds for a member. Here threads of one process answer, and the asking side waits on the socket. What is
asked and answered stays the same.

One thing relied on the slowness: Octavia hands an update to the provider before it writes PENDING_UPDATE, and
a provider that is done earlier leaves the object PENDING for ever. So updates begin a moment later.
"""
# Each of these processes imports only what it needs of Octavia.
# ruff: noqa: PLC0415

import datetime
import functools
import os
import socketserver
import sys
import time
from collections.abc import Callable
from typing import Any

from octavia_lib.api.drivers import driver_lib


class _Awake:
    """Stands in for the module ``time`` of the driver library: the socket's own timeout does the waiting."""

    def __init__(self, original: Any) -> None:
        self.time = original.time

    def sleep(self, _seconds: float) -> None:
        """Do not sleep."""


class _Threads(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


driver_lib.time = _Awake(driver_lib.time)

# Seconds an update waits, by the provider's method; batches of members write before they hand over.
_LATER = {
    "lb_update": 0.3,
    "listener_update": 0.3,
    "pool_update": 0.3,
    "hm_update": 0.3,
    "member_update": 0.1,
}


def _later(update: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @functools.wraps(update)
    def begin(*args: Any, **keywords: Any) -> Any:
        time.sleep(seconds)
        return update(*args, **keywords)

    return begin


def api() -> Any:
    """Return Octavia's WSGI application."""
    from octavia.api import app
    from ovn_octavia_provider.helper import OvnProviderHelper

    for name, seconds in _LATER.items():
        setattr(OvnProviderHelper, name, _later(getattr(OvnProviderHelper, name), seconds))
    return app.setup_app()


def agent() -> Any:
    """Run the driver agent."""
    from octavia.api.drivers.driver_agent import driver_listener
    from octavia.cmd import driver_agent

    driver_listener.ForkingUDSServer = _Threads
    return driver_agent.main()


def worker() -> Any:
    """Run the worker of the provider ``amphora``: it plugs nothing in, but gives real addresses back."""
    from octavia.certificates.common.local import LocalCert
    from octavia.certificates.generator.local import LocalCertGenerator
    from octavia.cmd import octavia_worker
    from octavia.common import utils
    from octavia.common.tls_utils import cert_parser
    from octavia.network.drivers.neutron.allowed_address_pairs import (
        AllowedAddressPairsDriver,
    )
    from octavia.network.drivers.noop_driver.driver import NoopNetworkDriver

    class Worker(NoopNetworkDriver):  # type: ignore[misc]  # Octavia has no types
        def deallocate_vip(self, vip: Any) -> None:
            """Delete the port the API made for the address."""
            real = AllowedAddressPairsDriver()
            real.delete_port(vip.port_id)

    def certificate(**_keywords: Any) -> Any:
        """Stand in for the certificate of an amphora, which nobody will ever show."""
        return LocalCert(b"none", b"none")

    LocalCertGenerator.generate_cert_key_pair = staticmethod(certificate)
    cert_parser.get_cert_expiration = lambda _pem: datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
    driver = Worker()
    utils.get_network_driver = lambda: driver
    return octavia_worker.main()


if __name__ == "__main__":
    sys.exit(worker() if os.environ.get("OCTAVIA_PART") == "worker" else agent())
