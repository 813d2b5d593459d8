"""Signs with other cells that both dealt with each other, and keeps the proofs in a journal.

Either end offers an interaction over a protocol of its own; the other signs it too if it knows what
was exchanged: a header of the history that both hold, or an exchange that it noted itself
(`took_part`). Both keep the proof, so either can show it with its journal's inclusion proof.

By itself a cell does so once a day with each cell whose connection has lasted an hour: that it
agrees on the history is what it is of use for. The cell with the smaller key begins, the other one
if nothing came of that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import structlog

from core.errors import OperationalFault
from core.ids import CellId, Hash, NetworkId, PublicKey, cell_id_of, public_key_of, short
from gossip.host import PeerStream
from identity.errors import BadInteraction
from identity.keys import KeyPair
from identity.trust import (
    INTERACTIONS_JOURNAL,
    InteractionProof,
    decode_interaction,
    decode_offer,
    decode_signed,
    encode_offer,
    encode_signed,
    interaction,
    proof_of,
)
from identity.trust.limits import INTERACTION_SIZE_BYTES_MAX
from journal import Pen, Store
from journal.errors import NoSuchBlock
from node.clock import wall_ns
from node.errors import AccessDenied, InteractionRefused
from node.limits import (
    DIAL_TIMEOUT_MS,
    EXCHANGE_KNOWN_S,
    EXCHANGES_KNOWN_MAX,
    HANDSHAKE_TIMEOUT_MS,
    INTERACTION_AFTER_S,
    INTERACTION_CHECK_S,
    INTERACTION_INTERVAL_S,
    INTERACTIONS_READ_MAX,
    WRITE_TIMEOUT_MS,
)
from node.peers import Peers
from node.stages.execution import Execution
from node.trust_view import TrustView

_LENGTH_BYTES: Final = 2
_SECOND_NS: Final = 10**9
_LOG = structlog.get_logger("interactions")


def interaction_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of interactions in a network."""
    return f"/myceld/{network_id.hex()}/interaction/2"


