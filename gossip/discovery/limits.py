"""Bounds of tickets and of the exchange by which they are used, each with its reason."""

from __future__ import annotations

from typing import Final

SECRET_SIZE_BYTES: Final = 16
"""128 random bits: nobody guesses them, however often they may try."""

TICKET_ID_SIZE_BYTES: Final = 8
"""Part of a hash of the secret: tells a cell's own tickets apart, and is short enough to type."""

NONCE_SIZE_BYTES: Final = 16
"""Random bits of each side in each exchange."""

TICKET_ADDRESSES_MAX: Final = 6
"""Where the inviter may be dialled; more would make the QR code larger than a terminal."""

TICKET_ADDRESS_LENGTH_MAX: Final = 128
"""Characters of one of them: /dns/ and a long name."""

TICKET_LENGTH_MAX: Final = 2048
"""Characters of a ticket; longer text is refused unread."""

WELCOME_CELLS_MAX: Final = 8
"""Other cells that a newcomer is told: enough to get in when the inviter is away."""

WELCOME_CELL_ADDRESSES_MAX: Final = 2
"""Addresses told of each of them."""

GENESIS_SIZE_BYTES_MAX: Final = 64 * 1024
"""Text of a genesis file: 128 members of 200 bytes each are less than half."""

INVITE_FRAME_SIZE_BYTES_MAX: Final = 80 * 1024
"""One message of the exchange: a genesis and a few addresses."""

NAME_LENGTH_MAX: Final = 64
"""Characters of a name in a message, as the ledger bounds them."""

WORDS: Final = 4
"""Words of the check: 11 bits each, 44 in all."""
