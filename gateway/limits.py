"""Named bounds of the gateway, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

BODY_SIZE_BYTES_MAX: Final = 8 << 20
"""Largest request body: 1,000 transactions of 4 KiB in hex."""

BODIES_SIZE_BYTES_MAX: Final = 32 << 20
"""All request bodies being read at once, times about 3 while they are parsed; then 503."""

HEAD_SIZE_BYTES_MAX: Final = 16 << 10
"""Request line and headers; ours are below 1 KiB. Times CONNECTIONS_MAX: 8 MiB."""

QUERY_SIZE_BYTES_MAX: Final = 8192
"""Query of a URL: the longest key in percent signs is 768."""

CONNECTIONS_MAX: Final = 512
"""Connections with a request at work or behind them, WebSockets not: some 20 KiB each. Beyond that
an idle one gives way to each that comes."""

SILENT_CONNECTIONS_MAX: Final = 1536
"""Connections that have not asked for anything yet, bare sockets of 2 KiB and what came of a head.
Honest ones are so for milliseconds; of others as many as one program can open are held until their
time is over, since each that gives way comes back at once. Three eighths of the files at most."""

REQUESTS_MAX: Final = 224
"""Requests at work, waiting ones included; below CONNECTIONS_MAX so that refusals are coded."""

LIGHT_REQUESTS_MAX: Final = 64
"""Of those, what hyphae ask: others run them, and must leave room for the cell's own clients."""

BACKLOG_MAX: Final = 4096
"""Connections the kernel holds before we accept them, as many as it usually allows: when it holds
no more, an honest client is not answered for a second."""

ACCEPTS_PER_ROUND_MAX: Final = 64
"""Connections accepted in one round of the event loop, some 2 ms of work."""

CLOSED_PER_ROUND_MAX: Final = 256
"""Of a crowd's connections, how many are closed as they come in one round, some 8 ms of work: those
that the kernel holds meanwhile are in the way of honest ones."""

ACCEPT_PAUSE_S: Final = 0.005
"""Behind a round in which some were: fewer rounds, each of which has a price of its own."""

ACCEPT_RETRY_S: Final = 0.1
"""When there is no room for another file, accepting is tried again so much later."""

HEAD_TIMEOUT_S: Final = 10.0
"""A connection must deliver a whole request head in this time, or it is closed."""

KEEP_ALIVE_TIMEOUT_S: Final = 15
"""Idle time after an answer. The client gives connections up sooner (myceld.client)."""

BODY_TIMEOUT_S: Final = 20.0
"""A whole body must arrive in this time; on loopback 8 MiB takes milliseconds."""

SEND_STALL_S_MAX: Final = 20.0
"""A connection that takes nothing of an answer for so long is cut, and its memory is free."""

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

STOP_DEADLINE_S: Final = 12.0
"""A process that was told to stop ends by itself after this, and is ended by the system after half
as long again: a clean stop takes 0.2 s, and 11 s when gateway and peers take all that they may."""

STOP_TASKS_TOLD_MAX: Final = 40
"""So many of the tasks that did not end are told; they are some thirty."""

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

STREAM_TAIL_ITEMS_MAX: Final = 4_096
"""Newest items of one kind that are held for subscribers: who is further behind is dropped."""

STREAM_TAIL_SIZE_BYTES_MAX: Final = 4 << 20
"""The same in bytes, of each of five kinds; in JSON up to three times that."""

STREAM_PAGE_ITEMS_MAX: Final = 200
"""Items read from the store at once, some 3 ms of the event loop."""

STREAM_PAGES_MAX: Final = 8
"""Pages of history in memory at once; of the largest values 12 MiB each in JSON, else 0.1."""

STREAM_ROOM_BYTES: Final = 32 << 10
"""How much one subscriber is given before the next one is looked at."""

STREAM_BUFFER_SIZE_BYTES_MAX: Final = 32 << 10
"""Bytes that a connection has not taken, after which it gets nothing more until it has. With one
batch on top and SUBSCRIBERS_MAX never reading: 25 MiB."""

STREAM_SOCKET_SIZE_BYTES: Final = 64 << 10
"""The kernel's buffer of such a connection, which it may double."""

SUBSCRIBERS_MAX: Final = 384
"""Connections with subscriptions, beside those of requests: together well below 1,024 files."""

SUBSCRIBERS_PER_CALLER_MAX: Final = 320
"""Of one token or key: what one program may take, and leave some for others."""

