"""Named bounds of messages, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

BODY_SIZE_BYTES_MAX: Final = 60 * 1024
"""Largest body before it is sealed: text, or a small document. Larger content goes by its hash."""

BUCKET_SIZE_BYTES_MIN: Final = 256
"""A sealed body is padded to this or to twice, four times … as much: most of what people write to
each other looks the same from outside."""

BUCKET_SIZE_BYTES_MAX: Final = 64 * 1024
"""The largest of these: a full body with its length."""

SEALED_SIZE_BYTES_MAX: Final = BUCKET_SIZE_BYTES_MAX + 48
"""With the ephemeral key (32 bytes) and the tag (16)."""

REPLAY_ID_SIZE_BYTES: Final = 16
"""Random, so that no two messages ever share one."""

SIGNED_SIZE_BYTES_MAX: Final = SEALED_SIZE_BYTES_MAX + 512
"""A message with its header and signature, some 250 bytes."""

HEAD_SIZE_BYTES_MAX: Final = 1024
"""The head of a journal with one signature is 300 bytes: witnesses' lines stay out of a proof."""

PROOF_SIZE_BYTES_MAX: Final = HEAD_SIZE_BYTES_MAX + 64 * 35
"""With the longest inclusion proof."""

ENVELOPE_SIZE_BYTES_MAX: Final = SIGNED_SIZE_BYTES_MAX + PROOF_SIZE_BYTES_MAX + 16
"""One message with its proof."""

FRAME_SIZE_BYTES_MAX: Final = ENVELOPE_SIZE_BYTES_MAX + 16
"""The largest frame holds one envelope; times the streams that are read, as one is held of each."""

STATEMENT_SIZE_BYTES_MAX: Final = 512
"""Receipts, refusals and floors are below 300."""

WINDOW_COUNT_MAX: Final = 256
"""Messages on their way to one receiver that it has not confirmed: half a second of them."""

WINDOW_SIZE_BYTES_MAX: Final = 1 << 20
"""Their bytes: sixteen of the largest. Bounds what waits to be written to one peer."""

WAITING_COUNT_MAX: Final = 10_000
"""Messages to one receiver that are not delivered yet: some 200 bytes each in memory."""

WAITING_TOTAL_MAX: Final = 50_000
"""The same to all receivers: 10 MB."""

NUMBER_MAX: Final = 1 << 48
"""Greatest number of a message between two cells: a receiver that claims to have taken more would
otherwise drive its sender's numbers out of what can be encoded."""

RETRY_MS_MIN: Final = 2_000
"""A connected receiver that confirms nothing is sent the same again after this; a confirmation
takes a round trip and an fsync."""

RETRY_MS_MAX: Final = 60_000
"""And doubled up to this."""

EXPIRES_MS_DEFAULT: Final = 7 * 86_400_000
"""A message that could not be delivered for a week is given up, and its sender told."""

EXPIRES_MS_MAX: Final = 30 * 86_400_000
"""Nobody may ask for longer: relays and outboxes would keep what nobody fetches."""

KEPT_PER_PAIR_MAX: Final = 1_000
"""Messages of one sender to one receiver that a relay keeps."""

KEPT_PER_CELL_SIZE_BYTES_MAX: Final = 16 << 20
"""Bytes that a relay keeps of one sender, and for one receiver."""

KEPT_SIZE_BYTES_MAX: Final = 256 << 20
"""Bytes that a relay keeps in all, on its disk."""

KEPT_COUNT_MAX: Final = 100_000
"""Envelopes that a relay keeps in all; an index entry of 100 bytes each."""

KEPT_MS_MAX: Final = 7 * 86_400_000
"""How long a relay keeps an envelope."""

FORMER_KEY_MS: Final = KEPT_MS_MAX
"""How long after a rotation what was sealed for the key before is opened: as long as a relay may
have kept it for a sender that is away. After that only who seals it anew is heard."""

RUN_NAME_LENGTH_MAX: Final = 64
"""Characters of the name of something that a cell runs for others."""

POST_TITLE_LENGTH_MAX: Final = 256
"""Characters of the title of what another cell is asked to post."""

RUN_INPUT_SIZE_BYTES_MAX: Final = 56 * 1024
"""What a command is given, so that the request fits a body."""

RUN_OUTPUT_SIZE_BYTES_MAX: Final = 56 * 1024
"""What is kept of its output, so that the result fits a body."""

ROOM_MEMBERS_MAX: Final = 64
"""A message to a room is sealed for each member by itself."""

ROOM_ID_SIZE_BYTES: Final = 16
"""Random."""

ROOM_NAME_LENGTH_MAX: Final = 64
"""Characters."""

CODE_LENGTH_MAX: Final = 32
"""Of an error's code in a refusal, such as MYC-IDENTITY-308."""
