"""Octavia's two halves talk faster: for the load balancer service's Python path, imported by nothing of ours.

For every member the OVN provider asks the driver agent about each pool and listener of the load balancer, one
after another. As packaged, the agent forks a process for each question, which then connects to the database
and prepares its mappings anew, and the asking side sleeps 10 ms for every digit of the answer's length: about
two seconds for a member. Here threads of one process answer, and the asking side waits on the socket. What is
asked and answered stays the same.

One thing relied on the slowness: Octavia hands an update to the provider before it writes PENDING_UPDATE, and
a provider that is done earlier leaves the object PENDING for ever. So updates begin a moment later.
"""

import functools
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
    from octavia.api import app  # noqa: PLC0415  # the agent has no use for these
    from ovn_octavia_provider.helper import OvnProviderHelper  # noqa: PLC0415

    for name, seconds in _LATER.items():
        setattr(OvnProviderHelper, name, _later(getattr(OvnProviderHelper, name), seconds))
    return app.setup_app()


def agent() -> Any:
    """Run the driver agent."""
    from octavia.api.drivers.driver_agent import driver_listener  # noqa: PLC0415  # nor the API for this
    from octavia.cmd import driver_agent  # noqa: PLC0415

    driver_listener.ForkingUDSServer = _Threads
    return driver_agent.main()


if __name__ == "__main__":
    sys.exit(agent())
