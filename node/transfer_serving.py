"""Serving the ends of epochs to cells that are far behind, over a protocol of its own.

The source reads what the cell has; one stream a peer, few at once, and for each in at most half of
the time, so that consensus goes on beside it. A request costs a few milliseconds; what a peer does
not read stays with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from core.failpoint import hit
from core.ids import CellId, Epoch, NetworkId, Round, short
from gossip.host import PeerStream
from journal import Store
from ledger.chain import RosterLink
from ledger.genesis import Genesis
from ledger.header import RoundHeader, decode_header
from ledger.machine import Ledger
from ledger.transfer.server import answer_of
from ledger.transfer.wire import Denied, FrameBodies, ReceiptRow, decode_ask, encode_answer
from ledger.tree import Snapshot
from node.errors import AccessDenied, NotInHistory
from node.headers import Headers
from node.limits import (
    TRANSFER_IDLE_MS,
    TRANSFER_READ_SIZE_BYTES,
    TRANSFERS_SERVED_MAX,
    WRITE_TIMEOUT_MS,
)
from node.state_tables import values_at
from node.tables import certificate_of, epochs_from, newest_epochs

_LOG = structlog.get_logger("transfer")


def transfer_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of transfers in a network."""
    return f"/myceld/{network_id.hex()}/transfer/2"


class StoreSource:
    """The ends of epochs in a store; implements `ledger.transfer.server.Source`."""

    def __init__(self, store: Store, genesis: Genesis, ledger: Ledger, headers: Headers) -> None:
        self._store = store
        self._genesis = genesis
        self._ledger = ledger
        self._headers = headers

    def newest(self) -> Epoch | None:
        """See `Source.newest`."""
        for roster, _ in reversed(newest_epochs(self._store)):
            seal, epoch = Round(roster.first_round - 1), Epoch(roster.epoch - 1)
            if self.snapshot(epoch) is not None and certificate_of(self._store, seal) is not None:
                return epoch
        return None

    async def links(self, epoch: Epoch, count_max: int) -> list[RosterLink]:
        """See `Source.links`."""
        rosters = [
            roster for roster, _ in epochs_from(self._store, self._genesis, epoch + 1, count_max)
        ]
        links: list[RosterLink] = []
        for roster in rosters:
            seal = Round(roster.first_round - 1)
            certificate = certificate_of(self._store, seal)
            header = await self._seal_header(Epoch(roster.epoch - 1), seal)
            if certificate is None or header is None or certificate.header_hash != header.hash:
                break
            links.append(RosterLink(header, certificate, roster))
        return links

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        """See `Source.snapshot`: only what is durable, which the ledger itself does not know."""
        is_durable = bool(self._store.query("SELECT 1 FROM epoch WHERE number = ?", (epoch + 1,)))
        return self._ledger.snapshot(epoch) if is_durable else None

    def values(self, epoch: Epoch, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """See `Source.values`."""
        _, following = self._rounds(epoch)
        return values_at(self._store, Round(following - 1), keys)

    async def headers(self, epoch: Epoch, last: Round, count_max: int) -> list[bytes]:
        """See `Source.headers`."""
        first, end = self._rounds(epoch)
        if not first <= last < end or not self._headers.has(last):
            return []
        low = Round(max(first, last - count_max + 1))
        return (await self._headers.blocks(low, last))[::-1]

    def receipts(self, epoch: Epoch, position: int, count_max: int) -> list[ReceiptRow]:
        """See `Source.receipts`."""
        first, end = self._rounds(epoch)
        rows = self._store.query(
            "SELECT round, id, event, time_ns, outcome FROM ordered WHERE position >= ? "
            "ORDER BY position LIMIT ?",
            (position, count_max),
        )
        return [
            (identity, event, time_ns, outcome)
            for number, identity, event, time_ns, outcome in rows
            if first <= number < end
        ]

    async def _seal_header(self, epoch: Epoch, seal: Round) -> RoundHeader | None:
        rows = self._store.query("SELECT header FROM seal WHERE epoch = ?", (epoch,))
        if rows:
            return decode_header(rows[0][0])
        try:
            return await self._headers.get(seal) if self._headers.has(seal) else None
        except NotInHistory:
            return None

    def _rounds(self, epoch: Epoch) -> tuple[int, int]:
        """Return the first round of a sealed epoch and of the next."""
        (one, _), (following, _) = epochs_from(self._store, self._genesis, epoch, 2)
        return one.first_round, following.first_round


class TransferServing:
    """Answers cells that fetch a checkpoint."""

    def __init__(
        self, source: StoreSource, check: Callable[[CellId], None] = lambda _: None
    ) -> None:
        """`check` raises AccessDenied for who is not served."""
        self._source = source
        self._check = check
        self._served: set[CellId] = set()

    async def serve(self, stream: PeerStream) -> None:
        """Answer the requests on one stream until it ends. Raises the host's errors."""
        peer = stream.cell_id
        try:
            self._check(peer)
        except AccessDenied as error:
            frame = encode_answer(Denied(error.code))
            await stream.write(frame, timeout_s=WRITE_TIMEOUT_MS / 1000)
            return
        if peer in self._served or len(self._served) >= TRANSFERS_SERVED_MAX:
            await stream.abort()
            return
        self._served.add(peer)
        began, size_bytes = time.monotonic(), 0
        try:
            bodies = FrameBodies()
            while data := await stream.read(
                TRANSFER_READ_SIZE_BYTES, timeout_s=TRANSFER_IDLE_MS / 1000
            ):
                for body in bodies.feed(data):
                    size_bytes += await self._answer(stream, body)
        finally:
            self._served.discard(peer)
            seconds = round(time.monotonic() - began, 3)
            _LOG.info("transfer served", peer=short(peer), size_bytes=size_bytes, seconds=seconds)

    async def _answer(self, stream: PeerStream, body: bytes) -> int:
        began = time.monotonic()
        frame = encode_answer(await answer_of(decode_ask(body), self._source))
        spent_s = time.monotonic() - began
        hit("transfer.answer.before")
        await stream.write(frame, timeout_s=WRITE_TIMEOUT_MS / 1000)
        hit("transfer.answer.after")
        await asyncio.sleep(spent_s)
        return len(frame)
