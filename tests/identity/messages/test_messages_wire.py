"""Frames come out of the stream as they went in, however it is cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.messages.errors import BadMessage
from identity.messages.limits import FRAME_SIZE_BYTES_MAX
from identity.messages.wire import (
    Collect,
    EnvelopeFrame,
    Frame,
    FrameReader,
    Full,
    Keep,
    Kept,
    Prove,
    StatementFrame,
    decode_frame,
    encode_frame,
)
from tests.identity.messages.world import BOB

FRAMES: tuple[Frame, ...] = (
    EnvelopeFrame(b"e" * 300),
    StatementFrame(b"s" * 40),
    Keep(b"k" * 300),
    Kept(BOB.public_key, 7),
    Full(BOB.public_key, 8, "MYC-IDENTITY-311"),
    Collect(),
    Prove(3),
)
VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "message.json").read_text(encoding="utf-8")
)


@given(st.lists(st.sampled_from(FRAMES), max_size=8), st.integers(1, 50))
def test_a_stream_is_cut_into_its_frames(frames: list[Frame], step: int) -> None:
    data = b"".join(map(encode_frame, frames))
    reader = FrameReader()
    found = [
        frame for at in range(0, len(data), step) for frame in reader.feed(data[at : at + step])
    ]
    assert found == frames


@pytest.mark.parametrize("size", [0, FRAME_SIZE_BYTES_MAX + 1])
def test_a_frame_of_another_size_is_refused_before_it_is_read(size: int) -> None:
    with pytest.raises(BadMessage):
        FrameReader().feed(size.to_bytes(4, "big"))


@pytest.mark.parametrize(
    "body", ["90", "9107", "920700", "9108", "9207c0", "9306c0c0", "93c406c0", "92040a"]
)
def test_a_frame_of_another_shape_is_refused(body: str) -> None:
    with pytest.raises(BadMessage):
        decode_frame(bytes.fromhex(body))


def test_frames_are_those_of_the_golden_vectors() -> None:
    assert {type(one).__name__: encode_frame(one).hex() for one in FRAMES} == VECTORS["frames"]
