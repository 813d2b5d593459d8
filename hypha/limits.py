"""Bounds of a hypha, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

from ledger.proof import TEXT_SIZE_MAX

TOKEN_SIZE_BYTES_MAX: Final = 1024
"""Bytes of a token file; a cell's token has 43."""

GENESIS_SIZE_BYTES_MAX: Final = 64 << 10
"""Bytes of a genesis file that are read: 128 members take 20 KiB."""

HEAD_SIZE_BYTES_MAX: Final = 16 << 10
"""Status line and headers of one answer; a cell's are below 1 KiB."""

ANSWER_SIZE_BYTES_MAX: Final = TEXT_SIZE_MAX + TEXT_SIZE_MAX // 64 + (64 << 10)
"""Bytes of one answer: the largest proof, whose line breaks take two signs each, and what is around
it. Times LIGHT_GATEWAYS_MAX: 25 MiB if all of them send as much as they may at once."""

ASKS_AT_ONCE_MAX: Final = 32
"""Questions to gateways under way, over all that clients ask; more wait for their turn."""

EVENTS_MAX: Final = 8_192
"""Pieces that one answer may come in: the largest over a bad line has some 1,100. Else a gateway
that sends single bytes would cost a second of computing for each answer."""

READ_SIZE_BYTES: Final = 1 << 16
"""Bytes that are taken from a connection at a time."""

IDLE_S_MAX: Final = 5.0
"""A connection that was not used for so long is opened anew; gateways close them after 15 s."""

ASK_TIMEOUT_S: Final = 8.0
"""A whole answer must come in this time, the connection included."""

SUBMIT_TIMEOUT_S: Final = 20.0
"""The same for a transaction that is handed on: it is fsynced before the answer."""

QUESTION_TIMEOUT_S: Final = 20.0
"""All gateways together must have led to a proven answer in this time; the gateway's own deadline
for its client is 30 s."""

FIRST_LOOK_S: Final = 3.0
"""After the start all gateways are asked for their heads before the state is asked for, but for no
longer than this: else the quickest could show something old."""

HEDGE_S: Final = 0.3
"""If the best gateway has not answered after this time, the next one is asked beside it. On a good
line an answer takes some milliseconds."""

ASK_AGAIN_S: Final = 0.25
"""Pause before the gateways are asked again, when all were behind or had no proof yet."""

POLL_S: Final = 2.0
"""How often a gateway is asked for its newest head: an answer without news has 60 bytes."""

RECEIPT_POLL_S: Final = 0.4
"""How often the proof of a transaction is looked for while somebody waits for it."""

HAND_ON_AGAIN_S: Final = 10.0
"""A transaction without a proof after this time is given to the next gateway too."""

FAILURE_PAUSE_S_MAX: Final = 60.0
"""Longest pause before a gateway is asked again that could not be reached; it begins with POLL_S
and doubles. Who asks the hypha something meanwhile has it tried at once."""

LIE_PAUSE_S: Final = 30.0
"""Pause after the first lie; it doubles."""

LIE_PAUSE_S_MAX: Final = 3600.0
"""Longest pause after a lie: a cell may have been mended."""

CONFIRMED_S: Final = 10.0
"""A gateway that said in this time that nothing is newer confirms the head."""

HEADS_KEPT_MAX: Final = 32
"""Newest heads that others are compared with: 300 KB with 128 members, 20 KB as a rule."""

EVIDENCE_MAX: Final = 16
"""Pairs of contradicting proofs that are kept as files: one is enough, and each is 3 MB at most."""

STEPS_RENEWED: Final = 8
"""With more steps than this the whole way is asked for with the next head: a cell may know a
shorter one than what was put together on the way."""

SIGNATURES_KEPT_MAX: Final = 4_096
"""Signatures that were right and need no second check: 0.5 MB."""

DETAIL_LENGTH_MAX: Final = 200
"""Characters of an error of a gateway as it is shown."""

HANDED_ON_MAX: Final = 1_024
"""Transactions that were handed on and are remembered until they are proven: 64 KiB each at most,
and HANDED_ON_SIZE_BYTES_MAX together."""

HANDED_ON_SIZE_BYTES_MAX: Final = 4 << 20
"""Bytes of those together; the oldest are forgotten first."""

EXPIRES_ROUNDS: Final = 2048
"""Rounds after which a transaction signed here is refused: whoever holds it back can not use it a
year later. A busy network needs a minute for them, a quiet one as long as it likes."""

STOP_TIMEOUT_S: Final = 5.0
"""Time for the gateway to close."""
