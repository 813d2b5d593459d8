"""Named bounds of replication, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

from journal.limits import BLOCK_SIZE_BYTES_MAX

FRAME_SIZE_BYTES_MAX: Final = BLOCK_SIZE_BYTES_MAX + (64 << 10)
"""The largest block with its proof, or a head with its proof; checked before a frame is read."""

SPAN_SIZE_BYTES: Final = 256 << 10
"""A frame of blocks ends once it has this much, or one larger block: a thousand blocks of 250
bytes, so that the proof of a frame costs half a byte a block."""

SPAN_BLOCKS_MAX: Final = 1024
"""Blocks in one frame: bounds the work on one frame to about 3 ms, and what blocks of a few bytes
take in memory to what the codec allows."""

REQUEST_BLOCKS_MAX: Final = 16_384
"""Blocks of one request, answered in as many frames as it takes."""

REQUESTS_MAX: Final = 4
"""Requests a follower has in flight, and a server keeps for one: more breaks the protocol."""

REQUEST_TIMEOUT_MS: Final = 20_000
"""For the next frame of what was asked for; 256 KiB in that time is a slow modem."""

PING_INTERVAL_MS: Final = 5_000
"""A follower with nothing to ask says so this often, and expects an answer."""

SILENCE_MS_MAX: Final = 20_000
"""Without a frame for this long the other side counts as gone."""

WRITE_TIMEOUT_MS: Final = 20_000
"""For one write to a peer, which then reads too slowly."""

READ_SIZE_BYTES: Final = 64 << 10
"""Bytes taken from the stream at once."""

WRITE_SIZE_BYTES: Final = 256 << 10
"""Small frames are put together up to here before they are written."""

TAIL_SIZE_BYTES_MAX: Final = 256 << 10
"""Newest blocks that are pushed together with their head; a follower fetches more by itself."""

SERVED_MAX: Final = 64
"""Followers that one cell serves at once: each holds one frame and one stream."""

FOLLOWED_MAX: Final = 32
"""Journals of others that one cell keeps copies of, forks included: half of JOURNALS_MAX."""

CONFLICTS_KEPT_MAX: Final = 16
"""Conflicts of one journal that are kept: two heads of 16 KiB and a proof of 4 KiB each."""

REDIAL_MS_MIN: Final = 500
"""Before a cell is dialled again; doubles up to REDIAL_MS_MAX."""

REDIAL_MS_MAX: Final = 15_000
"""Longest time between two tries of one cell."""

REASON_LENGTH_MAX: Final = 200
"""Text of a refusal."""

CODE_LENGTH_MAX: Final = 32
"""Code of a refusal, MYC-…"""
