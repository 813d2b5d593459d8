"""Content of the global data set: kept by its hash, fetched from whoever has it, served to others.

The ledger says which contents there are; after a round that may have added some, what is missing
here is fetched, first from who posted it. What comes is known by hash and size, so it can be
missing, and never wrong. Serving costs a row of the database; one stream at a time for each peer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import structlog

from core.errors import MyceldError
from core.ids import CellId, Hash, NetworkId, cell_id_of, short
from core.limits import HASH_SIZE_BYTES
from gateway.errors import NoSuchContent
from gateway.message_views import ContentView
from gossip.host import PeerStream
from journal import Store
from ledger.content import CONTENT_PREFIX, Content, Post, content_key, decode_content
from ledger.limits import CONTENT_SIZE_BYTES_MAX
from node.errors import AccessDenied, ContentRefused, ContentTooLarge
from node.limits import (
    CONTENT_CHECK_S,
    CONTENT_KEPT_SIZE_BYTES_MAX,
    CONTENT_LOOKED_AT_MAX,
    CONTENT_RETRY_S,
    CONTENT_SERVED_MAX,
    CONTENT_TIMEOUT_S,
    DIAL_TIMEOUT_MS,
    WRITE_TIMEOUT_MS,
)
from node.lines import Lines
from node.peers import Peers
from node.tables import state_value

CONTENT_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS content (
  hash BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, body BLOB NOT NULL);
"""

_CODE_SIZE_BYTES: Final = 32
"""Before each answer: the code for which there is none, filled up with zeros; all zeros if there
may be one."""
_LENGTH_SIZE_BYTES: Final = 4
_LOG = structlog.get_logger("content")

Order: TypeAlias = Callable[[Post], Awaitable[None]]
"""Signs a post with the cell's key and has it ordered."""


