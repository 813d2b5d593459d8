"""One HTTP/1.1 connection: closed when a head takes too long, or an answer is not taken."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.limits import HEAD_TIMEOUT_S, SEND_STALL_S_MAX


class Connection(H11Protocol):
    """An HTTP/1.1 connection, closed when a head takes too long, or an answer is not taken."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base class has it
        """Start the clock: a connection that says nothing is closed too."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a request begins its work, start it when a new head begins."""
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            self._stop_timer()  # it is a WebSocket from now on, with deadlines of its own
        elif self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._stop_timer()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start another clock: what is sent has to be taken."""
        super().pause_writing()
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(SEND_STALL_S_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it: some was taken."""
        self._stop_stall_timer()
        super().resume_writing()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
