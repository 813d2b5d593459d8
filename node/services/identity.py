"""The identity service of a cell: proves its key to others, and has others prove theirs.

One stream a challenge, on a protocol of its own: two bytes of length and the challenge, then two
bytes of length and the reply. What the two say is `identity.challenge`'s. The host below gives no
name to a connection, so nothing of it is in what is signed; who is at its other end the host has
checked by itself.
"""

from __future__ import annotations

import secrets
from typing import Final

import structlog

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, NetworkId, public_key_of, short
from gossip.budget import Buckets
from gossip.host import PeerStream
from identity.audit import Act, Outcome
from identity.challenge import (
    Prover,
    Session,
    Verifier,
    decode_reply,
    encode_reply,
)
from identity.errors import BadChallenge, ChallengeRefused, TooManyChallenges
from identity.keys import KeyPair
from identity.record import Record
from identity.service_limits import CHALLENGE_NONCE_SIZE_BYTES, CHALLENGE_SIZE_BYTES_MAX
from node.access import Access
from node.errors import ToItself
from node.limits import (
    ADDRESSES_JUDGED_MAX,
    CHALLENGES_BURST,
    CHALLENGES_PER_S,
    DIAL_TIMEOUT_MS,
    HANDSHAKE_TIMEOUT_MS,
    WRITE_TIMEOUT_MS,
)
from node.peers import Peers
from node.services.nucleus import Grant, Nucleus, wall_ms
from node.session import now_ms

_LOG = structlog.get_logger("identity")
_LENGTH_SIZE_BYTES: Final = 2
_REQUEST: Final = "identity-challenge"


def identity_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of challenges in a network."""
    return f"/myceld/{network_id.hex()}/identity/1"


class IdentityService:
    """Answers challenges from the start of the host on; `verify` makes one."""

    def __init__(
        self,
        key: KeyPair,
        network_id: NetworkId,
        peers: Peers,
        access: Access,
        *,
        nucleus: Nucleus,
    ) -> None:
        self._own = key.cell_id
        self._key = key.public_key
        self._peers = peers
        self._access = access
        self._audit = nucleus.audit
        self._nucleus = nucleus
        self._grant: Grant = nucleus.grant("identity")
        self._prover = Prover(network_id, key.public_key, key.sign)
        self._verifier = Verifier(network_id, key.public_key)
        self._protocol = identity_protocol(network_id)
        self._rates = Buckets(CHALLENGES_PER_S, CHALLENGES_BURST, keys_max=ADDRESSES_JUDGED_MAX)
        peers.host.set_handler(self._protocol, peers.guarded(self._serve))

    def session(self, cell: CellId) -> Session | None:
        """Return the session of a cell that has proven its key within the last hour."""
        return self._verifier.session(public_key_of(cell), wall_ms())

    async def verify(self, cell: CellId) -> Session:
        """Have a cell prove that it holds its key.

        Raises ToItself, ChallengeRefused, what `Verifier.take` raises, or why it is not reached.
        """
        if cell == self._own:
            raise ToItself("a cell proves nothing to itself")
        try:
            session = await self._challenge(cell)
        except MyceldError as error:
            self._note("identity.verify", f"cell:{cell}", Outcome.FAILED, error)
            raise
        record = Record(wall_ms(), "identity.verified", cell, "answered a challenge")
        await self._nucleus.write(self._grant, [record])
        return session

    async def _challenge(self, cell: CellId) -> Session:
        address = next(iter(self._peers.book.addresses(cell)), None)
        if address is None:
            raise ChallengeRefused("no address of this cell is known")
        prover = public_key_of(cell)
        stream = await self._peers.dial(
            address, timeout_s=DIAL_TIMEOUT_MS / 1000, protocol=self._protocol
        )
        nonce = secrets.token_bytes(CHALLENGE_NONCE_SIZE_BYTES)
        async with stream:
            challenge = self._verifier.challenge(prover, nonce, b"", wall_ms())
            try:
                await _write(stream, challenge.encode())
                answer, code = decode_reply(await _read(stream))
                if code:
                    raise ChallengeRefused(code)
                peer = public_key_of(stream.cell_id)
                return self._verifier.take(challenge, answer, peer, b"", wall_ms())
            finally:
                self._verifier.give_up(challenge)

    async def _serve(self, stream: PeerStream) -> None:
        """Answer one challenge, or say why not."""
        peer = stream.cell_id
        try:
            reply = encode_reply(await self._answer(stream, peer), "")
        except MyceldError as error:
            _LOG.info("challenge not answered", peer=short(peer), reason=str(error))
            if isinstance(error, RemoteViolation):
                self._peers.conduct.note_stream_end(peer, stream.remote_address, error)
            reply = encode_reply(b"", error.code)
        await _write(stream, reply)

    async def _answer(self, stream: PeerStream, peer: CellId) -> bytes:
        self._access.check(_REQUEST, peer)
        if not self._rates.take(peer, now_ms()):
            raise TooManyChallenges("this cell asked too often")
        data = await _read(stream)
        try:
            answer = self._prover.answer(data, public_key_of(peer), b"", wall_ms())
        except MyceldError as error:
            self._audit.refused(peer, _REQUEST, "", code=error.code, reason=error.detail)
            raise
        self._audit.note(
            Act(wall_ms(), f"cell:{peer}", self._key, _REQUEST, self._own, Outcome.DONE)
        )
        return answer

    def _note(self, action: str, subject: str, outcome: Outcome, error: MyceldError) -> None:
        reason = type(error).__name__
        act = Act(*(wall_ms(), "local", self._key, action, subject, outcome, error.code, reason))
        self._audit.note(act)


async def _write(stream: PeerStream, body: bytes) -> None:
    data = len(body).to_bytes(_LENGTH_SIZE_BYTES, "big") + body
    await stream.write(data, timeout_s=WRITE_TIMEOUT_MS / 1000)


async def _read(stream: PeerStream) -> bytes:
    size = int.from_bytes(await _read_exactly(stream, _LENGTH_SIZE_BYTES), "big")
    if not 0 < size <= CHALLENGE_SIZE_BYTES_MAX:
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
