"""Content of the global data set: kept by its hash, fetched from whoever has it, served to others.

The ledger says which contents there are, and which posts have ended. At the start all of it is gone
through, and from then on what each round changed: what is missing here is fetched, first from who
posted it, and copies of what has ended go. What comes is known by hash and size, so it can be
missing, and never wrong. Serving costs a row of the database; one stream at a time for each peer.
What is kept, and for how long, is in `content_shelf`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from core.errors import MyceldError
from core.ids import CellId, Hash, NetworkId, cell_id_of, short
from core.limits import HASH_SIZE_BYTES
from gateway.errors import NoSuchContent
from gateway.message_views import ContentView
from gossip.host import PeerStream
from journal import Store
from ledger.content import CONTENT_PREFIX, Content, content_key, decode_content
from ledger.limits import CONTENT_SIZE_BYTES_MAX
from node.errors import (
    AccessDenied,
    ContentPinned,
    ContentRefused,
    ContentTooLarge,
    NoRoomForContent,
)
from node.limits import (
    CONTENT_CHECK_S,
    CONTENT_LOOKED_AT_MAX,
    CONTENT_NOTED_MAX,
    CONTENT_RETRY_S,
    CONTENT_SERVED_MAX,
    CONTENT_TIMEOUT_S,
    DIAL_TIMEOUT_MS,
    WRITE_TIMEOUT_MS,
)
from node.lines import Lines
from node.peers import Peers
from node.services.content_shelf import Shelf, Use
from node.tables import state_value

_CODE_SIZE_BYTES: Final = 32
"""Before each answer: the code for which there is none, filled up with zeros; all zeros if there
may be one."""
_LENGTH_SIZE_BYTES: Final = 4
_LOG = structlog.get_logger("content")


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
        self._shelf = Shelf(store)
        self._peers = peers
        self._applied_round = applied_round
        self._changed: dict[Hash, None] = {}
        """What is to be looked at, in that order."""
        self._missing: dict[Hash, None] = {}
        """What nobody could give, to be asked for again."""
        self._is_whole = False
        """Whether all contents were gone through, and each change since then was noted."""
        self._news = asyncio.Event()
        self._lines = lines
        self._protocol = content_protocol(network_id)
        self._served: set[CellId] = set()
        peers.host.set_handler(self._protocol, peers.guarded(self._serve))

    def changed(self, keys: Iterable[bytes]) -> None:
        """Note the state keys that a round changed, after that became durable."""
        for key in keys:
            if key.startswith(CONTENT_PREFIX):
                self._note(Hash(key[len(CONTENT_PREFIX) :]))
        self._news.set()

    async def keep(self, body: bytes) -> Hash:
        """Make content that is posted here durable and return its hash.

        Raises ContentTooLarge or NoRoomForContent.
        """
        if not 1 <= len(body) <= CONTENT_SIZE_BYTES_MAX:
            raise ContentTooLarge(f"{len(body)} bytes, 1 to {CONTENT_SIZE_BYTES_MAX} are posted")
        identity = await self._shelf.keep(body, is_own=True)
        if identity is None:
            raise NoRoomForContent("what is pinned and what was posted here takes all of it")
        return identity

    async def pin(self, identity: Hash) -> ContentView:
        """Keep one content for good, and fetch it if it is not here; raises NoSuchContent."""
        content = self._content(identity)
        if not self._shelf.has(identity) and not self._stands(content):
            raise NoSuchContent("its post has ended, so nobody gives it any more")
        await self._shelf.pin(identity)
        self._note(identity)
        self._news.set()
        return self.view(identity, with_body=False)

    async def unpin(self, identity: Hash) -> ContentView:
        """Keep one content no longer than others; raises NoSuchContent."""
        self._content(identity)
        await self._shelf.unpin(identity)
        self._note(identity)
        self._news.set()
        return self.view(identity, with_body=False)

    async def remove(self, identity: Hash) -> ContentView:
        """Remove what is here of one content; raises NoSuchContent or ContentPinned."""
        self._content(identity)
        if self._shelf.use(identity).is_pinned:
            raise ContentPinned("it was pinned here")
        await self._shelf.remove(identity)
        return self.view(identity, with_body=False)

    def view(self, identity: Hash, *, with_body: bool) -> ContentView:
        """Return one content of the data set; raises NoSuchContent."""
        body = self._shelf.body(identity)
        shown = body.hex() if with_body and body is not None else None
        content, use = self._content(identity), self._shelf.use(identity)
        return self._view(identity, content, use, is_here=body is not None, body_hex=shown)

    def views(self, offset: int, limit: int) -> list[ContentView]:
        """Return contents of the data set, in the order of their hashes."""
        rows = self._store.query(
            "SELECT s.key, s.value, c.hash IS NOT NULL, u.is_own, u.is_pinned, u.is_dropped "
            "FROM state s LEFT JOIN content c ON c.hash = substr(s.key, ?1) "
            "LEFT JOIN content_use u ON u.hash = substr(s.key, ?1) "
            "WHERE s.key > ?2 AND s.key < ?3 ORDER BY s.key LIMIT ?4 OFFSET ?5",
            (len(CONTENT_PREFIX) + 1, CONTENT_PREFIX, _AFTER, limit, offset),
        )
        return [
            self._view(
                Hash(bytes(key[len(CONTENT_PREFIX) :])),
                decode_content(value),
                Use(*map(bool, use)),
                is_here=bool(is_here),
            )
            for key, value, is_here, *use in rows
        ]

    def keep_at_most(self, size_bytes: int) -> None:
        """Let so many bytes of copies stay; the next one makes room."""
        self._shelf.size_bytes_max = size_bytes

    async def run(self) -> None:
        """Fetch what is missing and let go what has ended, until cancelled.

        Looks at what rounds changed, after a look at everything at the start. An idle network costs
        nothing but that what is missing is asked for again.
        """
        while True:
            self._news.clear()
            if not self._is_whole:
                await self._look_at_all()
            await self._look_at_changed()
            for identity in self._shelf.ended(self._applied_round()):
                await self._look(identity)
            pause_s = CONTENT_RETRY_S if self._missing or not self._is_whole else None
            try:
                async with asyncio.timeout(pause_s):
                    await self._news.wait()
            except TimeoutError:
                self._changed |= self._missing
                self._missing.clear()
            else:
                await asyncio.sleep(CONTENT_CHECK_S)

    def _note(self, identity: Hash) -> None:
        self._changed[identity] = None
        if len(self._changed) > CONTENT_NOTED_MAX:
            self._changed.clear()
            self._is_whole = False

    async def _look_at_changed(self) -> None:
        while self._changed:
            identity = next(iter(self._changed))
            del self._changed[identity]
            await self._look(identity)

    async def _look_at_all(self) -> None:
        after, self._is_whole = CONTENT_PREFIX, True
        while True:
            rows = self._store.query(
                "SELECT key FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
                (after, _AFTER, CONTENT_LOOKED_AT_MAX),
            )
            for (key,) in rows:
                after = bytes(key)
                await self._look(Hash(after[len(CONTENT_PREFIX) :]))
            if len(rows) < CONTENT_LOOKED_AT_MAX:
                return
            await asyncio.sleep(0)

    async def _look(self, identity: Hash) -> None:
        """Do what one content needs: fetch it, note when it ends, or let its copy go."""
        self._missing.pop(identity, None)
        value, is_here = state_value(self._store, content_key(identity)), self._shelf.has(identity)
        content = None if value is None else decode_content(value)
        if content is None or not self._stands(content):
            if is_here:
                await self._shelf.release(identity)
        elif is_here:
            await self._shelf.ends(identity, content.expires_round)
        elif not self._shelf.use(identity).is_dropped and not await self._fetch(identity, content):
            self._missing[identity] = None
            if len(self._missing) > CONTENT_NOTED_MAX:
                self._missing.clear()
                self._is_whole = False

    async def _fetch(self, identity: Hash, content: Content) -> bool:
        """Fetch a content; return whether that need not be tried again."""
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
                ends = content.expires_round
                if await self._shelf.keep(body, is_own=False, expires_round=ends) is None:
                    _LOG.warning("content not kept: what must stay takes all the room")
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
                    body = self._given(identity)
                except AccessDenied as error:
                    code = error.code.encode("ascii")
                head = code.ljust(_CODE_SIZE_BYTES, b"\0")
                data = head + len(body).to_bytes(_LENGTH_SIZE_BYTES, "big") + body
                await stream.write(data, timeout_s=CONTENT_TIMEOUT_S)
                await stream.read(1, timeout_s=CONTENT_TIMEOUT_S)  # its end: all was read
                if body:
                    await self._shelf.served(identity)
        except TimeoutError:
            _LOG.info("content not served in time", peer=short(peer))
        finally:
            self._served.discard(peer)

    def _given(self, identity: Hash) -> bytes:
        """Return what others get: nothing if it is not here, or its post has ended."""
        value = state_value(self._store, content_key(identity))
        # Without a post it may be on its way: others may have applied a round that we have not.
        if value is not None and not self._stands(decode_content(value)):
            return b""
        return self._shelf.body(identity) or b""

    def _content(self, identity: Hash) -> Content:
        value = state_value(self._store, content_key(identity))
        if value is None:
            raise NoSuchContent(f"nothing of hash {identity.hex()[:16]}… was posted")
        return decode_content(value)

    def _stands(self, content: Content) -> bool:
        return content.stands(self._applied_round())

    def _view(
        self,
        identity: Hash,
        content: Content,
        use: Use,
        *,
        is_here: bool,
        body_hex: str | None = None,
    ) -> ContentView:
        status = "withdrawn" if content.withdrawn_round else "expired"
        return ContentView(
            hash=identity.hex(),
            size_bytes=content.size_bytes,
            title=content.title,
            round=content.round,
            cell=cell_id_of(content.sender),
            status="posted" if self._stands(content) else status,
            expires_round=content.expires_round,
            withdrawn_round=content.withdrawn_round,
            here=is_here,
            pinned=use.is_pinned,
            posted_here=use.is_own,
            body_hex=body_hex,
        )


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
