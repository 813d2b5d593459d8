"""Ports for the cells of a new devnet: chosen once and for all, and held until the cells listen.

They lie below those that a system gives to whoever asks for any, so that a cell that was stopped
finds its own free again. While they are held nobody else can choose them: on Linux a socket that
does not listen shares its port with those that say SO_REUSEADDR, as cells do. Elsewhere it would be
in their way, and ports are only seen to be free.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from typing import Final

from cli.errors import SetupFailed

_HOST: Final = "127.0.0.1"
_CHOICE: Final = range(10_000, 20_000)
"""Cells that are no devnet's choose theirs from 20,000 on."""


@contextlib.contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Choose different free ports, and hold them while the block lasts; raises SetupFailed."""
    with contextlib.ExitStack() as held:
        chosen: list[int] = []
        for port in random.sample(_CHOICE, len(_CHOICE)):
            if len(chosen) == count:
                break
            holder = held.enter_context(socket.socket())
            try:
                holder.bind((_HOST, port))
            except OSError:
                holder.close()
                continue
            chosen.append(port)
            # Only now: another holder's port must not be shared.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not _is_shared(port):
                holder.close()
        if len(chosen) < count:
            raise SetupFailed(f"there are no {count} free ports from {_CHOICE.start} on")
        yield chosen


def _is_shared(port: int) -> bool:
    """Tell whether a cell could listen on a port that is held here."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
            listener.listen(1)
        except OSError:
            return False
    return True
