"""Named bounds of the hashgraph, each with its reason."""

from __future__ import annotations

from typing import Final

EVENT_SIZE_BYTES_MAX: Final = 512 * 1024
"""Largest encoded event; two of them fit a wire frame (core.limits.MESSAGE_SIZE_BYTES_MAX)."""

OTHER_PARENTS_MAX: Final = 128
"""Every other member of the largest roster, at five bytes each: 640 bytes of an event, and 4 KiB
more with hints."""

HEADER_SIZE_BYTES_MAX: Final = 1024
"""The header of an event with OTHER_PARENTS_MAX other-parents, and some room."""

SEQUENCE_MAX: Final = 2**31 - 2
"""One more fits a lane of an ancestry vector, whose top bit stays free (hashgraph/graph.py)."""

RESOLUTIONS_MAX: Final = 16
"""Combinations of parents tried for an event without hints, at 1.5 µs each. Two forkers with four
branches each at one place are all tried; more of them cost the receiver a round trip for hints."""

PAYLOAD_ITEMS_MAX: Final = 8_192
"""At 64 bytes, the smallest useful transaction, this many fill an event."""

MEMBERS_MAX: Final = 129
"""One more than OTHER_PARENTS_MAX: an event can name all the others."""

WEIGHT_TOTAL_MAX: Final = 2**60
"""Three times the total still fits a signed 64-bit word, for engines in other languages."""

TIME_NS_MAX: Final = 2**62
"""The year 2116. Consensus time may run ahead of this by one per event and still fit 63 bits."""

MEMO_ENTRIES_MAX: Final = 65_536
"""Entries of each cache of a pure function on masks, about 8 MB; a full one is emptied."""

UNFORKED_MASKS_MAX: Final = 1_024
"""Masks kept for sets of known forkers: 3 MB with the largest roster; a full one is emptied."""

EPOCH_ROUNDS: Final = 2_048
"""Rounds after which rule set 1 seals an epoch. At 60 events a round, 10 members, the metadata of a
whole epoch takes about 40 MB."""

EVIDENCE_SIZE_BYTES_MAX: Final = 2 * (HEADER_SIZE_BYTES_MAX + 64) + 64
"""Two headers, their signatures and what wraps them: a small part of any transaction."""

ROUNDS_PASSED_SHOWN_MAX: Final = 16
"""Rounds that passed an event by, as reasons tell them: the newest ones say why it was received."""

ROUNDS_PENDING_SHOWN_MAX: Final = 32
"""Undecided rounds that reasons tell of. Without a quorum there are three or four, ever."""
