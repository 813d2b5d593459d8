"""Bounds of what a cell writes down about itself, and of challenges, each with its reason."""

from __future__ import annotations

from typing import Final

AUDIT_SIZE_BYTES_MAX: Final = 2_048
"""Of one row of the audit journal: every field at its longest, in the widest letters."""

ACTOR_LENGTH_MAX: Final = 80
"""`cell:` and a cell id, or `address:` and an IPv6 address with its scope."""

ACTION_LENGTH_MAX: Final = 64
"""A kind of request, or a method and its path."""

SUBJECT_LENGTH_MAX: Final = 128
"""A cell id with a journal, a key of the state, a ticket's id; longer ones are cut."""

CODE_LENGTH_MAX: Final = 32
"""A code such as MYC-NODE-401."""

REASON_LENGTH_MAX: Final = 160
"""One line."""

RECORD_SIZE_BYTES_MAX: Final = 1_024
"""Of one row of the journals `nucleus` and `identity`."""

EVENT_LENGTH_MAX: Final = 64
"""A word such as `nucleus.started`."""

CHALLENGE_NONCE_SIZE_BYTES: Final = 32
"""Never drawn twice by chance."""

CHALLENGE_BINDING_SIZE_BYTES_MAX: Final = 64
"""What names the connection; Noise gives 32."""

CHALLENGE_SIZE_BYTES_MAX: Final = 512
"""Of a challenge, and of an answer."""

ASK_SIZE_BYTES_MAX: Final = 640
"""Of a question with a challenge in it."""

METADATA_PAIRS_MAX: Final = 32
"""Of one cell."""

METADATA_KEY_LENGTH_MAX: Final = 64
"""It is the subject of a row."""

METADATA_VALUE_LENGTH_MAX: Final = 160
"""It is the detail of a row."""

DESCRIBED_SERVICES_MAX: Final = 16
"""There are five."""

DESCRIBED_WORD_LENGTH_MAX: Final = 128
"""A name, a version, a role."""

DESCRIPTION_SIZE_BYTES_MAX: Final = 40_960
"""All pairs at their longest, in the widest letters: 29 KB, and twenty words."""

REPLY_SIZE_BYTES_MAX: Final = 49_152
"""A description, with what is around it."""

CHALLENGE_MS: Final = 30_000
"""How long an answer is waited for: a round trip and a signature take milliseconds."""

CHALLENGES_OPEN_MAX: Final = 256
"""Challenges that wait for their answers, in all: 0.3 KB each."""

CHALLENGES_ANSWERED_MAX: Final = 1_024
"""Nonces that were answered and may not come again while they are fresh: 0.2 KB each."""

IDENTITY_SESSION_MS: Final = 3_600_000
"""How long a proven identity counts as such: an hour."""

IDENTITY_SESSIONS_MAX: Final = 1_024
"""Proven identities that are remembered; the one that ends first gives way."""
