"""Ports on loopback that stay free while who listens there is away.

The system chooses ports from those that it gives to outgoing connections. So while a killed server is away somebody's
connection may get its port, and it can't come back; it may even be the connection that looks for the server, which
then finds itself. The ports here are none of those.
"""

import errno
import random
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"

_PORTS: Final = range(20_000, 30_000)
"""Linux gives outgoing connections 32768 and those above."""
_TRIES: Final = 100
_BACKLOG: Final = 2048


def listen(port: int = 0) -> socket.socket:
    """A socket on loopback that listens on a port, or on one that is free. Raises ``OSError``."""
    if port:
        return socket.create_server((LOOPBACK, port), backlog=_BACKLOG)
    for candidate in random.sample(_PORTS, _TRIES):
        try:
            return socket.create_server((LOOPBACK, candidate), backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"{_TRIES} ports from {_PORTS.start} on are all in use")
