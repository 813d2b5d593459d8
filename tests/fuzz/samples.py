"""What the fuzzer's samples are made of: golden vectors, fixed keys, one network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from core.ids import NetworkId

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"
DIGEST: Final = bytes(range(32))
SIGNED: Final = bytes(range(64))


def vector(name: str) -> Any:  # noqa: ANN401 - each file has a shape of its own
    """Return the content of one file of golden vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def from_hex(*texts: str) -> tuple[bytes, ...]:
    """Return the bytes that hex texts stand for."""
    return tuple(bytes.fromhex(text) for text in texts)


def bodies(frames: dict[str, str]) -> tuple[bytes, ...]:
    """Return the bodies of frames in hex, without their four bytes of length."""
    return tuple(bytes.fromhex(text)[4:] for text in frames.values())


def network_of(name: str) -> NetworkId:
    """Return the network that a file of golden vectors is of."""
    return NetworkId(bytes.fromhex(vector(name)["network_id"]))
