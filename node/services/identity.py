"""The identity service of a cell: proves its key to others, and has others prove theirs.

One stream for each question, on a protocol of its own: messages of two bytes of length and a body,
as `identity.exchange` has them. What is proven is bound to the very connection: its name, the hash
of the Noise handshake, is in what is signed. A proof counts for an hour on connections with the
process that gave it. Whoever is told that it needs one (`ProofNeeded`) gives it by `prove`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, NetworkId, public_key_of, short
from gossip.budget import Buckets
from gossip.host import PeerStream
from identity.audit import Act, Outcome
from identity.challenge import Prover, Session, Verifier
from identity.description import Description, decode_description
from identity.errors import BadChallenge, ChallengeRefused, TooManyChallenges
from identity.exchange import TAKEN, Ask, AskKind, decode_ask, decode_reply, encode_reply
from identity.keys import KeyPair
from identity.record import Record
from identity.service_limits import (
    ASK_SIZE_BYTES_MAX,
    CHALLENGE_NONCE_SIZE_BYTES,
    CHALLENGE_SIZE_BYTES_MAX,
    REPLY_SIZE_BYTES_MAX,
)
from node.access import Access, describe_denial
from node.errors import DescriptionRefused, ToItself
from node.limits import (
    ADDRESSES_JUDGED_MAX,
    CHALLENGES_BURST,
    CHALLENGES_PER_S,
    DIAL_TIMEOUT_MS,
    HANDSHAKE_TIMEOUT_MS,
    PROOFS_UNDER_WAY_MAX,
    WRITE_TIMEOUT_MS,
)
from node.peers import Peers
from node.services.nucleus import Nucleus, wall_ms, write_records
from node.session import now_ms

_LOG = structlog.get_logger("identity")
_LENGTH_SIZE_BYTES: Final = 2
_Answer = TypeVar("_Answer")
_REQUESTS: Final = {
    AskKind.CHALLENGE: "identity-challenge",
    AskKind.PROVE: "identity-challenge",
    AskKind.DESCRIBE: "cell-info",
}
"""What each question is to the policy."""


def identity_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of challenges and descriptions in a network."""
    return f"/myceld/{network_id.hex()}/identity/2"