EVENT_SUBSCRIBERS_MAX: Final = 32
"""Of those, how many by server-sent events, each of which is a request at work."""

SUBSCRIPTIONS_MAX: Final = 16
"""Of one connection."""

SUBSCRIPTION_NAME_LENGTH_MAX: Final = 64
"""Characters of a subscription's name, which every frame carries."""

STREAM_COMMAND_SIZE_BYTES_MAX: Final = 4_096
"""Largest message of a subscriber: a prefix and a cursor of 256 bytes of key each, escaped."""

STREAM_COMMAND_PAUSE_S: Final = 0.02
"""Between two commands of a subscriber, each of which may read from the store."""

STREAM_PACE_S: Final = 0.05
"""Between two deliveries of one kind, at least: what comes meanwhile goes out in one write."""

STREAM_PACE_PER_SUBSCRIBER_S: Final = 0.0005
"""The same for each who gets it, who costs some 0.03 ms: however many there are, deliveries take
less than a tenth of the event loop, and SUBSCRIBERS_MAX are told within 0.2 s."""

HANDOUTS_MAX: Final = 16
"""Of a tail, how many handouts are kept for others at the same place until there is something new;
subscribers with other filters or places have theirs made for them alone."""

HANDOUT_NAMES_MAX: Final = 2
"""Of a handout, for how many names of subscriptions its messages are kept: with HANDOUTS_MAX of
STREAM_ROOM_BYTES and five kinds 5 MiB, of JSON up to three times that."""

STREAM_NEWS_S_MAX: Final = 5.0
"""After so long the store is looked at without news: a cell that jumped gives none of before."""

STREAM_TURN: Final = 32
"""Subscribers served before the event loop gets its turn, some 0.5 ms."""

STREAM_LOOK_S: Final = 0.5
"""How often subscribers' tokens and progress are looked at, while there are some."""

PEERS_LOOK_S: Final = 1.0
"""How often peers are looked at while somebody subscribes to them."""

STREAM_STALL_S_MAX: Final = 10.0
"""A connection with a full buffer must have taken some of it in this time."""

STREAM_PING_S: Final = 20.0
"""Between pings of a WebSocket, and so long it has for its answer."""

STREAM_CLOSE_S_MAX: Final = 3.0
"""Time to read what is left and to say goodbye; then the connection is cut."""

EVENT_HEARTBEAT_S: Final = 15.0
"""After so long without an item, server-sent events send a comment."""

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

RATE_LIGHT: Final = 6000
"""Requests a minute of one address with the light token: a hypha asks once a second, for people
behind it more often, and several may share an address."""

RATE_FILES: Final = 1200
"""Requests a minute of one address for the explorer's files: a page has some 30 of them."""

RATE_COUNTED_MAX: Final = 8192
"""Addresses and tokens that are counted at one time, 200 bytes each; the one that asked least
recently is forgotten first."""

BLOCKS_KNOWN_MAX: Final = 1024
"""Addresses whose block is remembered, 300 bytes each; finding it out takes longer than a look."""

RATE_OVER_AT_ONCE: Final = 10
"""Refusals that come at once: who counts its requests a little wrong should hear of it soon."""

RATE_PAUSE_S: Final = 0.5
"""Any further refusal for asking too often is answered so much later, and the connection closed."""

RATE_REFUSALS_PER_S: Final = 20.0
"""Such refusals to one token or address; more of them wait for each other, on sockets that are not
read meanwhile: a crowd's requests stay in the kernel, and take nothing of this cell's time."""

RATE_PAUSE_S_MAX: Final = 2.5
"""Longest such wait; below STOP_TIMEOUT_S."""

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

CROWD_MIN: Final = 16
"""So many requests that wait for their turn are a crowd; a browser opens six connections. Fewer of
the owner, or of callers with nothing else at work, go before a crowd."""

CROWD_REST: Final = 3
"""A crowd's round is followed by a pause of so many times what it took: a crowd of any size gets a
quarter of the event loop."""

CROWD_PAUSE_S_MAX: Final = 0.05
"""Longest such pause."""

REFUSED_WAITING_MAX: Final = 1024
"""New connections that wait for their refusal, bare sockets of 2 KiB. When there are more, the one
that has waited for longest is closed without: as long as it waits it does not come back."""

