"""Named bounds that several packages share, each with its reason.

A package's own bounds live in its own `limits.py`.
"""

from __future__ import annotations

from typing import Final

HASH_SIZE_BYTES: Final = 32
"""SHA-256 everywhere a hash is needed."""

SIGNATURE_SIZE_BYTES: Final = 64
"""Ed25519 (RFC 8032)."""

PUBLIC_KEY_SIZE_BYTES: Final = 32
"""Ed25519 (RFC 8032)."""

NESTING_DEPTH_MAX: Final = 8
"""Deepest array nesting of any of our formats is 5; more is refused before it is walked."""

INT_MAX: Final = 2**63 - 1
"""Integers fit a signed 64-bit word, so that SQLite and other languages hold them."""

MESSAGE_SIZE_BYTES_MAX: Final = 1 << 20
"""Largest encoded value the codec accepts unless its caller sets another bound: one frame."""

CELL_IDS_CACHED_MAX: Final = 4_096
"""Cell ids kept by their keys, 0.3 KB each: base 58 takes 50 µs, and the same few are asked for."""

VALUES_MAX: Final = 16_384
"""Values in one encoded message, unless its caller sets another bound: twice the items of the
fullest event. Looking through so many takes 5 ms."""

VALUES_COST_FACTOR: Final = 4
"""Memory of a decoded message may be so many times its bytes, and VALUES_COST_FREE_BYTES. With the
bytes themselves and a copy to compare, a message never takes more than eight times its size. Ours
take up to 4.2 times (a piece of the state with short values), and usually less than twice."""

VALUES_COST_FREE_BYTES: Final = 32 * 1024
"""Free of that: a roster of 128 members is 5 KB and takes 30, by so much more than its share."""

RATE_OPEN: Final = 100
"""Requests a minute of one address without a good token."""

RATE_TOKEN: Final = 1200
"""Requests a minute of one token or key that has no limit of its own: 20 a second."""

GATEWAY_NAMES_MAX: Final = 64
"""Hosts, origins and proxies that can be configured, each."""
