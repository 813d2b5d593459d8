"""A message is exactly what its sender signed and journaled, and only its receiver can read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import MyceldError
from core.ids import NetworkId, PublicKey, Round
from identity.messages.chat import (
    Chat,
    Room,
    decode_chat,
    decode_room,
    encode_chat,
    encode_room,
    make_room,
)
from identity.messages.envelope import (
    Envelope,
    MessageType,
    decode_block,
    decode_envelope,
    decode_message,
    encode_envelope,
    received_block,
    sent_block,
    verify_signature,
)
from identity.messages.errors import (
    BadMessage,
    BadRoom,
    BodyTooLong,
    MessageNotProven,
    SealBroken,
    WrongMessageSignature,
)
from identity.messages.limits import BODY_SIZE_BYTES_MAX, ROOM_MEMBERS_MAX
from identity.messages.proof import Heads, decode_proof, encode_proof, verify_proof
from identity.messages.sealing import Opener, bucket_of, seal
from identity.messages.statements import (
    Floor,
    Pair,
    Receipt,
    Refusal,
    Statement,
    decode_statement,
    sign_statement,
    signer_of,
    verify_statement,
)
from identity.messages.work import Posting, Result, Run, Work, decode_work, encode_work
from tests.identity.messages.world import (
    ALICE,
    BOB,
    EVE,
    NETWORK,
    TEXT,
    enveloped,
    header,
    proof_in,
    signed,
)

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "message.json").read_text(encoding="utf-8")
)
PAIR = Pair(NETWORK, ALICE.public_key, BOB.public_key, Round(7))
WORK: tuple[Work, ...] = (
    Run("uptime", b"input"),
    Result(7, -1, b"output", is_cut=True),
    Posting("minutes", b"of May"),
)
STATEMENTS: tuple[Statement, ...] = (
    Receipt(PAIR, 7, b"r" * 16, 3),
    Receipt(PAIR, 0, b"", 0),
    Refusal(PAIR, 7, b"r" * 16, SealBroken.code),
    Floor(PAIR, 9),
)


def _itself(key: PublicKey) -> PublicKey:
    return key


def taken(data: bytes) -> tuple[Envelope, bytes]:
    """What a receiver checks, in its order; returns the envelope and the opened body."""
    envelope = decode_envelope(data)
    message = envelope.message
    verify_signature(message, message.header.sender)
    verify_proof(message, envelope.proof, message.header.sender, Heads())
    body = message.body
    return envelope, Opener(BOB).open(
        message.header, body
    ) if message.header.type.is_sealed else body


@pytest.mark.parametrize("kind", MessageType)
def test_a_message_arrives_as_it_was_sent(kind: MessageType) -> None:
    data = enveloped(signed(header(kind=kind)))
    envelope, body = taken(data)
    assert (envelope.encoded, body) == (data, TEXT)
    assert envelope.message.header == header(kind=kind)
    assert decode_proof(envelope.proof).index == 5


@pytest.mark.parametrize("kind", [MessageType.CHAT, MessageType.AUTH])
def test_a_sealed_message_shows_no_text_to_others(kind: MessageType) -> None:
    data = enveloped(signed(header(kind=kind)))
    assert not any(TEXT[at : at + 6] in data for at in range(len(TEXT) - 6))
    message = decode_envelope(data).message
    with pytest.raises(SealBroken):
        Opener(EVE).open(message.header, message.body)


def test_each_flipped_byte_is_refused() -> None:
    data = enveloped(signed())
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x01
        with pytest.raises((BadMessage, WrongMessageSignature, MessageNotProven)):
            taken(bytes(flipped))


def test_ten_thousand_changed_messages_are_all_refused() -> None:
    random = Random(7)  # noqa: S311 - not a secret
    data = enveloped(signed())
    other = enveloped(signed(header(2, replay_id=b"q" * 16)), before=2)
    for _ in range(10_000):
        changed = bytearray(data)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(changed))
            match random.randrange(4):
                case 0:
                    changed[at] ^= 1 << random.randrange(8)
                case 1:
                    del changed[at : at + random.randint(1, 9)]
                case 2:
                    changed[at:at] = random.randbytes(random.randint(1, 9))
                case _:
                    changed[at : at + 16] = other[at : at + 16]
        if changed == data or not changed:
            continue
        with pytest.raises((BadMessage, WrongMessageSignature, MessageNotProven)):
            taken(bytes(changed))


def test_what_somebody_else_signed_is_refused() -> None:
    data = enveloped(signed(by=EVE))
    with pytest.raises(WrongMessageSignature):
        taken(data)


def test_a_proof_by_another_key_of_another_journal_or_of_another_message_is_refused() -> None:
    message = decode_message(signed())
    other = sent_block(signed(header(2)))
    own = sent_block(message.encoded)
    ours = proof_in([own, other], 0, ALICE)
    forged = [
        proof_in([own, other], 0, EVE),
        proof_in([own, other], 1, ALICE),
        proof_in([received_block(encode_envelope(message.encoded, b"")), other], 0, ALICE),
        replace(ours, head=ours.head.replace("/message/", "/consensus/")),
        replace(ours, index=1),
        replace(ours, hashes=()),
        replace(ours, head=""),
    ]
    verify_proof(message, encode_proof(ours), ALICE.public_key, Heads())
    for proof in forged:
        with pytest.raises(MessageNotProven):
            verify_proof(message, encode_proof(proof), ALICE.public_key, Heads())


def test_a_head_that_was_good_for_one_key_is_not_for_another() -> None:
    heads, message = Heads(), decode_message(signed())
    proof = encode_proof(proof_in([sent_block(message.encoded)], 0, ALICE))
    verify_proof(message, proof, ALICE.public_key, heads)
    with pytest.raises(MessageNotProven):
        verify_proof(message, proof, EVE.public_key, heads)


def test_a_seal_is_bound_to_every_part_of_its_header() -> None:
    head = header()
    sealed = seal(head, TEXT)
    others = [
        replace(head, network_id=NetworkId(b"m" * 32)),
        replace(head, timestamp_ms=1),
        replace(head, sender=EVE.public_key),
        replace(head, receiver=EVE.public_key),
        replace(head, type=MessageType.AUTH),
        replace(head, number=2),
        replace(head, replay_id=b"q" * 16),
        replace(head, sender_since=Round(1)),
        replace(head, receiver_since=Round(1)),
    ]
    assert Opener(BOB).open(head, sealed) == TEXT
    for other in others:
        with pytest.raises(SealBroken):
            Opener(BOB).open(other, sealed)


@given(st.binary(max_size=2000))
@settings(deadline=None)
def test_only_the_bucket_shows_of_a_length(body: bytes) -> None:
    sealed = seal(header(), body)
    assert len(sealed) == bucket_of(len(body) + 4) + 48
    assert Opener(BOB).open(header(), sealed) == body


def test_bodies_have_a_largest_size() -> None:
    largest = bytes(BODY_SIZE_BYTES_MAX)
    assert taken(enveloped(signed(body=largest)))[1] == largest
    with pytest.raises(BodyTooLong):
        seal(header(), largest + b"x")


def test_the_secret_of_an_opener_does_not_show() -> None:
    assert BOB.seed.hex() not in repr(Opener(BOB))


def test_blocks_say_which_way_a_message_went() -> None:
    message = signed()
    assert decode_block(sent_block(message)) == (True, message)
    assert decode_block(received_block(enveloped(message))) == (False, message)
    with pytest.raises(BadMessage):
        decode_block(b"\x92\xa1x\xc4\x00")


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: type(one).__name__)
def test_a_statement_is_its_signers_word_only(statement: Statement) -> None:
    by = ALICE if isinstance(statement, Floor) else BOB
    data = sign_statement(statement, by)
    decoded, body, signature = decode_statement(data)
    assert (decoded, signer_of(decoded)) == (statement, by.cell_id)
    verify_statement(body, signature, by.public_key)
    with pytest.raises(WrongMessageSignature):
        verify_statement(body, signature, EVE.public_key)
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x01
        with pytest.raises((BadMessage, WrongMessageSignature)):
            verify_statement(*decode_statement(bytes(flipped))[1:], by.public_key)


def test_a_chat_says_its_text_and_its_room() -> None:
    room = make_room(b"i" * 16, "garden", 1, {ALICE.public_key, BOB.public_key})
    for chat in (Chat("good morning"), Chat("", room), Chat("ö" * 100, room)):
        assert decode_chat(encode_chat(chat)) == chat
    assert decode_room(encode_room(room)) == room
    assert set(room.member_ids) == {ALICE.cell_id, BOB.cell_id}


def test_rooms_that_are_none_are_refused() -> None:
    everyone = {PublicKey(bytes([at]) * 32) for at in range(ROOM_MEMBERS_MAX + 1)}
    for name, members in (("", {ALICE.public_key}), ("a\n", {ALICE.public_key}), ("a", everyone)):
        with pytest.raises(BadRoom):
            make_room(b"i" * 16, name, 1, members)
    twice = Room(b"i" * 16, "a", 1, (ALICE.public_key, ALICE.public_key))
    with pytest.raises(BadMessage):
        decode_room(encode_room(twice))


def test_only_members_change_a_room_and_only_forward() -> None:
    room = make_room(b"i" * 16, "garden", 3, {ALICE.public_key, BOB.public_key})
    following = room.with_members({ALICE.public_key, BOB.public_key, EVE.public_key})
    assert room.is_followed_by(following, ALICE.public_key, _itself)
    assert not room.is_followed_by(following, EVE.public_key, _itself)
    assert not following.is_followed_by(room, ALICE.public_key, _itself)
    assert not room.is_followed_by(replace(following, id=b"j" * 16), ALICE.public_key, _itself)


def test_a_member_of_a_room_stays_one_under_its_next_key() -> None:
    room = make_room(b"i" * 16, "garden", 3, {ALICE.public_key, BOB.public_key})
    first_of = {EVE.public_key: ALICE.public_key}
    following = room.with_members({EVE.public_key, BOB.public_key})

    def first(key: PublicKey) -> PublicKey:
        return first_of.get(key, key)

    assert room.has(EVE.public_key, first)
    assert room.is_followed_by(following, EVE.public_key, first)
    assert following.has(ALICE.public_key, first)


def test_the_format_is_that_of_the_golden_vectors() -> None:
    envelope, body = taken(bytes.fromhex(VECTORS["envelope"]))
    assert body == TEXT
    assert envelope.message.header == header()
    assert envelope.message.encoded.hex() == VECTORS["signed"]
    for text, statement in zip(VECTORS["statements"], STATEMENTS, strict=True):
        assert decode_statement(bytes.fromhex(text))[0] == statement
        assert (
            sign_statement(statement, ALICE if isinstance(statement, Floor) else BOB).hex() == text
        )
    room = make_room(b"i" * 16, "garden", 1, {ALICE.public_key, BOB.public_key})
    assert encode_chat(Chat("hello", room)).hex() == VECTORS["chat"]
    for text, work in zip(VECTORS["work"], WORK, strict=True):
        assert decode_work(bytes.fromhex(text)) == work
        assert encode_work(work).hex() == text


def test_an_undeclared_error_never_comes_out_of_garbage() -> None:
    random = Random(3)  # noqa: S311 - not a secret
    for size in range(300):
        for decode in (decode_envelope, decode_statement, decode_chat, decode_proof, decode_block):
            with pytest.raises(MyceldError):
                decode(random.randbytes(size))
