"""Bounds of the transfer of a checkpoint, each with its reason and what it stands for."""

from __future__ import annotations

from typing import Final

FRAME_SIZE_BYTES_MAX: Final = 1 << 20
"""A link of a full roster is some 30 KB, the rest stays near ANSWER_SIZE_BYTES."""

ANSWER_SIZE_BYTES: Final = 256 * 1024
"""An answer ends before it is larger, unless its first item alone is."""

LINKS_PER_ANSWER_MAX: Final = 128
"""Ends of epochs in one answer: their signatures are checked in one go, 0.1 s of work at most."""

HEADERS_PER_ANSWER_MAX: Final = 512
"""Round headers in one answer, 250 B each."""

RECEIPTS_PER_ANSWER_MAX: Final = 1024
"""Receipts in one answer, 110 B each."""

REQUESTS_PER_PEER_MAX: Final = 4
"""Requests under way at one peer: at 256 KB each they fill 80 Mbit/s at a delay of 100 ms."""

STAGED_BUDGET: Final = 512
"""Work done from the disk before others get their turn, some 40 ms: a header counts 1."""

PIECE_COST: Final = 64
"""What a piece of the state, or a chunk of receipts, counts."""

RECEIPTS_PER_CHUNK: Final = 8192
"""Receipts of a round that are staged together: 1 MB."""

STAGED_SIZE_BYTES_MAX: Final = 4 << 20
"""One staged piece."""

STAGED_VALUES_MAX: Final = 5 * RECEIPTS_PER_CHUNK + 1
"""Values in one: each receipt is an array of four."""
