"""Where the two halves of a host meet: what the asyncio half needs of the network half.

The trio thread implements it (`bridge`, `port`); a simulation puts another network behind the same
asyncio half. No code here but the shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.errors import MyceldError
from core.ids import CellId
from gossip.host.addresses import DialAddress


@dataclass(frozen=True, slots=True)
class PortInfo:
    """Facts about a stream that never change."""

    cell_id: CellId
    protocol: str
    initiator: bool
    remote_address: str | None
    binding: bytes
    """The name of the connection, the same at both ends; see `gossip.host.channel`."""
    peer_key: bytes
    """Names the process at the other end, as long as it runs."""


class StreamSink(Protocol):
    """The asyncio half. All methods are called in the loop's thread, and never block."""

    def on_data(self, data: bytes) -> None:
        """Take bytes that arrived."""

    def on_end(self, error: MyceldError | None) -> None:
        """No more bytes follow: the peer closed its side, or `error`. The first call counts."""

    def on_closed(self) -> None:
        """The stream is gone on both sides."""


class StreamPort(Protocol):
    """The network half of one stream. All methods run where `NetworkSide.call` runs them."""

    info: PortInfo
    sink: StreamSink | None

    def submit(self, data: bytes, answer: Callable[[MyceldError | None], None]) -> None:
        """Write `data`, then call `answer` in the loop's thread."""

    def consumed(self, size: int) -> None:
        """Give the peer credit for `size` bytes that were read."""

    def finish(self) -> None:
        """Close gracefully: our side now, all of it once the peer closed its own."""

    def drop(self) -> None:
        """Close the connection at once."""


class NetworkSide(Protocol):
    """The network half of a host. `BridgeEvents` says what it reports."""

    def start(self) -> None:
        """Listen; `on_up` or `on_down` follows."""

    async def stop(self) -> bool:
        """End everything; False if it did not end in time."""

    def call(self, function: Callable[..., None], *args: object) -> None:
        """Run a method of a port in the network half; raises HostDown when there is none now."""

    def dial(
        self,
        target: DialAddress,
        protocol: str,
        on_port: Callable[[StreamPort], None],
        on_failed: Callable[[MyceldError], None],
    ) -> Callable[[], None]:
        """Begin a dial and return what cancels it; raises HostDown.

        It ends by one of the two callbacks, in the loop's thread.
        """

    def ping(self, cell_id: CellId, answer: Callable[[float | MyceldError], None]) -> None:
        """Ping a connected peer; `answer` gets the round trip in ms, or what went wrong."""
