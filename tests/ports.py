"""Ports for cells that are started later, again and again: nobody else gets them meanwhile."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Final

from cli.devnet.ports import held_ports

_HELD: Final = ExitStack()
atexit.register(_HELD.close)


def held_port() -> int:
    """Return a free port that is kept for cells of this process of tests until its end."""
    (port,) = _HELD.enter_context(held_ports(1))
    return port
