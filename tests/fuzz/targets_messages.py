"""Decoders of messages between cells: envelopes, proofs, statements, frames, and what is sealed."""

from __future__ import annotations

from identity.messages.chat import (
    Chat,
    decode_chat,
    decode_room,
    encode_chat,
    encode_room,
    make_room,
)
from identity.messages.envelope import (
    MessageType,
    decode_block,
    decode_envelope,
    decode_message,
    received_block,
    sent_block,
)
from identity.messages.errors import BadMessage
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    ENVELOPE_SIZE_BYTES_MAX,
    FRAME_SIZE_BYTES_MAX,
    SIGNED_SIZE_BYTES_MAX,
    STATEMENT_SIZE_BYTES_MAX,
)
from identity.messages.proof import decode_proof, encode_proof
from identity.messages.statements import decode_statement
from identity.messages.wire import FrameReader, decode_frame, encode_frame
from identity.messages.work import Posting, Result, Run, decode_work, encode_work
from ledger.errors import BadStateProof
from ledger.limits import STATE_ANSWER_SIZE_BYTES_MAX
from ledger.state_proof import NoAnswer, StateQuestion
from ledger.state_proof import decode_message as decode_state_message
from ledger.state_proof import encode_message as encode_state_message
from tests.fuzz.samples import bodies, from_hex, vector
from tests.fuzz.target import Target
from tests.identity.messages.world import ALICE, BOB, enveloped, header, signed
from tests.ledger.test_state_proof import STATE, answer

_FOLDER = "identity/messages/"


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (*_envelopes(), *_statements(), *_frames(), *_chats(), *_work(), *_states())


def _envelopes() -> tuple[Target, ...]:
    messages = tuple(signed(header(kind=kind)) for kind in MessageType)
    proof = decode_envelope(enveloped(messages[0])).proof
    return (
        Target(
            name="message",
            decode=decode_message,
            encode=lambda message: message.encoded,
            samples=messages,
            errors=(BadMessage,),
            covers=(f"{_FOLDER}envelope.py:decode_message",),
            size_bytes_max=SIGNED_SIZE_BYTES_MAX,
        ),
        Target(
            name="envelope",
            decode=decode_envelope,
            encode=lambda envelope: envelope.encoded,
            samples=tuple(map(enveloped, messages)),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}envelope.py:decode_envelope",),
            size_bytes_max=ENVELOPE_SIZE_BYTES_MAX,
        ),
        Target(
            name="block of messages",
            decode=decode_block,
            samples=(sent_block(messages[0]), received_block(enveloped(messages[0]))),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}envelope.py:decode_block",),
            size_bytes_max=ENVELOPE_SIZE_BYTES_MAX,
        ),
        Target(
            name="proof of a message",
            decode=decode_proof,
            encode=encode_proof,
            samples=(proof,),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}proof.py:decode_proof",),
            size_bytes_max=4096,
        ),
    )


def _statements() -> tuple[Target, ...]:
    return (
        Target(
            name="statement about messages",
            decode=decode_statement,
            samples=from_hex(*vector("message")["statements"]),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}statements.py:decode_statement",),
            size_bytes_max=STATEMENT_SIZE_BYTES_MAX,
        ),
    )


def _frames() -> tuple[Target, ...]:
    frames = vector("message")["frames"]
    return (
        Target(
            name="message frame",
            decode=decode_frame,
            encode=lambda frame: encode_frame(frame)[4:],
            samples=bodies(frames),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}wire.py:decode_frame",),
            size_bytes_max=FRAME_SIZE_BYTES_MAX,
        ),
        Target(
            name="message stream",
            decode=lambda data: FrameReader().feed(data),
            samples=from_hex(*frames.values(), "".join(frames.values())),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}wire.py:FrameReader.feed",),
            size_bytes_max=FRAME_SIZE_BYTES_MAX,
        ),
    )


def _work() -> tuple[Target, ...]:
    return (
        Target(
            name="request to run something",
            decode=decode_work,
            encode=encode_work,
            samples=(
                encode_work(Run("uptime", b"input")),
                encode_work(Posting("minutes", b"of May")),
                encode_work(Result(7, 0, b"up 3 days\n", is_cut=False)),
                encode_work(Result(7, -255, b"", is_cut=True)),
            ),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}work.py:decode_work",),
            size_bytes_max=BODY_SIZE_BYTES_MAX,
        ),
    )


def _states() -> tuple[Target, ...]:
    found = answer(STATE, b"value/7")
    return (
        Target(
            name="question about the state",
            decode=decode_state_message,
            encode=encode_state_message,
            samples=(
                encode_state_message(found),
                encode_state_message(answer(STATE, b"value/none")),
                encode_state_message(StateQuestion(b"value/7")),
                encode_state_message(NoAnswer(7, "MYC-LEDGER-302")),
            ),
            errors=(BadStateProof,),
            covers=("ledger/state_proof.py:decode_message",),
            size_bytes_max=STATE_ANSWER_SIZE_BYTES_MAX,
        ),
    )


def _chats() -> tuple[Target, ...]:
    room = make_room(b"i" * 16, "garden", 1, {ALICE.public_key, BOB.public_key})
    return (
        Target(
            name="chat",
            decode=decode_chat,
            encode=encode_chat,
            samples=(encode_chat(Chat("hello")), encode_chat(Chat("hello", room))),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}chat.py:decode_chat",),
            size_bytes_max=BODY_SIZE_BYTES_MAX,
        ),
        Target(
            name="room",
            decode=decode_room,
            encode=encode_room,
            samples=(encode_room(room),),
            errors=(BadMessage,),
            covers=(f"{_FOLDER}chat.py:decode_room",),
            size_bytes_max=BODY_SIZE_BYTES_MAX,
        ),
    )
