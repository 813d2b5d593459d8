"""One HTTP server on loopback, in the daemon's own loop, for what is behind a door.

Installs no signal handlers, starts no task of its own and does nothing while nobody asks.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from uvicorn import Config, Server

from core.errors import check
from core.host_names import is_loopback
from gateway.comings import Comings
from gateway.connections import Connection, Crowd
from gateway.door import Door
from gateway.entrance import Entrance
from gateway.errors import CannotListen, NotLoopback, PortInUse
from gateway.limits import (
    BACKLOG_MAX,
    HEAD_SIZE_BYTES_MAX,
    KEEP_ALIVE_TIMEOUT_S,
    REFUSED_WAITING_MAX,
    SILENT_CONNECTIONS_MAX,
    STOP_TIMEOUT_S,
    STREAM_COMMAND_SIZE_BYTES_MAX,
)
from gateway.stream_socket import Socket
from gateway.tls_entrance import TlsEntrance

if TYPE_CHECKING:
    from gateway.tls import Tls  # a hypha has none, and does not load what reads certificates

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to ask instead


class Listener:
    """Serves what is behind a door over HTTP between `start` and `stop`."""

    def __init__(
        self,
        door: Door,
        stop_waiting: Callable[[], None],
        *,
        host: str,
        port: int,
        tls: Tls | None = None,
        insecure: bool = False,
    ) -> None:
        """`stop_waiting` has every request answered that waits.

        Raises NotLoopback for a public address without TLS, unless that was `insecure` on purpose.
        """
        if not is_loopback(host) and tls is None and not insecure:
            raise NotLoopback(f"{host} is not a loopback address, and there is no TLS")
        self._tls = tls
        self.crowd = Crowd(silent_max=_most(SILENT_CONNECTIONS_MAX, 3))
        self.comings = Comings()
        self._address = ("127.0.0.1" if host.lower() == "localhost" else host, port)
        self._door = door
        self._stop_waiting = stop_waiting
        self._server: Server | None = None
        self._socket: socket.socket | None = None
        self._entrance: Entrance | None = None

    async def start(self) -> str:
        """Listen, and return the URL; raises PortInUse, CannotListen."""
        check(self._server is None, "the gateway is started once")
        self._socket = _bind(*self._address)
        config = Config(
            self._door,
            http=type("ServedConnection", (Connection,), {"crowd": self.crowd}),
            ws=Socket,
            ws_max_size=STREAM_COMMAND_SIZE_BYTES_MAX,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=HEAD_SIZE_BYTES_MAX,
            timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
            timeout_graceful_shutdown=STOP_TIMEOUT_S,
        )
        config.load()
        # Server.serve would take over the signals and wake up ten times a second, and its startup
        # makes a parser for each who comes; its state and its shutdown are all we need.
        self._server = Server(config)
        self._server.servers = []
        self._server.lifespan = config.lifespan_class(config)
        make, refused_max = partial(_made, config, self._server), _most(REFUSED_WAITING_MAX, 2)
        if self._tls is None:
            self._entrance = Entrance(
                self.crowd,
                look=self._door.glance,
                make=make,
                refused_max=refused_max,
                comings=self.comings,
            )
        else:
            self._entrance = TlsEntrance(
                self.crowd,
                look=self._door.glance,
                make=make,
                refused_max=refused_max,
                tls=self._tls,
                known=self._door.known,
                comings=self.comings,
            )
        self._entrance.open(self._socket)
        host, port = self._socket.getsockname()[:2]
        scheme, host = "https" if self._tls else "http", _EVERYWHERE.get(host, host)
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening, answer those who wait, close; takes at most about STOP_TIMEOUT_S."""
        if self._server is None:
            return
        server, self._server = self._server, None
        if self._entrance is not None:
            self._entrance.close()
        self._stop_waiting()
        await asyncio.sleep(0)
        await server.shutdown(sockets=[self._socket] if self._socket else None)
        for connection in list(server.server_state.connections):
            connection.transport.abort()


def _most(wanted: int, eighths: int) -> int:
    """Return how many connections there may be of a kind: others need files, too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if files == resource.RLIM_INFINITY else min(wanted, files * eighths // 8)


def _made(config: Config, server: Server) -> Connection:
    """Return a new connection as the server makes one."""
    made = config.http_protocol_class(  # type: ignore[call-arg]  # any protocol is one for the type
        config=config, server_state=server.server_state, app_state=server.lifespan.state
    )
    check(isinstance(made, Connection), "the server makes the connections that it was told to")
    assert isinstance(made, Connection)  # noqa: S101 - for the type checker
    return made


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Without the protocol number asyncio leaves Nagle's algorithm on: 40 ms per answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise CannotListen(f"{host} port {port}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG_MAX)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} on {host} is in use") from error
        raise CannotListen(f"{host} port {port}: {error.strerror}") from error
    return listener
