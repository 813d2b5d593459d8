"""Proving to another cell that one holds a key, now, to it and nobody else. Pure.

    challenge  ["myceld/challenge/1", network, verifier, prover, nonce, time in ms, binding]
    answer     the prover's signature of ["myceld/challenge-answer/1", hash of the challenge]

The nonce is drawn anew by the verifier. Both cells, the network, and the name of the connection
(`binding`, the hash of its handshake) are in what is signed, so an answer can not be passed on: to
another network, to another verifier, over another connection, or back to who asked.

A prover answers when: the challenge is of its network; it is the prover; whoever sent it is the
verifier; the binding is its own; the time is within CHALLENGE_MS of its own clock; and it did not
answer this nonce before. A verifier believes when it gave out the challenge to that prover, less
than CHALLENGE_MS ago, no answer to it was taken before, and the signature is the prover's. Each
nonce is used once, whatever the answer. What was proven counts for an hour, on connections to the
process that proved it (`channel`: its key of this run, which the handshake has shown).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from core.ids import NetworkId, PublicKey, Signature
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from identity.errors import (
    BadChallenge,
    ChallengeExpired,
    ChallengeNotOurs,
    ChallengeReplayed,
    ChallengeUnproven,
    TooManyChallenges,
)
from identity.keys import verify
from identity.service_limits import (
    CHALLENGE_BINDING_SIZE_BYTES_MAX,
    CHALLENGE_MS,
    CHALLENGE_NONCE_SIZE_BYTES,
    CHALLENGE_SIZE_BYTES_MAX,
    CHALLENGES_ANSWERED_MAX,
    CHALLENGES_OPEN_MAX,
    IDENTITY_SESSION_MS,
    IDENTITY_SESSIONS_MAX,
)

_CHALLENGE: Final = "myceld/challenge/1"
_ANSWER: Final = "myceld/challenge-answer/1"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a verifier asks of a prover."""

    network_id: NetworkId
    verifier: PublicKey
    prover: PublicKey
    nonce: bytes
    time_ms: int
    """By the verifier's wall clock."""
    binding: bytes

    def encode(self) -> bytes:
        """Return the bytes that are sent, and hashed for the answer."""
        return encode(
            [
                *(_CHALLENGE, self.network_id, self.verifier, self.prover),
                *(self.nonce, self.time_ms, self.binding),
            ]
        )


@dataclass(frozen=True, slots=True)
class Session:
    """A cell that has proven its key."""

    cell: PublicKey
    channel: bytes
    proven_ms: int
    until_ms: int


class Prover:
    """Answers challenges for one key. Times are those of its wall clock."""

    def __init__(
        self, network_id: NetworkId, own: PublicKey, sign: Callable[[bytes], Signature]
    ) -> None:
        self._network_id = network_id
        self._own = own
        self._sign = sign
        self._answered: OrderedDict[bytes, int] = OrderedDict()

    def answer(self, data: bytes, peer: PublicKey, binding: bytes, now_ms: int) -> Signature:
        """Return the answer to a challenge that `peer` sent.

        Raises BadChallenge, ChallengeNotOurs, ChallengeExpired, ChallengeReplayed or
        TooManyChallenges.
        """
        challenge = decode_challenge(data)
        if challenge.network_id != self._network_id:
            raise ChallengeNotOurs("a challenge of another network")
        if challenge.prover != self._own:
            raise ChallengeNotOurs("a challenge to another cell")
        if challenge.verifier != peer or peer == self._own:
            raise ChallengeNotOurs("a challenge that its sender did not make")
        if challenge.binding != binding:
            raise ChallengeNotOurs("a challenge of another connection")
        if abs(now_ms - challenge.time_ms) > CHALLENGE_MS:
            raise ChallengeExpired("the time of the challenge is not now")
        self._forget(now_ms)
        if challenge.nonce in self._answered:
            raise ChallengeReplayed("this challenge was answered before")
        if len(self._answered) >= CHALLENGES_ANSWERED_MAX:
            raise TooManyChallenges(f"{CHALLENGES_ANSWERED_MAX} were answered just now")
        self._answered[challenge.nonce] = now_ms
        return self._sign(_to_sign(data))

    def _forget(self, now_ms: int) -> None:
        """Forget nonces whose challenges are too old by now in any case."""
        while self._answered:
            nonce, at_ms = next(iter(self._answered.items()))
            if abs(now_ms - at_ms) <= 2 * CHALLENGE_MS:
                return
            del self._answered[nonce]


