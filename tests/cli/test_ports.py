"""The ports of a devnet are its own until its cells listen on them."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import closing

import pytest

from cli.devnet import ports
from cli.devnet.ports import held_ports
from cli.errors import SetupFailed


def _listening(port: int, *, shares: bool) -> socket.socket:
    """Listen as cells do, or as somebody who finds a port taken when any other has it."""
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shares))
        listener.bind(("127.0.0.1", port))
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener


def test_cells_can_listen_on_held_ports_and_be_called() -> None:
    with held_ports(8) as held:
        assert len(set(held)) == 8
        for port in held:
            with (
                closing(_listening(port, shares=True)),
                socket.create_connection(("127.0.0.1", port)),
            ):
                pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports are not held")
def test_nobody_else_gets_a_port_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_ports(2) as held:
        for port in held:
            with pytest.raises(OSError) as refused:  # noqa: PT011 - its number is looked at
                _listening(port, shares=False)
            assert refused.value.errno == errno.EADDRINUSE
        monkeypatch.setattr(ports, "_CHOICE", range(held[0], held[0] + 1))
        with pytest.raises(SetupFailed), held_ports(1):
            pass
    with held_ports(1) as again:
        assert again == held[:1]


def test_ports_are_not_those_that_a_system_gives_to_whoever_asks_for_any() -> None:
    with closing(_listening(0, shares=False)) as any_port:
        assert any_port.getsockname()[1] not in ports._CHOICE
