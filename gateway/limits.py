"""Named bounds of the gateway, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

BODY_SIZE_BYTES_MAX: Final = 8 << 20
"""Largest request body: 1,000 transactions of 4 KiB in hex."""

BODIES_SIZE_BYTES_MAX: Final = 32 << 20
"""All request bodies being read at once, times about 3 while they are parsed; then 503."""

HEAD_SIZE_BYTES_MAX: Final = 16 << 10
"""Request line and headers; ours are below 1 KiB. Times CONNECTIONS_MAX: 4 MiB."""

QUERY_SIZE_BYTES_MAX: Final = 8192
"""Query of a URL: the longest key in percent signs is 768."""

CONNECTIONS_MAX: Final = 256
"""Open connections, idle ones included, well below the usual limit of 1,024 descriptors."""

REQUESTS_MAX: Final = 224
"""Requests at work, waiting ones included; below CONNECTIONS_MAX so that refusals are coded."""

LIGHT_REQUESTS_MAX: Final = 64
"""Of those, what hyphae ask: others run them, and must leave room for the cell's own clients."""

BACKLOG_MAX: Final = 128
"""Connections the kernel holds before we accept them."""

HEAD_TIMEOUT_S: Final = 10.0
"""A connection must deliver a whole request head in this time, or it is closed."""

KEEP_ALIVE_TIMEOUT_S: Final = 15
"""Idle time after an answer. The client gives connections up sooner (myceld.client)."""

BODY_TIMEOUT_S: Final = 20.0
"""A whole body must arrive in this time; on loopback 8 MiB takes milliseconds."""

WAIT_TIMEOUT_S_MAX: Final = 600.0
"""Longest `timeout_s` of a request that waits for a stage; ask again to wait longer."""

WAIT_TIMEOUT_S_DEFAULT: Final = 30.0
"""`timeout_s` when a request does not say."""

WAIT_GRACE_S: Final = 5.0
"""How much later than `timeout_s` the cell may answer before the gateway gives up on it."""

READ_TIMEOUT_S: Final = 30.0
"""The cell must answer a question that waits for no stage in this time."""

STOP_TIMEOUT_S: Final = 3
"""Time for the last answers to leave when the gateway stops."""

RETRY_AFTER_S: Final = 1
"""What a 503 that can be retried suggests."""

LIST_LIMIT_DEFAULT: Final = 100
"""Items of a list when the request does not say."""

LIST_LIMIT_MAX: Final = 1000
"""Most items of one list answer."""

TRANSACTIONS_PER_SUBMIT_MAX: Final = 1000
"""Most transactions of one submit."""

JOURNAL_NAME_LENGTH_MAX: Final = 64
"""Longest journal name that is looked up."""

MESSAGE_EXPIRES_S: Final = 7 * 86_400
"""How long a message is tried when the request does not say."""

INVITE_EXPIRES_S: Final = 3600
"""Life of a ticket when the request does not say: time to hand it over, not to find it."""

ACCOUNT_NAME_LENGTH_MAX: Final = 128
"""Characters by which a client names an account: an id in hex has 64, a cell id fewer."""

GRANTS_MAX: Final = 256
"""Tokens and allowed keys that are good at one time: people and programs, not sessions."""

GRANTS_KEPT_MAX: Final = 512
"""Those and the last ones that ended, for `myceld token list`; 256 KiB of memory."""

GRANTS_FILE_SIZE_BYTES_MAX: Final = 1 << 20
"""Largest file of grants that is read: GRANTS_KEPT_MAX of 700 bytes, and room."""

GRANT_NAME_LENGTH_MAX: Final = 64
"""Characters of a grant's name."""

GRANT_EXPIRES_S_MAX: Final = 100 * 366 * 86_400
"""Longest life of a grant that ends; one without an end is made by leaving it out."""

RATE_WINDOW_S: Final = 60
"""Limits are in requests a minute."""

RATE_OPEN: Final = 100
"""Requests a minute of one address without a good token."""

RATE_TOKEN: Final = 1200
"""Requests a minute of one token or key that has no limit of its own: 20 a second."""

RATE_LIGHT: Final = 6000
"""Requests a minute of one address with the light token: a hypha asks once a second, for people
behind it more often, and several may share an address."""

RATE_FILES: Final = 1200
"""Requests a minute of one address for the explorer's files: a page has some 30 of them."""

RATE_COUNTED_MAX: Final = 8192
"""Addresses and tokens that are counted at one time, 200 bytes each; the one that asked least
recently is forgotten first."""

RATE_PAUSE_S: Final = 0.5
"""A refusal for asking too often is answered so much later. Whoever does not wait gets twice as
many refusals a second as it has connections, and no more of this cell's time."""

SIGNED_AGE_S_MAX: Final = 30.0
"""A signed request that is older is refused: clocks differ by a second, and lines are slow."""

SIGNED_AHEAD_S_MAX: Final = 5.0
"""How far the signer's clock may be ahead. For so long after a start no signed request is taken,
because which nonces were used before is not known any more."""

NONCES_MAX: Final = 65_536
"""Nonces of the last SIGNED_AGE_S_MAX + SIGNED_AHEAD_S_MAX seconds, 150 bytes each; when there are
more, signed requests get a 503: forgetting one would let it be used again."""

BEGIN_PER_ROUND_MAX: Final = 2
"""Requests that begin in one round of the event loop, some 1 ms of work: what the cell itself has
to do comes between."""

LANE_REQUESTS_MAX: Final = 128
"""Requests at work of one token, key or address, the owner's excepted: others find room."""

OWNER_REQUESTS_MIN: Final = 16
"""Of REQUESTS_MAX, what is kept for the owner: `myceld status` must work when all others crowd."""

PREFLIGHT_AGE_S: Final = 600
"""How long a browser may remember what another origin may send."""

INVITE_ADDRESSES_MAX: Final = 64
"""Most addresses that a request adds to a ticket; the cell takes fewer into it."""
