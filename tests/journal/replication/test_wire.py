"""Frames: golden vectors, and what is refused before it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import encode
from core.errors import MyceldError
from journal.cosignature import cosign
from journal.merkle import subtree_inclusion_proof
from journal.proof_file import format_proof, verify_proof
from journal.replication import wire
from journal.replication.errors import FrameRefused
from journal.replication.limits import FRAME_SIZE_BYTES_MAX
from journal.replication.ranges import prove_prefix, prove_range
from tests.journal.replication.model import Log
from tests.journal.world import CELL_ID, sign

VECTORS = Path(__file__).parents[2] / "vectors" / "replication.json"
LOG = Log([b"block %d" % number for number in range(7)])


def _frames() -> dict[str, wire.Frame]:
    """One frame of each type, about a log of seven blocks."""
    return {
        "follow": wire.Follow(1, CELL_ID, "notes", None, 0, 0),
        "head": wire.Head(LOG.head(), 5, tuple(prove_prefix(5, 7, LOG.node))),
        "want": wire.Want(1, 7, 2, 5),
        "blocks": wire.Blocks(1, 2, tuple(LOG.blocks[2:5]), tuple(prove_range(2, 5, 7, LOG.node))),
        "want tile": wire.WantTile(2, 7, 0),
        "tile": wire.Tile(2, tuple(LOG.leaves()), ()),
        "tail": wire.Tail(LOG.head(), 6, (LOG.blocks[6],)),
        "ping": wire.Ping(3),
        "pong": wire.Pong(3),
        "refuse": wire.Refuse("MYC-REPLICATION-009", "no such journal"),
        "dispute": wire.Dispute(LOG.head(5)),
    }


def _texts() -> dict[str, str]:
    """A cosigned head, and the proof of one block under it."""
    head = cosign(LOG.head(), CELL_ID, sign, 1_700_000_000)
    hashes = subtree_inclusion_proof(4, 0, 7, LOG.node)
    return {"cosigned head": head, "proof file": format_proof(4, LOG.blocks[4], hashes, head)}


def current() -> dict[str, dict[str, str]]:
    """Return what tests/vectors/replication.json must hold."""
    frames = {name: wire.encode_frame(frame).hex() for name, frame in _frames().items()}
    return {"frames": frames, "texts": _texts()}


def test_frames_and_texts_are_those_of_the_vectors() -> None:
    assert json.loads(VECTORS.read_text()) == current()


def test_every_frame_is_read_as_it_was_written() -> None:
    for frame in _frames().values():
        data = wire.encode_frame(frame)
        assert wire.length_of(data[:4]) == len(data) - 4
        assert wire.decode_frame(data[4:]) == frame
    assert len(_frames()) == 11


def test_the_proof_file_of_the_vectors_is_true() -> None:
    proven = verify_proof(json.loads(VECTORS.read_text())["texts"]["proof file"])
    assert (proven.block, proven.witnesses[0].time_s) == (LOG.blocks[4], 1_700_000_000)


def test_a_length_above_the_limit_is_refused_before_reading() -> None:
    for length in (0, FRAME_SIZE_BYTES_MAX + 1, 0xFFFFFFFF):
        with pytest.raises(FrameRefused):
            wire.length_of(length.to_bytes(4, "big"))


@pytest.mark.parametrize(
    "items",
    [
        [],
        [0],
        [12],
        [3, 1, 2, 3],
        [3, 1, 2, 3, -1],
        [8, 2**63],
        [4, 1, 0, [b"x", "text"], b""],
        [4, 1, 0, [b"x"], b"short"],
        [4, 1, 0, [b"x"], b"h" * 32 * 129],
        [1, 1, "x" * 65, "notes", None, 0, 0],
        [2, "h" * 16_385, 0, b""],
    ],
)
def test_other_shapes_are_refused(items: list[object]) -> None:
    try:
        body = encode(items)  # type: ignore[arg-type]  # that is the point
    except (MyceldError, OverflowError):
        return
    with pytest.raises(FrameRefused):
        wire.decode_frame(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_refused(body: bytes) -> None:
    try:
        frame = wire.decode_frame(body)
    except FrameRefused:
        return
    assert wire.encode_frame(frame)[4:] == body
