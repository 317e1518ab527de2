"""TCP ports for programs that tests start later, which nobody takes before they do."""

import random
import socket
from pathlib import Path

_LOWEST = 20_000
_GIVEN: set[int] = set()
_DICE = random.Random()


def free_port() -> int:
    """Return a port on 127.0.0.1 on which nobody listens, another one at each call.

    It is below those the kernel gives to outgoing connections, and to who asks for any port: so none of these
    takes it between now and when it is used, nor while a program that listened there is started again.
    """
    own = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    candidates = [port for port in range(_LOWEST, int(own)) if port not in _GIVEN]
    while True:
        port = _DICE.choice(candidates)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _GIVEN.add(port)
        return port
