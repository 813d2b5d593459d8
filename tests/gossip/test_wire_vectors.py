"""The frames of wire version 2, byte for byte, length included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.ids import CellId, Epoch, EventId, NetworkId
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
    encode_frame,
)
from identity.keys import KeyPair

CELL: CellId = KeyPair(bytes([1]) * 32).cell_id
TIPS = tuple(EventId(bytes([number]) * 32) for number in (7, 8))
FRAMES: dict[str, Frame] = {
    "hello": Hello(2, 1, NetworkId(bytes([5]) * 32), Epoch(0)),
    "hello of another version": Hello(1, 0, NetworkId(bytes(32)), Epoch(0)),
    "refuse": Refuse("MYC-GOSSIP-003", "another network"),
    "have": Have(Epoch(0), (0, 1, 300, 2**40)),
    "have, with what was seen of yours": Have(Epoch(2), (0, 1, 300, 7), yours=301),
    "have of a sealed epoch": Have(Epoch(300), (5, 5), sealed=True),
    "have with a fork": Have(Epoch(1), (4, TIPS, 0)),
    "want": Want(Epoch(0), (0, 0, 0, 0)),
    "want with tips": Want(Epoch(2**40), (TIPS[:1], ())),
    "events": Events(Epoch(0), (b"one", b"two"), last=False),
    "events, last": Events(Epoch(7), (), last=True),
    "signature": SignatureFrame([3, 5, bytes(32), 1, bytes(64)]),
    "certificate": CertificateFrame([3, 5, bytes(32), [[0, bytes(64)], [2, bytes(64)]]]),
    "ping": Ping(1),
    "pong": Pong(2**63 - 1),
    "forward": Forward((b"transaction",)),
    "denied": Denied("MYC-NODE-401", "tx-forward needs full access"),
    "spore": SporeFrame(b"spore"),
    "announced": Announced((b"one", b"two")),
}
VECTORS: dict[str, str] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "wire.json").read_text(encoding="utf-8")
)["frames"]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_these_bytes(name: str) -> None:
    assert encode_frame(FRAMES[name]).hex() == VECTORS[name]
    assert list(FrameReader().feed(bytes.fromhex(VECTORS[name]))) == [FRAMES[name]]


def test_every_type_of_frame_has_a_vector() -> None:
    assert set(VECTORS) == set(FRAMES)
    assert {type(frame) for frame in FRAMES.values()} == set(Frame.__args__)
    assert WIRE_VERSION == 2
