"""Shows other cells what this one and a third signed together, and asks them for the same.

What comes is believed only with its proof: signed by both ends, in the journal of the cell that
shows it, under its signed head. One wrong proof, and the whole page is refused. It is evidence to
look at: nothing of it goes into this cell's view of trust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from core.ids import CellId, NetworkId, short
from gossip.host import PeerStream
from identity.errors import BadInteraction
from identity.trust import INTERACTIONS_JOURNAL
from identity.trust.limits import (
    INTERACTIONS_ASK_SIZE_BYTES_MAX,
    INTERACTIONS_OF_PAGE_MAX,
    INTERACTIONS_PAGE_SIZE_BYTES_MAX,
)
from identity.trust.shown import (
    Asked,
    Included,
    Page,
    Shown,
    decode_asked,
    decode_page,
    page_of,
    refusal,
    verify_page,
)
from journal import Store
from journal.errors import NoSuchBlock
from node.errors import AccessDenied, InteractionRefused, InteractionsNotShown
from node.interactions import Interactions, receive_framed, send_framed
from node.limits import DIAL_TIMEOUT_MS, INTERACTIONS_ASK_S, INTERACTIONS_SHOWN_TO_MAX
from node.peers import Peers

_LOG: Final = structlog.get_logger("interactions")


def shown_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol by which interactions are shown in a network."""
    return f"/myceld/{network_id.hex()}/interactions/1"


class ShownInteractions:
    """Both ends of that protocol. It has no task."""

    def __init__(
        self,
        store: Store,
        network_id: NetworkId,
        peers: Peers,
        interactions: Interactions,
        check: Callable[[str, CellId], None],
    ) -> None:
        """`check` raises AccessDenied for what a cell may not ask."""
        self._store = store
        self._network_id = network_id
        self._peers = peers
        self._interactions = interactions
        self._check = check
        self._shown_to: set[CellId] = set()
        peers.host.set_handler(shown_protocol(network_id), peers.guarded(self.serve))

    async def ask(self, peer: CellId, asked: Asked) -> list[Shown]:
        """Return a page of what another cell and a third signed together, checked.

        Raises InteractionsNotShown, BadInteraction, what `verify_page` or a connection raises.
        """
        address = next(iter(self._peers.book.addresses(peer)), None)
        if address is None:
            raise InteractionsNotShown(f"no address of {short(peer)} is known")
        try:
            async with asyncio.timeout(INTERACTIONS_ASK_S):
                stream = await self._peers.dial(
                    address,
                    timeout_s=DIAL_TIMEOUT_MS / 1000,
                    protocol=shown_protocol(self._network_id),
                )
                async with stream:
                    await send_framed(stream, asked.encode())
                    data = await receive_framed(stream, INTERACTIONS_PAGE_SIZE_BYTES_MAX)
        except TimeoutError as error:
            raise InteractionsNotShown("the other cell did not answer in time") from error
        except InteractionRefused as error:
            raise InteractionsNotShown(error.detail) from error
        page = decode_page(data)
        if page.code:
            raise InteractionsNotShown(page.code)
        return verify_page(page, asked, peer, self._network_id)

    async def serve(self, stream: PeerStream) -> None:
        """Answer one question; one stream at a time for each peer."""
        peer = stream.cell_id
        if peer in self._shown_to or len(self._shown_to) >= INTERACTIONS_SHOWN_TO_MAX:
            await stream.abort()
            return
        self._shown_to.add(peer)
        try:
            async with asyncio.timeout(INTERACTIONS_ASK_S):
                try:
                    self._check("interaction-read", peer)
                    page = await self._page(await self._asked(stream))
                except AccessDenied as error:
                    page = refusal(error.code)
                await send_framed(stream, page.encode())
        except (BadInteraction, InteractionRefused) as error:
            _LOG.info("interactions not shown", cell=short(peer), reason=str(error))
            await stream.abort()
        except TimeoutError:
            _LOG.info("interactions not shown in time", cell=short(peer))
        finally:
            self._shown_to.discard(peer)

    async def _asked(self, stream: PeerStream) -> Asked:
        return decode_asked(await receive_framed(stream, INTERACTIONS_ASK_SIZE_BYTES_MAX))

    async def _page(self, asked: Asked) -> Page:
        found = self._interactions.kept(asked.other, asked.before, INTERACTIONS_OF_PAGE_MAX)
        if not found:
            return page_of("", ())
        journal = await self._store.journal(INTERACTIONS_JOURNAL)
        size = journal.length
        head = await journal.publish(size)
        items = []
        for index in found:
            try:
                block = await journal.get(index)
                hashes = await journal.prove_inclusion(index, size)
            except NoSuchBlock:
                break  # it was pruned, and so were those before it
            items.append(Included(index, block, tuple(hashes)))
        return page_of(head, items)