LANE_REQUESTS_MAX: Final = 128
"""Requests at work of one token, key or address, the owner's excepted, and never more than could
still begin (`gateway.room`): others find room."""

OWNER_REQUESTS_MIN: Final = 16
"""Of REQUESTS_MAX, what is kept for the owner: `myceld status` must work when all others crowd."""

PREFLIGHT_AGE_S: Final = 600
"""How long a browser may remember what another origin may send."""

INVITE_ADDRESSES_MAX: Final = 64
"""Most addresses that a request adds to a ticket; the cell takes fewer into it."""

LOG_WAITING_MAX: Final = 4096
"""Log lines that wait to be written, of some 200 bytes: 1 MB; more are dropped and counted."""

LOG_RECENT_MAX: Final = 2000
"""Newest log lines in memory, to be shown to clients: 0.5 MB, LOG_LINE_LENGTH_MAX each at most."""

LOG_LINE_LENGTH_MAX: Final = 8192
"""Characters of one log line; a longer one, such as a deep traceback, is cut."""

LOG_RETRY_S: Final = 5.0
"""After a write to a log file that failed, before it is tried again."""

LOG_FLUSH_S: Final = 1.0
"""How long the end of a process waits for its last log lines."""

GRANT_RATE_MAX: Final = 10**9
"""Highest limit of requests a minute that a grant can have: none, in other words."""

DESCRIPTORS_WANTED: Final = 4096
"""Open files a cell asks the system for: CONNECTIONS_MAX, as many WebSockets, peers, the store, and
room for connections that have not asked yet. The usual limit is 1,024."""

DAG_CURSOR_LENGTH_MAX: Final = 64
"""Characters of a cursor of the hashgraph: four numbers of twelve digits."""

HELLO_SIZE_BYTES_MAX: Final = 8 << 10
"""First message of a TLS client: 0.5 KiB, with a key for times of quantum computers 2 KiB. As many
wait for their handshake as SILENT_CONNECTIONS_MAX allows: 12 MiB if all were so large."""

HELLO_RECORDS_MAX: Final = 8
"""Records that it may come in; usually one."""

HANDSHAKES_MAX: Final = 384
"""Connections with TLS that have not asked for anything yet, in a handshake or behind it: 30 KiB
each in OpenSSL, 12 MiB. When there is one more, the oldest of the address that has most of them
gives way; of a crowd that gets its share an honest one has half a second, so far away it may be."""

HANDSHAKES_PER_ROUND_MAX: Final = 2
"""Handshakes that begin in one round of the event loop, 0.5 ms of work with a key on P-256."""

HANDSHAKES_LOOKED_MAX: Final = 32
"""Those looked at for it, some 0.1 ms of work: who has gone meanwhile gets none."""

HANDSHAKES_OF_ADDRESS_MAX: Final = 32
"""Of one address that wait for theirs. More are closed as they come, at 30 µs each: they would wait
for the others, and a crowd's hellos need not be read."""

HANDSHAKES_WAITING_MAX: Final = 512
"""The same of many addresses together, each of which may have one."""

HANDSHAKE_SHARE: Final = 0.125
"""Of the event loop, what handshakes with addresses take that nobody is known at."""

HANDSHAKE_SHARE_KNOWN: Final = 0.125
"""The same of addresses from where somebody came who may ask: both together a quarter."""

HANDSHAKE_BURST_S: Final = 0.8
"""So much of these shares can be saved up: a page that opens six connections waits for no pause."""

KNOWN_MAX: Final = 1024
"""Addresses that are known, 200 bytes each; who asked least recently is forgotten first."""

TLS_HEAD_SIZE_BYTES_MAX: Final = 64 << 10
"""What may come of a connection with TLS up to the end of the first request's head: a hello and a
head of the largest size, and what TLS adds to pieces of a few bytes."""

TLS_BARREN_SIZE_BYTES_MAX: Final = 64 << 10
"""What may come without a byte for us in it: messages that only keep TLS busy, at 10 to 20 µs each.
A record has 16 KiB at most."""

TLS_BUFFER_SIZE_BYTES: Final = 32 << 10
"""What is read of a connection with TLS at a time, and held for it as long as it lasts:
CONNECTIONS_MAX and SUBSCRIBERS_MAX take 28 MiB. The standard library's own is 256 KiB."""

TLS_CROWD_TOLD_S: Final = 600.0
"""That handshakes wait for their share is logged at most so often."""