def content_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol by which content is fetched in a network."""
    return f"/myceld/{network_id.hex()}/content/2"


class Contents:
    """The contents of one cell. `applied_round` tells where the ledger stands."""

    def __init__(
        self,
        store: Store,
        network_id: NetworkId,
        peers: Peers,
        applied_round: Callable[[], int],
        may_fetch: Callable[[CellId, str], None],
        lines: Lines,
    ) -> None:
        """`may_fetch` raises AccessDenied for who may not have content."""
        self._may_fetch = may_fetch
        self._store = store
        self._peers = peers
        self._applied_round = applied_round
        self._lines = lines
        self._protocol = content_protocol(network_id)
        self._served: set[CellId] = set()
        peers.host.set_handler(self._protocol, peers.guarded(self._serve))

    async def keep(self, body: bytes) -> Hash:
        """Make content durable here and return its hash; raises ContentTooLarge."""
        if not 1 <= len(body) <= CONTENT_SIZE_BYTES_MAX:
            raise ContentTooLarge(f"{len(body)} bytes, 1 to {CONTENT_SIZE_BYTES_MAX} are posted")
        identity = Hash(hashlib.sha256(body).digest())
        row = (identity, len(body), body)
        statement = ("INSERT OR IGNORE INTO content VALUES (?, ?, ?)", [row])
        await self._store.transaction({}, [statement], durable=True)
        return identity

    def view(self, identity: Hash, *, with_body: bool) -> ContentView:
        """Return one content of the data set; raises NoSuchContent."""
        value = state_value(self._store, content_key(identity))
        if value is None:
            raise NoSuchContent(f"nothing of hash {identity.hex()[:16]}… was posted")
        body = self._body(identity)
        return _view(identity, decode_content(value), body, with_body=with_body)

    def views(self, offset: int, limit: int) -> list[ContentView]:
        """Return contents of the data set, in the order of their hashes."""
        rows = self._store.query(
            "SELECT s.key, s.value, c.hash IS NOT NULL FROM state s LEFT JOIN content c "
            "ON c.hash = substr(s.key, ?) WHERE s.key > ? AND s.key < ? ORDER BY s.key "
            "LIMIT ? OFFSET ?",
            (len(CONTENT_PREFIX) + 1, CONTENT_PREFIX, _AFTER, limit, offset),
        )
        return [
            _view(
                Hash(bytes(key[len(CONTENT_PREFIX) :])),
                decode_content(value),
                b"" if is_here else None,
                with_body=False,
            )
            for key, value, is_here in rows
        ]

    async def run(self) -> None:
        """Fetch what is missing, after each round that may have added something, until cancelled.

        Looks at the round only: an idle network costs a comparison of numbers.
        """
        seen, pause_s = -1, CONTENT_CHECK_S
        while True:
            applied = self._applied_round()
            if applied != seen:
                whole = await self._fetch_missing()
                seen, pause_s = (applied, CONTENT_CHECK_S) if whole else (-1, CONTENT_RETRY_S)
            await asyncio.sleep(pause_s)

    async def _fetch_missing(self) -> bool:
        """Fetch what the ledger names and is not here; return whether all of it is, or may not."""
        after, whole = CONTENT_PREFIX, True
        while True:
            rows = self._store.query(
                "SELECT s.key, s.value, c.hash IS NOT NULL FROM state s LEFT JOIN content c "
                "ON c.hash = substr(s.key, ?) WHERE s.key > ? AND s.key < ? ORDER BY s.key LIMIT ?",
                (len(CONTENT_PREFIX) + 1, after, _AFTER, CONTENT_LOOKED_AT_MAX),
            )
            for key, value, is_here in rows:
                after = bytes(key)
                if not is_here:
                    identity = Hash(after[len(CONTENT_PREFIX) :])
                    whole = await self._fetch(identity, decode_content(value)) and whole
            if len(rows) < CONTENT_LOOKED_AT_MAX:
                return whole
            await asyncio.sleep(0)

    async def _fetch(self, identity: Hash, content: Content) -> bool:
        ((kept,),) = self._store.query("SELECT coalesce(sum(size_bytes), 0) FROM content")
        if kept + content.size_bytes > CONTENT_KEPT_SIZE_BYTES_MAX:
            _LOG.warning("content not kept: there is too much", size_bytes=kept)
            return True
        poster = self._lines.present(cell_id_of(content.sender))
        for cell in dict.fromkeys((poster, *self._peers.connected())):
            address = next(iter(self._peers.book.addresses(cell)), None)
            if address is None or cell == self._peers.host.cell_id:
                continue
            try:
                async with asyncio.timeout(CONTENT_TIMEOUT_S):
                    body = await self._fetch_from(address, identity, content.size_bytes)
            except (MyceldError, TimeoutError) as error:
                _LOG.info("content not fetched", peer=short(cell), reason=str(error))
                continue
            if body is not None:
                await self.keep(body)
                return True
        return False

    async def _fetch_from(self, address: str, identity: Hash, size_bytes: int) -> bytes | None:
        """Return the content from one cell, None if it has something else or nothing."""
        stream = await self._peers.dial(
            address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
        )
        async with stream:
            await stream.write(identity, timeout_s=WRITE_TIMEOUT_MS / 1000)
            code = (await _read_exactly(stream, _CODE_SIZE_BYTES)).rstrip(b"\0")
            if code:
                raise ContentRefused(code.decode("ascii", "replace"))
            length = await _read_exactly(stream, _LENGTH_SIZE_BYTES)
            if int.from_bytes(length, "big") != size_bytes:
                return None
            body = await _read_exactly(stream, size_bytes)
        return body if hashlib.sha256(body).digest() == identity else None

    async def _serve(self, stream: PeerStream) -> None:
        peer = stream.cell_id
        if peer in self._served or len(self._served) >= CONTENT_SERVED_MAX:
            await stream.abort()
            return
        self._served.add(peer)
        try:
            async with asyncio.timeout(CONTENT_TIMEOUT_S):
                identity = Hash(await _read_exactly(stream, HASH_SIZE_BYTES))
                body, code = b"", b""
                try:
                    self._may_fetch(peer, identity.hex())
                    body = self._body(identity) or b""
                except AccessDenied as error:
                    code = error.code.encode("ascii")
                head = code.ljust(_CODE_SIZE_BYTES, b"\0")
                data = head + len(body).to_bytes(_LENGTH_SIZE_BYTES, "big") + body
                await stream.write(data, timeout_s=CONTENT_TIMEOUT_S)
                await stream.read(1, timeout_s=CONTENT_TIMEOUT_S)  # its end: all was read
        except TimeoutError:
            _LOG.info("content not served in time", peer=short(peer))
        finally:
            self._served.discard(peer)

    def _body(self, identity: Hash) -> bytes | None:
        rows = self._store.query("SELECT body FROM content WHERE hash = ?", (identity,))
        return bytes(rows[0][0]) if rows else None


_AFTER: Final = CONTENT_PREFIX[:-1] + bytes([CONTENT_PREFIX[-1] + 1])
"""The first key behind those of contents."""


async def _read_exactly(stream: PeerStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = await stream.read(size - len(data), timeout_s=CONTENT_TIMEOUT_S)
        if not part:
            return bytes(data)
        data += part
    return bytes(data)


def _view(identity: Hash, content: Content, body: bytes | None, *, with_body: bool) -> ContentView:
    return ContentView(
        hash=identity.hex(),
        size_bytes=content.size_bytes,
        title=content.title,
        round=content.round,
        cell=cell_id_of(content.sender),
        here=body is not None,
        body_hex=body.hex() if with_body and body is not None else None,
    )
