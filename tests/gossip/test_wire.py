"""Every frame reads back however the stream is cut, and no bytes do more than raise."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import Value, encode
from core.errors import MyceldError
from core.ids import Epoch, EventId, NetworkId
from core.limits import INT_MAX
from gossip.discovery.limits import (
    ANNOUNCED_MAX,
    ANNOUNCEMENT_SIZE_BYTES_MAX,
    SPORE_SIZE_BYTES_MAX,
)
from gossip.errors import BadFrame, FrameTooLong
from gossip.limits import (
    EVENTS_FRAME_COUNT_MAX,
    FRAME_SIZE_BYTES_MAX,
    PAYLOAD_COUNT_MAX,
    REASON_LENGTH_MAX,
    TIPS_MAX,
)
from gossip.wire import (
    WIRE_VERSION,
    Announced,
    CertificateFrame,
    Denied,
    Events,
    Forward,
    Frame,
    FrameReader,
    Have,
    Hello,
    Ping,
    Pong,
    Refuse,
    SignatureFrame,
    SporeFrame,
    Want,
    decode_frame,
    encode_frame,
)

_NUMBERS = st.integers(0, INT_MAX)
_EPOCHS = _NUMBERS.map(Epoch)
_IDS = st.binary(min_size=32, max_size=32)
_TEXT = st.text(max_size=20)
_VECTORS = st.lists(_NUMBERS | st.lists(_IDS.map(EventId), max_size=3).map(tuple), max_size=5).map(
    tuple
)
_VALUES: st.SearchStrategy[Value] = st.lists(_NUMBERS | st.binary(max_size=9), max_size=3)
FRAMES: st.SearchStrategy[Frame] = st.one_of(
    st.builds(Hello, st.just(WIRE_VERSION), _NUMBERS, _IDS.map(NetworkId), _EPOCHS),
    st.builds(Refuse, _TEXT, _TEXT),
    st.builds(Have, _EPOCHS, _VECTORS, _NUMBERS, st.booleans()),
    st.builds(Want, _EPOCHS, _VECTORS),
    st.builds(
        Events, _EPOCHS, st.lists(st.binary(max_size=50), max_size=4).map(tuple), st.booleans()
    ),
    st.builds(SignatureFrame, _VALUES),
    st.builds(CertificateFrame, _VALUES),
    st.builds(Ping, _NUMBERS),
    st.builds(Pong, _NUMBERS),
    st.builds(Forward, st.lists(st.binary(max_size=50), max_size=4).map(tuple)),
    st.builds(Denied, _TEXT, _TEXT),
    st.builds(SporeFrame, st.binary(max_size=50)),
    st.builds(Announced, st.lists(st.binary(max_size=50), max_size=4).map(tuple)),
)


def _read(pieces: Iterable[bytes]) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@given(FRAMES)
@settings(deadline=None, max_examples=150)
def test_every_frame_reads_back(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)[4:]) == frame


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(0, 300), max_size=8))
@settings(deadline=None)
def test_frames_come_out_in_order_however_the_stream_is_cut(
    frames: list[Frame], cuts: list[int]
) -> None:
    stream = b"".join(map(encode_frame, frames))
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    assert _read(pieces) == frames
    assert _read(stream[at : at + 1] for at in range(len(stream))) == frames


@given(FRAMES, st.data())
@settings(deadline=None)
def test_a_frame_comes_out_only_when_it_is_whole(frame: Frame, data: st.DataObject) -> None:
    encoded = encode_frame(frame)
    reader = FrameReader()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    assert list(reader.feed(encoded[:cut])) == []
    assert list(reader.feed(encoded[cut:])) == [frame]
    assert len(reader._buffer) == 0


@given(st.lists(st.binary(max_size=60), max_size=5))
@settings(deadline=None, max_examples=150)
def test_any_stream_gives_frames_or_the_declared_errors(pieces: list[bytes]) -> None:
    try:
        frames = _read(pieces)
    except (BadFrame, FrameTooLong):
        return
    assert b"".join(pieces).startswith(b"".join(map(encode_frame, frames)))


@given(FRAMES, st.data())
@settings(deadline=None, max_examples=150)
def test_a_mutated_frame_is_refused_or_another_frame(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(frame)[4:])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode_frame(bytes(raw))
    except BadFrame:
        return
    if not isinstance(other, Hello) or other.version == WIRE_VERSION:
        assert encode_frame(other)[4:] == raw


def test_of_a_hello_of_another_version_only_the_version_is_read() -> None:
    rests: list[list[Value]] = [[], [1, bytes(32), 0, ["an", "old", "field"]], [[[]]]]
    for rest in rests:
        raw = encode([1, WIRE_VERSION + 1, *rest])
        assert decode_frame(raw) == Hello(WIRE_VERSION + 1, 0, NetworkId(bytes(32)), Epoch(0))


def test_a_frame_at_the_limit_is_taken_and_one_byte_more_is_refused_unread() -> None:
    room = FRAME_SIZE_BYTES_MAX - len(encode([5, 0, [b""], False])) - 3
    largest = encode_frame(Events(Epoch(0), (bytes(room),), last=False))
    assert len(largest) == FRAME_SIZE_BYTES_MAX + 4
    assert len(_read([largest])) == 1
    reader = FrameReader()
    with pytest.raises(FrameTooLong):
        list(reader.feed((FRAME_SIZE_BYTES_MAX + 1).to_bytes(4, "big")))


@pytest.mark.parametrize("announced", [FRAME_SIZE_BYTES_MAX + 1, 2**31, 2**32 - 1])
def test_a_too_long_frame_is_refused_after_good_ones(announced: int) -> None:
    reader = FrameReader()
    frames = reader.feed(encode_frame(Ping(1)) + announced.to_bytes(4, "big"))
    assert next(frames) == Ping(1)
    with pytest.raises(FrameTooLong):
        next(frames)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [0],
        [12, []],
        ["1"],
        [True, 1],
        [-8, 1],
        [1],
        [1, WIRE_VERSION, 1, bytes(31), 0],
        [1, WIRE_VERSION, 1, bytes(32)],
        [1, WIRE_VERSION, 1, bytes(32), 0, 0],
        [1, -1, 1, bytes(32), 0],
        [2, "c"],
        [2, "c", "r" * (REASON_LENGTH_MAX + 1)],
        [3],
        [3, [0]],
        [3, 0, 1, 0, False],
        [3, 0, [-1], 0, False],
        [3, 0, [True], 0, False],
        [3, 0, [b"x"], 0, False],
        [3, 0, [[bytes(31)]], 0, False],
        [3, 0, [[bytes(32)] * (TIPS_MAX + 1)], 0, False],
        [3, -1, [0], 0, False],
        [3, 0, [0], -1, False],
        [3, 0, [0], 0, 0],
        [3, 0, [0], 0],
        [3, 0, [0], 0, False, 0],
        [4, [0]],
        [4, 0, [0] * 129],
        [4, -1, [0]],
        [5, [], True],
        [5, 0, [], 1],
        [5, 0, ["e"], True],
        [5, b"", [], True],
        [5, 0, [b""] * (EVENTS_FRAME_COUNT_MAX + 1), True],
        [6],
        [7, 1, 2],
        [8, -1],
        [9, False],
        [10, [["a", []]]],
        [11, [b""] * (PAYLOAD_COUNT_MAX + 1)],
        [11, ["t"]],
        [20, "spore"],
        [20, b"s" * (SPORE_SIZE_BYTES_MAX + 1)],
        [21, ["a"]],
        [21, [b"a"] * (ANNOUNCED_MAX + 1)],
        [21, [b"a" * (ANNOUNCEMENT_SIZE_BYTES_MAX + 1)]],
    ],
)
def test_what_is_no_frame_is_refused(value: Value) -> None:
    with pytest.raises(BadFrame):
        _read([_framed(encode(value))])


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x08\xcc\x01", b"\x92\x08\x01\x00"])
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    with pytest.raises(BadFrame):
        _read([_framed(data)])


def test_the_errors_are_the_peers_fault() -> None:
    for error in (BadFrame("x"), FrameTooLong("x")):
        assert isinstance(error, MyceldError)
        assert type(error).__mro__[1].__name__ == "RemoteViolation"
