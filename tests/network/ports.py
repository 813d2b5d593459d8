"""Ports for cells that are started later, again and again: nobody else gets them meanwhile."""

from __future__ import annotations

import random
import socket
from typing import Final

_PORTS: Final = range(10_000, 20_000)
"""Below those that a new cell takes by itself, and far below those that systems give away."""
_TRIES_MAX: Final = 1_000
_HELD: Final[list[int]] = []
"""Descriptors of bound sockets that never listen, so that a cell can, beside them."""


def held_port() -> int:
    """Return a free port that is kept for cells of this process of tests until its end."""
    for _ in range(_TRIES_MAX):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", random.choice(_PORTS)))  # noqa: S311 - not a secret
        except OSError:
            holder.close()
            continue
        # Only now: nobody can bind a port that somebody else holds, but who sets this too.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port: int = holder.getsockname()[1]
        _HELD.append(holder.detach())
        return port
    raise AssertionError("no port is free")
