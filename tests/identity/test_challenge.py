"""A challenge proves one key, to one cell, on one network and connection, once, and now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.errors import MyceldError
from core.ids import NetworkId
from identity.challenge import (
    Challenge,
    Prover,
    Session,
    Verifier,
)
from identity.errors import (
    BadChallenge,
    ChallengeExpired,
    ChallengeNotOurs,
    ChallengeReplayed,
    ChallengeUnproven,
    TooManyChallenges,
)
from identity.exchange import Ask, AskKind, decode_ask, decode_reply, encode_reply
from identity.keys import KeyPair
from identity.service_limits import (
    CHALLENGE_MS,
    CHALLENGES_ANSWERED_MAX,
    CHALLENGES_OPEN_MAX,
    IDENTITY_SESSION_MS,
    IDENTITY_SESSIONS_MAX,
)

NETWORK, OTHER_NETWORK = NetworkId(b"n" * 32), NetworkId(b"o" * 32)
ALICE, BOB, MALLORY = (KeyPair(bytes([seed]) * 32) for seed in (1, 2, 3))
NOW, HERE, ELSEWHERE = 1_700_000_000_000, b"connection 1", b"connection 2"
LIFE, ANOTHER = b"its process", b"another process"


def verifier(own: KeyPair = ALICE, network: NetworkId = NETWORK) -> Verifier:
    return Verifier(network, own.public_key)


def prover(own: KeyPair = BOB, network: NetworkId = NETWORK) -> Prover:
    return Prover(network, own.public_key, own.sign)


def ask(alice: Verifier, nonce: int = 0, of: KeyPair = BOB, now: int = NOW) -> Challenge:
    return alice.challenge(of.public_key, nonce.to_bytes(32, "big"), HERE, now)


def answered(challenge: Challenge, by: Prover | None = None) -> bytes:
    return (by or prover()).answer(challenge.encode(), ALICE.public_key, HERE, NOW)


def test_an_answer_makes_a_session_of_an_hour() -> None:
    alice = verifier()
    challenge = ask(alice)
    session = alice.take(
        challenge, answered(challenge), BOB.public_key, HERE, NOW + 50, channel=LIFE
    )
    assert session == Session(BOB.public_key, LIFE, NOW + 50, NOW + 50 + IDENTITY_SESSION_MS)
    assert alice.session(BOB.public_key, LIFE, NOW + IDENTITY_SESSION_MS) == session
    assert alice.session(BOB.public_key, LIFE, NOW + 50 + IDENTITY_SESSION_MS) is None
    assert alice.session(BOB.public_key, LIFE, NOW) is None, (
        "before it was proven, by a clock put back"
    )
    assert alice.session(MALLORY.public_key, LIFE, NOW + 60) is None
    assert alice.session(BOB.public_key, ANOTHER, NOW + 60) is None, "not on its connections"
    assert alice.session(BOB.public_key, b"", NOW + 60) is None, "nor through somebody else"


REFUSED_BY_THE_PROVER: dict[str, tuple[Callable[[Challenge], Challenge], type[MyceldError]]] = {
    "of another network": (lambda c: replace(c, network_id=OTHER_NETWORK), ChallengeNotOurs),
    "to another cell": (lambda c: replace(c, prover=MALLORY.public_key), ChallengeNotOurs),
    "that its sender did not make": (
        lambda c: replace(c, verifier=MALLORY.public_key),
        ChallengeNotOurs,
    ),
    "of another connection": (lambda c: replace(c, binding=ELSEWHERE), ChallengeNotOurs),
    "of long ago": (lambda c: replace(c, time_ms=NOW - CHALLENGE_MS - 1), ChallengeExpired),
    "of the future": (lambda c: replace(c, time_ms=NOW + CHALLENGE_MS + 1), ChallengeExpired),
}


@pytest.mark.parametrize("case", REFUSED_BY_THE_PROVER)
def test_a_prover_signs_no_challenge(case: str) -> None:
    change, error = REFUSED_BY_THE_PROVER[case]
    with pytest.raises(error):
        answered(change(ask(verifier())))


def test_a_challenge_is_answered_once() -> None:
    alice, bob = verifier(), prover()
    challenge = ask(alice)
    answered(challenge, bob)
    with pytest.raises(ChallengeReplayed):
        answered(challenge, bob)


def test_a_challenge_that_is_sent_back_to_who_made_it_is_not_answered() -> None:
    """Mallory, asked by Alice, has Alice sign it for her: the reflection attack."""
    alice_asks, alice_answers = verifier(), prover(ALICE)
    challenge = ask(alice_asks, of=MALLORY)
    for reflected in (challenge, replace(challenge, prover=ALICE.public_key)):
        with pytest.raises(ChallengeNotOurs):
            alice_answers.answer(reflected.encode(), MALLORY.public_key, HERE, NOW)
    own = replace(challenge, verifier=ALICE.public_key, prover=ALICE.public_key)
    with pytest.raises(ChallengeNotOurs):
        alice_answers.answer(own.encode(), ALICE.public_key, HERE, NOW)


def test_an_answer_made_for_somebody_else_proves_nothing() -> None:
    """Mallory passes Alice's challenge on to Bob, as her own or as Alice's."""
    alice, bob = verifier(), prover()
    challenge = ask(alice)
    with pytest.raises(ChallengeNotOurs):
        bob.answer(challenge.encode(), MALLORY.public_key, HERE, NOW)
    hers = replace(challenge, verifier=MALLORY.public_key)
    answer = bob.answer(hers.encode(), MALLORY.public_key, HERE, NOW)
    with pytest.raises(ChallengeUnproven):
        alice.take(challenge, answer, BOB.public_key, HERE, NOW, channel=LIFE)


Take = Callable[[Verifier, Challenge, bytes], Session]
REFUSED_BY_THE_VERIFIER: dict[str, tuple[Take, type[MyceldError]]] = {
    "too late": (
        lambda a, c, s: a.take(c, s, BOB.public_key, HERE, NOW + CHALLENGE_MS + 1, channel=LIFE),
        ChallengeExpired,
    ),
    "from another cell": (
        lambda a, c, s: a.take(c, s, MALLORY.public_key, HERE, NOW, channel=LIFE),
        ChallengeNotOurs,
    ),
    "by another connection": (
        lambda a, c, s: a.take(c, s, BOB.public_key, ELSEWHERE, NOW, channel=LIFE),
        ChallengeNotOurs,
    ),
    "signed by another key": (
        lambda a, c, _: a.take(
            c, MALLORY.sign(c.encode()), BOB.public_key, HERE, NOW, channel=LIFE
        ),
        ChallengeUnproven,
    ),
    "with one bit changed": (
        lambda a, c, s: a.take(
            c, bytes([s[0] ^ 1]) + s[1:], BOB.public_key, HERE, NOW, channel=LIFE
        ),
        ChallengeUnproven,
    ),
    "that is no signature": (
        lambda a, c, s: a.take(c, s[:63], BOB.public_key, HERE, NOW, channel=LIFE),
        BadChallenge,
    ),
    "to a challenge that nobody made": (
        lambda a, c, s: a.take(
            replace(c, nonce=bytes(32)), s, BOB.public_key, HERE, NOW, channel=LIFE
        ),
        ChallengeReplayed,
    ),
    "to one that was changed": (
        lambda a, c, s: a.take(
            replace(c, time_ms=NOW + 1), s, BOB.public_key, HERE, NOW, channel=LIFE
        ),
        ChallengeReplayed,
    ),
}


@pytest.mark.parametrize("case", REFUSED_BY_THE_VERIFIER)
def test_a_verifier_believes_no_answer(case: str) -> None:
    take, error = REFUSED_BY_THE_VERIFIER[case]
    alice = verifier()
    challenge = ask(alice, 1)
    answer = answered(challenge)
    with pytest.raises(error):
        take(alice, challenge, answer)
    assert alice.session(BOB.public_key, LIFE, NOW) is None
    if challenge.nonce not in alice._open:
        with pytest.raises(ChallengeReplayed):
            alice.take(challenge, answer, BOB.public_key, HERE, NOW, channel=LIFE)


def test_an_answer_is_taken_once() -> None:
    alice = verifier()
    challenge = ask(alice)
    answer = answered(challenge)
    alice.take(challenge, answer, BOB.public_key, HERE, NOW, channel=LIFE)
    with pytest.raises(ChallengeReplayed):
        alice.take(challenge, answer, BOB.public_key, HERE, NOW, channel=LIFE)


def test_an_answer_of_another_network_proves_nothing() -> None:
    alice = verifier()
    challenge = ask(alice)
    elsewhere = prover(network=OTHER_NETWORK)
    answer = elsewhere.answer(
        replace(challenge, network_id=OTHER_NETWORK).encode(), ALICE.public_key, HERE, NOW
    )
    with pytest.raises(ChallengeUnproven):
        alice.take(challenge, answer, BOB.public_key, HERE, NOW, channel=LIFE)


def test_what_is_kept_in_mind_is_bounded_and_time_frees_it() -> None:
    alice, bob = verifier(), prover()
    for at in range(CHALLENGES_OPEN_MAX):
        ask(alice, at)
    with pytest.raises(TooManyChallenges):
        ask(alice, CHALLENGES_OPEN_MAX)
    ask(alice, CHALLENGES_OPEN_MAX, now=NOW + CHALLENGE_MS + 1)
    challenge = ask(verifier())
    for at in range(CHALLENGES_ANSWERED_MAX):
        nonce = at.to_bytes(32, "big")
        answered(replace(challenge, nonce=nonce), bob)
    with pytest.raises(TooManyChallenges):
        answered(replace(challenge, nonce=b"x" * 32), bob)
    later = NOW + 2 * CHALLENGE_MS + 1
    fresh = replace(challenge, nonce=b"x" * 32, time_ms=later)
    bob.answer(fresh.encode(), ALICE.public_key, HERE, later)


def test_of_too_many_sessions_the_one_that_ends_first_gives_way() -> None:
    alice = verifier()
    pairs = [KeyPair(at.to_bytes(32, "big")) for at in range(100, 102 + IDENTITY_SESSIONS_MAX)]
    for at, pair in enumerate(pairs):
        challenge = ask(alice, at, pair, NOW + at)
        answer = prover(pair).answer(challenge.encode(), ALICE.public_key, HERE, NOW + at)
        alice.take(challenge, answer, pair.public_key, HERE, NOW + at, channel=LIFE)
    known = [alice.session(pair.public_key, LIFE, NOW + len(pairs)) is not None for pair in pairs]
    assert known == [False, False] + [True] * IDENTITY_SESSIONS_MAX


def test_a_reply_has_an_answer_or_a_reason() -> None:
    assert decode_reply(encode_reply(b"s" * 64, "")) == (b"s" * 64, "")
    assert decode_reply(encode_reply(b"", "MYC-NODE-401")) == (b"", "MYC-NODE-401")
    for wrong in (encode_reply(b"", ""), encode_reply(b"s", "c"), b"", b"\x91\xc0", b"\xff" * 80):
        with pytest.raises(BadChallenge):
            decode_reply(wrong)


def test_a_challenge_names_its_connection() -> None:
    challenge = ask(verifier())
    with pytest.raises(BadChallenge, match="no connection"):
        prover().answer(replace(challenge, binding=b"").encode(), ALICE.public_key, b"", NOW)


def test_only_a_challenge_comes_with_a_body() -> None:
    for kind in AskKind:
        asked = Ask(kind, b"c" * 200 if kind is AskKind.CHALLENGE else b"")
        assert decode_ask(asked.encode()) == asked
        with pytest.raises(BadChallenge):
            decode_ask(Ask(kind, b"" if asked.body else b"c").encode())
    for wrong in (b"", b"\x92\xa5hello\xc4\x00", b"\xff" * 700):
        with pytest.raises(BadChallenge):
            decode_ask(wrong)
