"""A supervised trio thread beside the asyncio loop, and the two ways across.

`call` runs a function in the trio thread, `post` one in the loop's thread; both return at once
and keep the order of their calls. When the trio program dies it is made anew after a pause, with
the same identity and ports; `on_down` is posted before, so that whatever waited gets an error.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.addresses import DialAddress, TcpAddress
from gossip.host.config import HostConfig
from gossip.host.errors import HostDown, HostFailed
from gossip.host.introduction import Introduction
from gossip.host.limits import (
    RESTART_DELAY_S,
    RESTART_DELAY_S_MAX,
    RESTART_STABLE_S,
    STOP_TIMEOUT_S,
)
from gossip.host.loading import load_libp2p
from gossip.host.seam import StreamPort

if TYPE_CHECKING:
    from gossip.host.engine import Engine

_LOG = logging.getLogger(__name__)


class BridgeEvents:
    """What the bridge reports, all in the loop's thread. The host implements it."""

    def on_up(self, addresses: tuple[TcpAddress, ...]) -> None:
        """The trio side listens on `addresses` (real ports)."""
        raise NotImplementedError

    def on_down(self, error: MyceldError) -> None:
        """The trio side ended; everything that belonged to it is gone."""
        raise NotImplementedError

    def on_inbound(self, port: StreamPort) -> None:
        """A peer opened a stream."""
        raise NotImplementedError

    def on_abuse(self, cell_id: CellId, remote_address: str | None) -> None:
        """A peer opened far more streams than it may; its connection was dropped."""
        raise NotImplementedError

    def is_denied(self, cell_id: str) -> bool:
        """Return whether no connection of a cell is taken now (called in the trio thread)."""
        raise NotImplementedError

    def on_introduction(self, cell_id: CellId, introduction: Introduction) -> None:
        """A connected peer said who it is."""
        raise NotImplementedError


class Bridge:
    """Owner of the trio thread."""

    def __init__(
        self,
        config: HostConfig,
        listen: tuple[TcpAddress, ...],
        protocols: tuple[str, ...],
        events: BridgeEvents,
    ) -> None:
        self._config = config
        self._listen = listen
        self._protocols = protocols
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._token: Any = None
        self._engine: Engine | None = None
        self._stopping = threading.Event()
        self._was_ever_up = False
        self._thread = threading.Thread(target=self._supervise, name="libp2p", daemon=True)

    def start(self) -> None:
        """Start the thread; `on_up` or `on_down` follows."""
        self._thread.start()

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run `function(*args)` in the trio thread; raises HostDown when there is none now."""
        with self._lock:
            if self._token is None:
                raise HostDown("the network side is not running")
            try:
                self._token.run_sync_soon(_contained, function, args)
            except RuntimeError as error:
                raise HostDown("the network side is ending") from error

    def post(self, function: Callable[..., None], *args: object) -> None:
        """Run `function(*args)` in the loop's thread; without effect once the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            _LOG.debug("loop is closed, %s not delivered", function)

    def engine(self) -> Engine:
        """Return the running engine; raises HostDown."""
        engine = self._engine
        if engine is None:
            raise HostDown("the network side is not running")
        return engine

    def dial(
        self,
        target: DialAddress,
        protocol: str,
        on_port: Callable[[StreamPort], None],
        on_failed: Callable[[MyceldError], None],
    ) -> Callable[[], None]:
        """Begin a dial and return what cancels it; raises HostDown."""
        from gossip.host.dialler import DialRequest  # noqa: PLC0415 - imports libp2p, loaded by start

        engine = self.engine()
        request = DialRequest(target, protocol, on_port, on_failed)
        self.call(engine.dial, request)
        return lambda: self.call(request.scope.cancel)

    def ping(self, cell_id: CellId, answer: Callable[[float | MyceldError], None]) -> None:
        """Ping a connected peer; raises HostDown."""
        self.call(self.engine().ping, cell_id, answer)

    async def stop(self) -> bool:
        """End the thread; False if it did not end within STOP_TIMEOUT_S."""
        self._stopping.set()
        try:
            self.call(self.engine().stop)
        except HostDown:
            _LOG.debug("the network side is not running, nothing to stop")
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def _supervise(self) -> None:
        delay_s = RESTART_DELAY_S
        while not self._stopping.is_set():
            began = time.monotonic()
            was_up, error = self._live_once()
            self.post(self._events.on_down, error)
            if not (was_up or self._was_ever_up):
                return
            self._was_ever_up = True
            if time.monotonic() - began > RESTART_STABLE_S:
                delay_s = RESTART_DELAY_S
            if not self._stopping.wait(delay_s):
                _LOG.warning("network side crashed, starting it again: %s", error)
            delay_s = min(2 * delay_s, RESTART_DELAY_S_MAX)

    def _live_once(self) -> tuple[bool, MyceldError]:
        """Run one engine until it ends; return whether it was up, and why it ended."""
        try:
            load_libp2p()
            import trio  # noqa: PLC0415 - costs 8 MB, only a running host pays

            from gossip.host.engine import Engine, EngineOutlets  # noqa: PLC0415 - imports libp2p

            def on_up(engine: Engine) -> None:
                self._listen = engine.addresses
                with self._lock:
                    self._engine = engine
                    self._token = trio.lowlevel.current_trio_token()
                self.post(self._events.on_up, engine.addresses)
                if self._stopping.is_set():
                    engine.stop()

            events = self._events
            outlets = EngineOutlets(
                self.post,
                on_up,
                events.on_inbound,
                events.on_introduction,
                events.on_abuse,
                events.is_denied,
            )
            engine = Engine(self._config, self._listen, self._protocols, outlets)
            trio.run(engine.main)
            error: MyceldError = HostDown("the network side ended")
        except MyceldError as cause:
            error = cause
        except BaseException as cause:  # noqa: BLE001 - the supervisor; trio wraps crashes as it likes
            _LOG.debug("network side crashed", exc_info=True)
            error = HostFailed(f"{type(cause).__name__}: {cause}")
        with self._lock:
            was_up = self._engine is not None
            self._engine, self._token = None, None
        return was_up, error


def _contained(function: Callable[..., None], args: tuple[object, ...]) -> None:
    """Run a call in the trio thread: an exception here would end trio itself."""
    try:
        function(*args)
    except Exception:  # noqa: BLE001 - supervisor of one call
        _LOG.exception("call into the network side failed")
