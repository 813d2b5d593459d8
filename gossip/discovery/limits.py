"""Bounds of tickets and their use, and of announcements, spores and the address book."""

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

CELL_ADDRESSES_MAX: Final = 16
"""Addresses that one cell may announce: several interfaces, each by several transports."""

CELL_ADDRESS_LENGTH_MAX: Final = 256
"""Characters of one of them."""

ADDRESS_PARTS_MAX: Final = 12
"""Components of one of them: host, transports and cell id take eight."""

ANNOUNCEMENT_SIZE_BYTES_MAX: Final = 4608
"""All that one cell announces: sixteen of the longest addresses and a signature."""

ANNOUNCED_MAX: Final = 64
"""Announcements in one frame: bounds the signatures that one frame can have checked to 5 ms."""

SPORE_NODES_MAX: Final = 256
"""Cells named in one spore: a full roster and as many others."""

SPORE_SIZE_BYTES_MAX: Final = 384 * 1024
"""One spore: its cells, its proof, and 8 KiB for the genesis's 128 members and the rest."""

SPORE_NODES_SIZE_BYTES_MAX: Final = 184 * 1024
"""The cells in it: 256 with four usual addresses each; what does not fit is told later."""

SPORE_PROOF_SIZE_BYTES_MAX: Final = 192 * 1024
"""The proof in it that its issuer is a member: eight steps of 128 members."""

SPORE_FILE_SIZE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A spore as a file for people: hex takes two characters a byte, and everything is said twice."""

CLOCK_TOLERANCE_NS: Final = 300 * 10**9
"""How far the clocks of two honest cells may be apart: five minutes, as in most protocols."""

TRUST_MAX: Final = 1_000_000
"""Trust 1.0: scores are counted in millionths, as signed data holds no fractions."""

TRUST_AT_FIRST: Final = 500_000
TRUST_RIGHT: Final = 10_000
"""What a cell gains when it was reached and kept to the protocol."""
TRUST_WRONG: Final = 50_000
"""What it loses when it broke the protocol."""
TRUST_ABSENT: Final = 20_000
"""What it loses when none of its addresses answered."""

BOOK_CELLS_MAX: Final = 1024
"""Cells in the address book: ≈ 2 KB each, 2 MB in all."""

BOOK_ADDRESSES_MAX: Final = 24
"""Addresses kept for one cell: those it announces, and some that worked or were hinted at."""

BOOK_KEPT_MAX: Final = 4
"""Addresses of a cell that worked once and are no longer announced."""

BOOK_HINTS_MAX: Final = 4
"""Addresses of a cell that nobody signed for: the newest ones."""

BOOK_TOLD_BY_ONE_MAX: Final = 128
"""Cells in the book that only one peer told of and that were never reached: a peer that invents
cells fills its own share and nobody else's."""

FAILURES_COUNTED_MAX: Final = 1024
"""Failed dials in a row that are counted for one address."""
