"""Frames of the transfer protocol: the fixed bytes of version 2, and nothing but frames."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.ids import Epoch, EventId, Round, TransactionId
from ledger.map_proof import TOP, Place
from ledger.transfer.errors import BadTransferFrame
from ledger.transfer.wire import (
    Answer,
    Ask,
    AskHeaders,
    AskLinks,
    AskPiece,
    AskReceipts,
    FrameBodies,
    Gone,
    Headers,
    Links,
    Piece,
    Receipts,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from tests.ledger.transfer.world import History, piece_of

VECTORS = Path(__file__).parents[2] / "vectors" / "transfer.json"
_HASH = bytes(range(32))
_LINK = History(0, 1).links[0]
_STATE = {b"value/%d" % number: b"%d" % number for number in range(9)}
ASKS: dict[str, Ask] = {
    "ask links": AskLinks(Epoch(3)),
    "ask headers": AskHeaders(Epoch(3), Round(640)),
    "ask receipts": AskReceipts(Epoch(3), 70_000),
    "ask whole state": AskPiece(Epoch(3), TOP),
    "ask piece": AskPiece(Epoch(3), Place(13, b"v`")),
    "ask one key": AskPiece(Epoch(3), Place(19, b"va")),
}


_PROOF = piece_of(_STATE, Place(63, b"value/4")).proof
ANSWERS: dict[str, Answer] = {
    "links": Links(Epoch(0), (_LINK,)),
    "no links": Links(None, ()),
    "headers": Headers((_LINK.header.encode(),)),
    "receipts": Receipts(((TransactionId(_HASH), EventId(_HASH[::-1]), 17, "applied"),)),
    "piece": Piece(_PROOF),
    "empty piece": Piece(b"\x01\x00"),
    "gone": Gone(),
}


def test_the_bytes_of_version_2_stay_what_they_are() -> None:
    vectors: dict[str, str] = json.loads(VECTORS.read_text())
    made = {name: encode_ask(ask).hex() for name, ask in ASKS.items()}
    made |= {name: encode_answer(answer).hex() for name, answer in ANSWERS.items()}
    assert made == vectors
    for name, ask in ASKS.items():
        assert decode_ask(bytes.fromhex(vectors[name])[4:]) == ask
    for name, answer in ANSWERS.items():
        assert decode_answer(bytes.fromhex(vectors[name])[4:]) == answer


@given(st.binary(max_size=80))
def test_bytes_that_are_no_frame_raise_nothing_but_the_declared_error(data: bytes) -> None:
    for decode in (decode_ask, decode_answer):
        with contextlib.suppress(BadTransferFrame):
            decode(data)


@given(st.data())
def test_a_frame_with_a_flipped_bit_is_refused_or_another_one(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted({**ASKS, **ANSWERS})))
    frame = encode_ask(ASKS[name]) if name in ASKS else encode_answer(ANSWERS[name])
    at = data.draw(st.integers(8 * 4, 8 * len(frame) - 1))
    changed = bytearray(frame[4:])
    changed[at // 8 - 4] ^= 1 << at % 8
    decode = decode_ask if name in ASKS else decode_answer
    with contextlib.suppress(BadTransferFrame):
        assert decode(bytes(changed)) != decode(frame[4:])


@pytest.mark.parametrize(
    "value",
    [
        [4, 1, 0, b"a"],
        [4, 1, 11, b"a"],
        [4, 1, 5000, b"a"],
        [4, 1, 5, b"a"],
        [4, 1, 4, b"a" * 513],
        [1, 2**60],
        [1, -1],
        [5, 1],
        [16, 1],
        [],
        7,
    ],
)
def test_requests_out_of_bounds_are_refused(value: object) -> None:
    with pytest.raises(BadTransferFrame):
        decode_ask(encode(value))  # type: ignore[arg-type]  # some are no values of ours


def test_frames_are_cut_at_any_byte_and_long_ones_refused_before_they_are_kept() -> None:
    stream = b"".join(encode_ask(ask) for ask in ASKS.values())
    bodies = FrameBodies()
    found = [body for at in range(len(stream)) for body in bodies.feed(stream[at : at + 1])]
    assert [decode_ask(body) for body in found] == list(ASKS.values())
    for length in (0, (1 << 20) + 1, 2**32 - 1):
        with pytest.raises(BadTransferFrame):
            list(FrameBodies().feed(length.to_bytes(4, "big")))
