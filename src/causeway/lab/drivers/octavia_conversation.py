"""Octavia's two halves talk faster: for the load balancer service's Python path, imported by nothing of ours.

For every member the OVN provider asks the driver agent about each pool and listener of the load balancer, one
after another. As packaged, the agent forks a process for each question, which then connects to the database
and prepares its mappings anew, and the asking side sleeps 10 ms for every digit of the answer's length: about
two seconds for a member. Here threads of one process answer, and the asking side waits on the socket. What is
asked and answered stays the same.
"""

import socketserver
import sys
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


def api() -> Any:
    """Return Octavia's WSGI application."""
    from octavia.api import app  # noqa: PLC0415  # the agent has no use for it

    return app.setup_app()


def agent() -> Any:
    """Run the driver agent."""
    from octavia.api.drivers.driver_agent import driver_listener  # noqa: PLC0415  # nor the API for this
    from octavia.cmd import driver_agent  # noqa: PLC0415

    driver_listener.ForkingUDSServer = _Threads
    return driver_agent.main()


if __name__ == "__main__":
    sys.exit(agent())
