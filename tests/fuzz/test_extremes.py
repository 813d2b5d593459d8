"""What honest cells may send at the most stays within what the codec takes."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final

import pytest

from core import codec
from core.codec import NotCanonical
from core.ids import Epoch, EventId, MemberIndex, Sequence, TransactionId
from core.json_text import parse_json
from core.limits import VALUES_COST_FACTOR, VALUES_COST_FREE_BYTES
from gateway.limits import TRANSACTIONS_PER_SUBMIT_MAX
from gossip.discovery.spore_file import from_json as spore_from_json
from gossip.discovery.spore_file import to_json as spore_to_json
from gossip.limits import PAYLOAD_COUNT_MAX, TIPS_MAX
from gossip.wire import Forward, Have, decode_frame, encode_frame
from hashgraph.event import decode_event, encode_event, make_event
from hashgraph.limits import PAYLOAD_ITEMS_MAX
from journal.replication import wire as replication
from journal.replication.limits import SPAN_BLOCKS_MAX
from ledger.certificate import parse_certificate
from ledger.genesis import Genesis
from ledger.genesis import from_json as genesis_from_json
from ledger.genesis import to_json as genesis_to_json
from ledger.limits import MEMBERS_MAX, VALUE_SIZE_BYTES_MAX
from ledger.map_proof import TOP
from ledger.roster import Member, Roster, decode_roster
from ledger.transaction import opaque_transaction
from ledger.transfer.limits import (
    ANSWER_SIZE_BYTES,
    FRAME_SIZE_BYTES_MAX,
    RECEIPTS_PER_ANSWER_MAX,
    RECEIPTS_PER_CHUNK,
    STAGED_VALUES_MAX,
)
from ledger.transfer.staging import open_piece
from ledger.transfer.wire import Receipts, decode_answer, encode_answer
from ledger.trie import KEY_SIZE_BYTES_MAX
from tests.fuzz.samples import DIGEST
from tests.gossip.discovery.spore_world import NETWORK_IDENTITY, many, node, spore
from tests.ledger.transfer.world import piece_of
from tests.ledger.world import KEYS, NETWORK

SMALLEST: Final = opaque_transaction(b"")
"""No transaction has fewer bytes."""
ROW: Final = (TransactionId(DIGEST), EventId(DIGEST), 2**60, "applied")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100])
def test_a_frame_of_as_many_blocks_as_may_be(size: int) -> None:
    frame = replication.Blocks(1, 0, (b"x" * size,) * SPAN_BLOCKS_MAX, ())
    assert replication.decode_frame(replication.encode_frame(frame)[4:]) == frame


def test_an_event_of_as_many_of_the_smallest_transactions_as_may_be() -> None:
    event = make_event(
        network_id=NETWORK,
        epoch=Epoch(0),
        creator=MemberIndex(0),
        sequence=Sequence(0),
        self_parent=None,
        other_parents=[],
        time_ns=1,
        payload=[SMALLEST] * PAYLOAD_ITEMS_MAX,
        sign=KEYS[0].sign,
    )
    read = decode_event(encode_event(event), network_id=NETWORK, epoch=Epoch(0))
    assert len(read.payload) == PAYLOAD_ITEMS_MAX


def test_frames_of_gossip_at_their_bounds() -> None:
    tips = tuple(EventId(sha256(bytes([at])).digest()) for at in range(TIPS_MAX))
    for frame in (
        Have(Epoch(1), (tips,) * MEMBERS_MAX),
        Have(Epoch(1), (2**40,) * MEMBERS_MAX),
        Forward((SMALLEST,) * PAYLOAD_COUNT_MAX),
    ):
        assert decode_frame(encode_frame(frame)[4:]) == frame


def test_answers_of_a_transfer_at_their_bounds() -> None:
    receipts = Receipts((ROW,) * RECEIPTS_PER_ANSWER_MAX)
    assert decode_answer(encode_answer(receipts)[4:]) == receipts
    # The longest ways that keys can make: each bit of one of them has another key beside it.
    long = b"z" * KEY_SIZE_BYTES_MAX
    state = {
        long[:at] + bytes((long[0] ^ 1 << flip,)): b"" for at in range(512) for flip in range(8)
    }
    state |= {long: b""}
    state |= {b"a%d" % at: bytes(VALUE_SIZE_BYTES_MAX) for at in range(20)}
    piece = piece_of(state, size_bytes_max=ANSWER_SIZE_BYTES)
    frame = encode_answer(piece)
    assert len(frame) < FRAME_SIZE_BYTES_MAX
    assert decode_answer(frame[4:]) == piece
    assert open_piece(piece.proof, TOP).hidden()


def test_receipts_that_are_staged_together() -> None:
    rows = codec.encode([list(ROW)] * RECEIPTS_PER_CHUNK)
    assert codec.decode(rows, size_bytes_max=len(rows), values_max=STAGED_VALUES_MAX)
    with pytest.raises(NotCanonical, match="more than 16384 values"):
        codec.decode(rows, size_bytes_max=len(rows))


def test_the_largest_roster_and_its_certificate() -> None:
    members = tuple(Member(key.public_key, 2**32, "n") for key in many(MEMBERS_MAX))
    roster = Roster(Epoch(2**40), 1, 1, members)  # type: ignore[arg-type]  # a round is a number
    assert decode_roster(roster.encode()) == roster
    signed: list[codec.Value] = [[at, bytes(64)] for at in range(MEMBERS_MAX)]
    data = codec.encode([2**40, 2**40, DIGEST, signed])
    assert len(parse_certificate(codec.decode(data)).signatures) == MEMBERS_MAX


def test_files_at_their_bounds() -> None:
    keys = many(256)
    made = spore([node(key) for key in keys])
    assert len(made.nodes) == 256
    assert spore_from_json(spore_to_json(made).encode(), NETWORK_IDENTITY) == made
    members = tuple(Member(key.public_key, 1, "n") for key in keys[:MEMBERS_MAX])
    genesis = Genesis("n", members, 1)
    text = genesis_to_json(genesis)
    assert genesis_from_json(text) == genesis
    assert genesis_from_json(json.dumps(json.loads(text), separators=(",", ":"))) == genesis


def test_bodies_at_their_bounds() -> None:
    fields = {"transactions": [SMALLEST.hex()] * TRANSACTIONS_PER_SUBMIT_MAX}
    assert parse_json(json.dumps(fields, separators=(",", ":"))) == fields


def test_values_that_just_fit_are_taken_and_a_few_more_are_not() -> None:
    """Arrays cost 80 bytes, and one byte each on the wire."""
    fitting = (VALUES_COST_FREE_BYTES + VALUES_COST_FACTOR * 600) // 80
    assert codec.decode(codec.encode([[]] * (fitting - 200)))
    with pytest.raises(NotCanonical, match="many small values"):
        codec.decode(codec.encode([[]] * (fitting + 200)))
