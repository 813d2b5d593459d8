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