class Interactions:
    """What this cell signed together with others. `run` is the only task."""

    def __init__(
        self,
        store: Store,
        key: KeyPair,
        network_id: NetworkId,
        peers: Peers,
        trust: TrustView,
        execution: Execution,
        *,
        pen: Pen,
        check: Callable[[str, CellId], None],
    ) -> None:
        """`check` raises AccessDenied for what a cell may not ask."""
        self._check = check
        self._store = store
        self._pen = pen
        self._key = key
        self._network_id = network_id
        self._peers = peers
        self._trust = trust
        self._execution = execution
        self._last_ns: dict[CellId, int] = {}
        """When the newest interaction with a cell was."""
        self._since_s: dict[CellId, float] = {}
        """Since when a cell is connected, as far as `run` saw it."""
        self._kept: deque[tuple[int, PublicKey]] = deque(maxlen=INTERACTIONS_READ_MAX)
        """Block and other end of the newest, oldest first."""
        self._exchanges: OrderedDict[tuple[CellId, Hash], float] = OrderedDict()
        peers.host.set_handler(interaction_protocol(network_id), peers.guarded(self.serve))

    async def load(self) -> None:
        """Read what was signed before the start."""
        if INTERACTIONS_JOURNAL not in self._store.journals():
            return
        journal = await self._store.journal(INTERACTIONS_JOURNAL)
        index = max(0, journal.length - INTERACTIONS_READ_MAX)
        async for block in journal.read(index):
            self._take(decode_interaction(block, self._network_id), index)
            index += 1

    def kept(self, other: PublicKey | None, before: int, limit: int) -> list[int]:
        """Return the blocks of the newest interactions with a cell, or with any, newest first."""
        found = (
            index for index, end in reversed(self._kept) if index < before and other in (None, end)
        )
        return list(islice(found, limit))

    async def read(self, indexes: Sequence[int]) -> list[tuple[int, InteractionProof]]:
        """Return interactions by the blocks that they are, without those that were pruned."""
        if not indexes:
            return []
        journal = await self._store.journal(INTERACTIONS_JOURNAL)
        found = []
        for index in indexes:
            try:
                block = await journal.get(index)
            except NoSuchBlock:
                break  # and so were those before it
            found.append((index, decode_interaction(block, self._network_id)))
        return found

    def took_part(self, peer: CellId, digest: Hash) -> None:
        """Note an exchange with another cell, which may ask to have it signed."""
        now_s = asyncio.get_running_loop().time()
        self._exchanges[peer, digest] = now_s + EXCHANGE_KNOWN_S
        self._exchanges.move_to_end((peer, digest))
        while len(self._exchanges) > EXCHANGES_KNOWN_MAX:
            self._exchanges.popitem(last=False)

    async def sign_with(self, peer: CellId, digest: Hash) -> InteractionProof:
        """Have another cell sign an exchange too, and keep the proof.

        Raises InteractionRefused, BadInteraction, or what a connection raises.
        """
        found = interaction(
            self._network_id,
            self._key.public_key,
            public_key_of(peer),
            time_ns=wall_ns(),
            digest=digest,
        )
        addresses = self._peers.book.addresses(peer)
        if not addresses:
            raise InteractionRefused(f"no address of {short(peer)} is known")
        timeout_s = DIAL_TIMEOUT_MS / 1000
        stream = await self._peers.dial(
            addresses[0], timeout_s=timeout_s, protocol=interaction_protocol(self._network_id)
        )
        async with stream:
            await send_framed(stream, encode_offer(found, self._key.sign(found.body)))
            signed, code = decode_signed(await receive_framed(stream))
            if code:
                raise InteractionRefused(code)
            proof = decode_interaction(signed, self._network_id)
        if proof.interaction != found:
            raise BadInteraction("the other cell signed something else")
        await self._keep(proof)
        return proof

    async def serve(self, stream: PeerStream) -> None:
        """Sign what another cell offers, if it took place; else say why not."""
        try:
            reply = encode_signed(await self._signed(stream), "")
        except (AccessDenied, InteractionRefused) as error:
            _LOG.info("interaction refused", cell=short(stream.cell_id), reason=str(error))
            reply = encode_signed(b"", error.code)
        await send_framed(stream, reply)

    async def _signed(self, stream: PeerStream) -> bytes:
        peer = stream.cell_id
        self._check("interaction", peer)
        offered = await receive_framed(stream)
        own = self._key.public_key
        found, signature = decode_offer(offered, self._network_id, by=public_key_of(peer), to=own)
        if not found.is_timely(wall_ns()) or not self._is_due(peer, found.digest):
            raise InteractionRefused("nothing of the kind took place")
        signatures = {public_key_of(peer): signature, own: self._key.sign(found.body)}
        proof = proof_of(found, signatures)
        await self._keep(proof)
        return proof.encode()

    async def run(self) -> None:
        """Sign with each cell once in a while that both are of one history; until cancelled."""
        while True:
            await asyncio.sleep(INTERACTION_CHECK_S)
            digest = self._execution.certified_hash
            if digest is None:
                continue
            for peer in list(self._partners()):
                try:
                    async with asyncio.timeout((DIAL_TIMEOUT_MS + HANDSHAKE_TIMEOUT_MS) / 1000):
                        await self.sign_with(peer, digest)
                except (OperationalFault, BadInteraction, TimeoutError) as error:
                    _LOG.info("no interaction signed", cell=short(peer), reason=str(error))

    def _partners(self) -> Iterator[CellId]:
        """Yield the cells with which it is this cell's turn to sign."""
        now_s, now_ns = asyncio.get_running_loop().time(), wall_ns()
        connected = self._peers.connected()
        self._since_s = {peer: self._since_s.get(peer, now_s) for peer in connected}
        for peer, since_s in self._since_s.items():
            is_first = self._key.public_key < public_key_of(peer)
            grace_s = 0.0 if is_first else INTERACTION_AFTER_S
            over_ns = now_ns - self._last_ns.get(peer, 0) - int(grace_s) * _SECOND_NS
            lasted = now_s - since_s >= INTERACTION_AFTER_S + grace_s
            if lasted and over_ns >= INTERACTION_INTERVAL_S * _SECOND_NS:
                yield peer

    def _is_due(self, peer: CellId, digest: Hash) -> bool:
        """Return whether this cell knows of an exchange, and has not signed it yet."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._exchanges.pop((peer, digest), 0.0):
            return True
        # Half of the times: the other end's clock and last start are not ours. Without them whoever
        # makes keys could have a block written for each.
        lasted = 2 * (now_s - self._since_s.get(peer, now_s)) >= INTERACTION_AFTER_S
        over_ns = wall_ns() - self._last_ns.get(peer, 0)
        is_time = 2 * over_ns >= INTERACTION_INTERVAL_S * _SECOND_NS
        return lasted and is_time and self._execution.has_header(digest)

    async def _keep(self, proof: InteractionProof) -> None:
        index, _ = await self._pen.write([proof.encode()], durable=False)
        self._take(proof, index)

    def _take(self, proof: InteractionProof, index: int) -> None:
        found = proof.interaction
        mine = self._key.public_key
        if mine in (found.one, found.other):  # others can not be shown as this key's own
            end = found.one if mine == found.other else found.other
            self._kept.append((index, end))
        lines = self._trust.lines
        own = lines.first_key(mine)  # it may have been signed with a former key
        peer = lines.present(
            cell_id_of(found.other if lines.first_key(found.one) == own else found.one)
        )
        self._last_ns[peer] = max(found.time_ns, self._last_ns.get(peer, 0))
        self._trust.interacted(proof)


async def send_framed(stream: PeerStream, data: bytes) -> None:
    """Send bytes with their length before them."""
    framed = len(data).to_bytes(_LENGTH_BYTES, "big") + data
    await stream.write(framed, timeout_s=WRITE_TIMEOUT_MS / 1000)


async def receive_framed(
    stream: PeerStream, size_bytes_max: int = INTERACTION_SIZE_BYTES_MAX
) -> bytes:
    """Return what the other end sends; raises BadInteraction if that is too long or cut off."""
    size = int.from_bytes(await _exactly(stream, _LENGTH_BYTES), "big")
    if size > size_bytes_max:
        raise BadInteraction(f"{size} bytes are no interaction")
    return await _exactly(stream, size)


async def _exactly(stream: PeerStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.read(size - len(data), timeout_s=HANDSHAKE_TIMEOUT_MS / 1000)
        if not part:
            raise InteractionRefused("the other cell ended the exchange")
        data += part
    return data