class Verifier:
    """Makes challenges, takes their answers, and remembers who has proven what."""

    def __init__(self, network_id: NetworkId, own: PublicKey) -> None:
        self._network_id = network_id
        self._own = own
        self._open: OrderedDict[bytes, Challenge] = OrderedDict()
        self._sessions: dict[PublicKey, Session] = {}

    def challenge(self, prover: PublicKey, nonce: bytes, binding: bytes, now_ms: int) -> Challenge:
        """Return a new challenge; `nonce` was drawn for it. Raises TooManyChallenges."""
        self._expire(now_ms)
        if len(self._open) >= CHALLENGES_OPEN_MAX:
            raise TooManyChallenges(f"{CHALLENGES_OPEN_MAX} answers are waited for")
        made = Challenge(self._network_id, self._own, prover, nonce, now_ms, binding)
        self._open[nonce] = made
        return made

    def give_up(self, challenge: Challenge) -> None:
        """Wait for no answer to a challenge any more."""
        self._open.pop(challenge.nonce, None)

    def take(
        self,
        challenge: Challenge,
        answer: bytes,
        peer: PublicKey,
        binding: bytes,
        now_ms: int,
        *,
        channel: bytes,
    ) -> Session:
        """Return the session of a prover whose answer is good; the nonce is used up in any case.

        Raises BadChallenge, ChallengeReplayed, ChallengeNotOurs, ChallengeExpired or
        ChallengeUnproven.
        """
        known = self._open.pop(challenge.nonce, None)
        if known is None or known != challenge:
            raise ChallengeReplayed("nobody waits for this answer")
        if len(answer) != SIGNATURE_SIZE_BYTES:
            raise BadChallenge(f"an answer of {len(answer)} bytes")
        if challenge.prover != peer or challenge.binding != binding:
            raise ChallengeNotOurs("the answer came from another cell, or another way")
        if not 0 <= now_ms - challenge.time_ms <= CHALLENGE_MS:
            raise ChallengeExpired("the answer came too late")
        if not verify(challenge.prover, _to_sign(challenge.encode()), Signature(answer)):
            raise ChallengeUnproven("the answer is not signed by the key that was asked for")
        return self._remember(Session(peer, channel, now_ms, now_ms + IDENTITY_SESSION_MS))

    def session(self, cell: PublicKey, channel: bytes, now_ms: int) -> Session | None:
        """Return the session of a process of a cell that has proven its key within the hour."""
        found = self._sessions.get(cell)
        if found is None or found.channel != channel:
            return None
        if not found.proven_ms <= now_ms < found.until_ms:
            return None
        return found

    def _remember(self, session: Session) -> Session:
        self._sessions.pop(session.cell, None)
        if len(self._sessions) >= IDENTITY_SESSIONS_MAX:
            ends_first = min(self._sessions.values(), key=lambda one: (one.until_ms, one.cell))
            del self._sessions[ends_first.cell]
        self._sessions[session.cell] = session
        return session

    def _expire(self, now_ms: int) -> None:
        old = [
            nonce
            for nonce, one in self._open.items()
            if not 0 <= now_ms - one.time_ms <= CHALLENGE_MS
        ]
        for nonce in old:
            del self._open[nonce]


def decode_challenge(data: bytes) -> Challenge:
    """Return the challenge in bytes; raises BadChallenge."""
    try:
        items = as_array(decode(data, size_bytes_max=CHALLENGE_SIZE_BYTES_MAX), length=7)
        return Challenge(
            _network_of(items),
            PublicKey(as_bytes(items[2], size=PUBLIC_KEY_SIZE_BYTES)),
            PublicKey(as_bytes(items[3], size=PUBLIC_KEY_SIZE_BYTES)),
            as_bytes(items[4], size=CHALLENGE_NONCE_SIZE_BYTES),
            as_int(items[5]),
            _binding_of(items),
        )
    except BadChallenge:
        raise
    except MyceldError as error:
        raise BadChallenge(f"not a challenge: {error.detail}") from error


def _binding_of(items: Sequence[Value]) -> bytes:
    binding = as_bytes(items[6], size_max=CHALLENGE_BINDING_SIZE_BYTES_MAX)
    if not binding:
        raise BadChallenge("a challenge that names no connection")
    return binding


def _network_of(items: Sequence[Value]) -> NetworkId:
    if as_text(items[0], length_max=len(_CHALLENGE)) != _CHALLENGE:
        raise BadChallenge("not a challenge")
    return NetworkId(as_bytes(items[1], size=HASH_SIZE_BYTES))


def _to_sign(challenge: bytes) -> bytes:
    return encode([_ANSWER, hashlib.sha256(challenge).digest()])