class IdentityService:
    """Answers others from the start of the host on; `verify`, `prove` and `describe` ask them."""

    def __init__(
        self,
        key: KeyPair,
        peers: Peers,
        access: Access,
        *,
        verifier: Verifier,
        nucleus: Nucleus,
        network_id: NetworkId,
        description: Callable[[], Description],
    ) -> None:
        """`verifier` holds the sessions that `access` asks for; `description` is our own."""
        self._own = key.cell_id
        self._key = key.public_key
        self._peers = peers
        self._access = access
        self._nucleus, self._audit = nucleus, nucleus.audit
        self._pen = nucleus.grant("identity")
        self._prover = Prover(network_id, key.public_key, key.sign)
        self._verifier = verifier
        self.description = description
        self._protocol = identity_protocol(network_id)
        self._rates = Buckets(CHALLENGES_PER_S, CHALLENGES_BURST, keys_max=ADDRESSES_JUDGED_MAX)
        self._proving: dict[CellId, asyncio.Task[None]] = {}
        peers.host.set_handler(self._protocol, peers.guarded(self._serve))

    async def verify(self, cell: CellId) -> Session:
        """Have a cell prove that it holds its key.

        Raises ToItself, ChallengeRefused, what `Verifier.take` raises, or why it is not reached.
        """
        try:
            session = await self._on_stream(cell, self._challenge)
        except MyceldError as error:
            self._note("identity.verify", f"cell:{cell}", Outcome.FAILED, error)
            raise
        record = Record(wall_ms(), "identity.verified", cell, "answered a challenge")
        await write_records(self._pen, [record])
        return session

    async def prove(self, cell: CellId) -> None:
        """Prove our own key to a cell that wants that before it lets us do something.

        Many who need it at once share one proof. Raises ChallengeRefused, what `Prover.answer`
        raises, or why the cell is not reached.
        """
        task = self._proving.get(cell)
        if task is None:
            if len(self._proving) >= PROOFS_UNDER_WAY_MAX:
                raise TooManyChallenges(f"{PROOFS_UNDER_WAY_MAX} proofs are under way")
            task = asyncio.create_task(self._on_stream(cell, self._answer_theirs), name="prove")
            self._proving[cell] = task
            task.add_done_callback(lambda ended: self._proved(cell, ended))
        await asyncio.shield(task)

    def _proved(self, cell: CellId, ended: asyncio.Task[None]) -> None:
        del self._proving[cell]
        if not ended.cancelled():
            ended.exception()  # those who still wait for it are told

    async def describe(self, cell: CellId) -> Description:
        """Return what a cell says of itself.

        Raises DescriptionRefused, BadRecord, or why it is not reached.
        """
        if cell == self._own:
            return self.description()

        async def ask(stream: PeerStream) -> Description:
            await _write(stream, Ask(AskKind.DESCRIBE).encode())
            body, code = decode_reply(await _read(stream, REPLY_SIZE_BYTES_MAX))
            if code:
                raise DescriptionRefused(describe_denial(cell, code))
            return decode_description(body)

        return await self._on_stream(cell, ask)

    async def _on_stream(
        self, cell: CellId, work: Callable[[PeerStream], Awaitable[_Answer]]
    ) -> _Answer:
        if cell == self._own:
            raise ToItself("a cell proves nothing to itself")
        address = next(iter(self._peers.book.addresses(cell)), None)
        if address is None:
            raise ChallengeRefused("no address of this cell is known")
        stream = await self._peers.dial(
            address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
        )
        async with stream:
            return await work(stream)

    async def _challenge(self, stream: PeerStream) -> Session:
        """Ask the other end to prove its key."""
        nonce = secrets.token_bytes(CHALLENGE_NONCE_SIZE_BYTES)
        peer, verifier = public_key_of(stream.cell_id), self._verifier
        challenge = verifier.challenge(peer, nonce, stream.binding, wall_ms())
        try:
            await _write(stream, Ask(AskKind.CHALLENGE, challenge.encode()).encode())
            answer, code = decode_reply(await _read(stream, CHALLENGE_SIZE_BYTES_MAX))
            if code:
                raise ChallengeRefused(code)
            binding, channel = stream.binding, stream.peer_key
            return verifier.take(challenge, answer, peer, binding, wall_ms(), channel=channel)
        finally:
            verifier.give_up(challenge)

    async def _answer_theirs(self, stream: PeerStream) -> None:
        """Ask the other end to be challenged, and answer."""
        await _write(stream, Ask(AskKind.PROVE).encode())
        challenge, code = decode_reply(await _read(stream, CHALLENGE_SIZE_BYTES_MAX))
        if code:
            raise ChallengeRefused(code)
        peer = public_key_of(stream.cell_id)
        answer = self._prover.answer(challenge, peer, stream.binding, wall_ms())
        await _write(stream, encode_reply(answer, ""))
        _, code = decode_reply(await _read(stream, CHALLENGE_SIZE_BYTES_MAX))
        if code:
            raise ChallengeRefused(code)

    async def _serve(self, stream: PeerStream) -> None:
        """Answer one question, or say why not."""
        peer = stream.cell_id
        try:
            reply = encode_reply(await self._answer(stream, peer), "")
        except MyceldError as error:
            _LOG.info("question not answered", peer=short(peer), reason=str(error))
            if isinstance(error, RemoteViolation):
                self._peers.conduct.note_stream_end(peer, stream.remote_address, error)
            reply = encode_reply(b"", error.code)
        await _write(stream, reply)

    async def _answer(self, stream: PeerStream, peer: CellId) -> bytes:
        if not self._rates.take(peer, now_ms()):
            raise TooManyChallenges("this cell asked too often")
        ask = decode_ask(await _read(stream, ASK_SIZE_BYTES_MAX))
        request = _REQUESTS[ask.kind]
        self._access.check(request, peer)
        if ask.kind is AskKind.DESCRIBE:
            return self.description().encode()
        try:
            if ask.kind is AskKind.PROVE:
                self._access.check_proof(peer)
                await self._take_proof(stream)
                return TAKEN
            key = public_key_of(peer)
            answer = self._prover.answer(ask.body, key, stream.binding, wall_ms())
        except MyceldError as error:
            self._audit.refused(peer, request, "", code=error.code, reason=error.detail)
            raise
        self._audit.note(
            Act(wall_ms(), f"cell:{peer}", self._key, request, self._own, Outcome.DONE)
        )
        return answer

    async def _take_proof(self, stream: PeerStream) -> None:
        """Challenge a cell that wants to prove its key; raises why it is not proven."""
        peer, verifier = public_key_of(stream.cell_id), self._verifier
        nonce = secrets.token_bytes(CHALLENGE_NONCE_SIZE_BYTES)
        challenge = verifier.challenge(peer, nonce, stream.binding, wall_ms())
        try:
            await _write(stream, encode_reply(challenge.encode(), ""))
            answer, code = decode_reply(await _read(stream, CHALLENGE_SIZE_BYTES_MAX))
            if code:
                raise ChallengeRefused(code)
            binding, channel = stream.binding, stream.peer_key
            verifier.take(challenge, answer, peer, binding, wall_ms(), channel=channel)
        finally:
            verifier.give_up(challenge)
        self._audit.done(stream.cell_id, "identity-proof", "")

    def _note(self, action: str, subject: str, outcome: Outcome, error: MyceldError) -> None:
        reason = type(error).__name__
        act = Act(*(wall_ms(), "local", self._key, action, subject, outcome, error.code, reason))
        self._audit.note(act)


async def _write(stream: PeerStream, body: bytes) -> None:
    data = len(body).to_bytes(_LENGTH_SIZE_BYTES, "big") + body
    await stream.write(data, timeout_s=WRITE_TIMEOUT_MS / 1000)


async def _read(stream: PeerStream, size_max: int) -> bytes:
    size = int.from_bytes(await _read_exactly(stream, _LENGTH_SIZE_BYTES), "big")
    if not 0 < size <= size_max:
        raise BadChallenge(f"{size} bytes were announced")
    return await _read_exactly(stream, size)


async def _read_exactly(stream: PeerStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.read(size - len(data), timeout_s=HANDSHAKE_TIMEOUT_MS / 1000)
        if not part:
            raise BadChallenge("the other side ended the exchange")
        data += part
    return data
