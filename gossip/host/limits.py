"""Named bounds of the libp2p host, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

SEED_SIZE_BYTES: Final = 32
"""Ed25519 (RFC 8032)."""

INBOUND_CONNECTIONS_MAX: Final = 128
"""Authenticated connections that others opened: 4 × the largest roster we test; ≈ 60 KiB each."""

INBOUND_PER_ADDRESS_MAX: Final = 40
"""Inbound connections from one IP address (IPv6: one /64). A home or a test machine may hold a
whole network of 31 cells behind one address; more is one party taking the slots of others."""

PURPOSE_GRACE_S: Final = 5.0
"""An inbound connection older than this that serves no stream of our protocols yields its place
when a newcomer needs it; a cell opens its stream two round trips after it connected."""

INBOUND_PER_PEER_MAX: Final = 4
"""Inbound connections of one peer id: one for gossip, one that it opens before it saw the first
fail, and two for other protocols."""

OUTBOUND_CONNECTIONS_MAX: Final = 128
"""Connections that we opened, in all: one for each cell of the largest roster we test, and as many
again for joining, following and discovery; ≈ 60 KiB each."""

DIALLING_MAX: Final = 32
"""Dials under way at once; others wait within their own deadline. A black hole holds its place for
as long as its caller allows, so this leaves room for the rest."""

UPGRADING_MAX: Final = 64
"""Connections in TCP, Noise or Yamux negotiation, so not yet authenticated; ≈ 100 KiB each."""

UPGRADING_PER_ADDRESS_MAX: Final = 16
"""The same for one IP address, so that silent connections of one sender leave room for others."""

UPGRADE_TIMEOUT_S: Final = 5.0
"""A negotiation takes 5 ms on loopback and 4 round trips elsewhere; silence longer than this only
holds a slot."""

NEGOTIATION_TIMEOUT_S: Final = 5.0
"""Same, for choosing the protocol of a new stream."""

CONNECTION_IDLE_S: Final = 30.0
"""An inbound connection without any stream for this long is closed: it only holds a slot."""

STREAMS_PER_PEER_MAX: Final = 8
"""Inbound streams of one peer at a time: one for gossip and a few for other protocols."""

NEGOTIATING_PER_PEER_MAX: Final = 8
"""Inbound streams of one peer that have not yet chosen their protocol; ≈ 10 KiB each."""

NEGOTIATING_MAX: Final = 512
"""The same in all: more than INBOUND_CONNECTIONS_MAX, so that a few peers can't block the rest."""

SERVICE_STREAMS_PER_PEER_MAX: Final = 4
"""Streams of libp2p's identify and ping that one peer holds at a time."""

SERVICE_STREAMS_MAX: Final = 256
"""The same in all; each holds a few KiB."""

STREAM_OPENINGS_BURST: Final = 64
"""Streams that a connection may open at once. Cells open three in its life, other implementations
of libp2p a handful; one that opens more loses the connection."""

STREAM_OPENINGS_PER_S: Final = 8.0
"""Pace at which that allowance grows again."""

STREAMS_MAX: Final = 256
"""Inbound streams in all; bounds RECEIVE_WINDOW_BYTES × this = 256 MiB if all of them attack, and
strangers are refused by the protocol above before they can send that much."""

CONNECTS_PER_S: Final = 20.0
"""Inbound connections a second from one IP address: a Noise handshake costs ≈ 5 ms of processor."""

REFUSALS_PER_S: Final = 200.0
"""Connections a second that are accepted only to be closed, from all addresses: ≈ 5 % of a core."""

REFUSALS_BURST: Final = 200
"""The same at once."""

REFUSALS_PAUSE_S: Final = 0.01
"""How long nothing is accepted when there are more."""

CONNECTS_BURST: Final = 200
"""The same at once: a whole network behind one address that is switched on, several times over."""

CONNECTING_ADDRESSES_MAX: Final = 1024
"""IP addresses whose connections are counted: ≈ 0.3 KB each."""

RECEIVE_WINDOW_BYTES: Final = 1 << 20
"""Bytes a peer may send on one stream beyond what we have read: 10 MB/s at 100 ms round trip."""

RECEIVE_SLACK_BYTES: Final = 128 << 10
"""Tolerance before a peer counts as ignoring the window: libp2p grants some credit on its own while
the protocol of a stream is chosen."""

RECEIVE_CREDIT_BYTES: Final = 256 << 10
"""Credit is given back in steps of this size: every credit is one encrypted frame."""

MUXER_BUFFER_BYTES_MAX: Final = 2 << 20
"""Bytes that wait inside Yamux for one connection, on streams nobody reads yet: 8 streams with
their first window of 256 KiB. Yamux itself enforces no bound at all."""

READ_CHUNK_BYTES: Final = 64 << 10
"""Largest piece taken from Yamux at once: its largest frame."""

SOCKET_READ_BYTES: Final = 64 << 10
"""Bytes asked of the kernel at once: one Noise message."""

EXACT_READ_BYTES_MAX: Final = 1 << 17
"""Longest item libp2p may ask for below Yamux. Noise messages have 64 KiB; a multistream message
that announces more is an attack on memory by a peer not yet authenticated."""

WEBSOCKET_MESSAGE_BYTES_MAX: Final = 256 << 10
"""Longest WebSocket message: four Noise messages, of which other implementations put one or a few
into one. Two such wait for a peer not yet authenticated."""

WEBSOCKET_OPENING_BYTES_MAX: Final = 32 << 10
"""Bytes read until a WebSocket is open: the HTTP headers, and the first message behind them."""

NEGOTIATION_MESSAGE_BYTES_MAX: Final = 1024
"""Longest multistream message on a new stream, so the longest protocol name (the libp2p limit)."""

IDENTIFY_MESSAGE_BYTES_MAX: Final = 8 << 10
"""Longest answer to identify; other implementations allow as much, with signed peer records."""

IDENTIFY_ITEMS_MAX: Final = 64
"""Protocols, and addresses, kept of an answer."""

IDENTIFY_TEXT_MAX: Final = 256
"""Letters kept of each text of an answer: agent, protocol name, address."""

SERVICE_TIMEOUT_S: Final = 5.0
"""How long one message of identify or ping may take."""

PING_ANSWERS_PER_S: Final = 10.0
"""Pings answered on one stream in a second; more wait in the peer's own window."""

PING_IDLE_S: Final = 60.0
"""A ping stream without a ping for this long is closed; others ping every 15 s or less."""

INTRODUCTIONS_MAX: Final = 512
"""Peers whose introduction is kept, ≈ 2 KiB each and 100 KiB at the very most; the least recent
goes first."""

INTRODUCTIONS_AT_ONCE_MAX: Final = 32
"""Introductions under way; connections beyond it are not asked who they are."""

INTRODUCTION_FRESH_S: Final = 60.0
"""A peer that connects again within this time is not asked again."""

WRITE_PIECE_BYTES: Final = 16 << 10
"""Data of one Yamux frame: other implementations fail on 64 KiB frames that arrive in small bits,
and a smaller piece lets other streams of the connection in between."""

WINDOW_POLL_S: Final = 0.002
"""First pause while the peer's receive window is full; doubles up to WINDOW_POLL_S_MAX."""

WINDOW_POLL_S_MAX: Final = 0.05
"""Largest such pause: 20 wake-ups a second for a peer that doesn't read."""

CLOSE_LINGER_S: Final = 2.0
"""How long a graceful close waits for the peer to close its side, so that the last bytes arrive."""

DROP_TIMEOUT_S: Final = 1.0
"""How long the orderly part of dropping a connection may take, before its tasks are cancelled."""

CLOSE_TIMEOUT_S: Final = 4.0
"""How long `PeerStream.close` waits in all; longer than CLOSE_LINGER_S + DROP_TIMEOUT_S."""

STOP_TIMEOUT_S: Final = 5.0
"""How long `Host.stop` waits for the trio thread; later the thread dies with the process."""

START_TIMEOUT_S: Final = 30.0
"""Importing libp2p takes 1 s, 10 s on a slow disk."""

HANDLERS_MAX: Final = 16
"""Protocols a host can answer: more is a programming error."""

DHT_BUCKET_MAX: Final = 20
"""k of the Kademlia paper and of libp2p: contacts of a bucket, and nodes that hold a record."""

DHT_BUCKET_HINTS_MAX: Final = 10
"""Contacts of a bucket that only others named. At most some 20 buckets can fill in a network of a
million nodes: 600 contacts, ≈ 300 KiB."""

DHT_ADDRESSES_MAX: Final = 4
"""Addresses kept and told of one node."""

DHT_KEY_BYTES_MAX: Final = 64
"""Longest key; ours are hashes of 32 bytes."""

DHT_KEYS_MAX: Final = 1024
"""Keys, so networks, that this node keeps providers of."""

DHT_PROVIDERS_PER_KEY_MAX: Final = 64
"""Providers kept of a key: twice the largest roster we test. All records full: 64 k of ≈ 500
bytes, 32 MiB, for which an attacker needs 4,096 identities."""

DHT_KEYS_PER_PROVIDER_MAX: Final = 16
"""Keys that one identity may provide here: a cell is in one network, a machine in a few."""

DHT_RECORD_LIFE_S: Final = 86400.0
"""How long a record lives without being told again."""

DHT_LOOKUP_PARALLEL: Final = 3
"""α of the paper: questions open at once."""

DHT_LOOKUP_QUERIES_MAX: Final = 48
"""Questions of one lookup: k, and as many again that don't answer."""

DHT_CANDIDATES_MAX: Final = 128
"""Nodes remembered by a lookup and not yet asked."""

DHT_FOUND_MAX: Final = 64
"""Providers that one search returns."""

DHT_OBSERVED_MAX: Final = 2
"""IP addresses at which peers see us, kept to be told when we listen on all of ours."""

DHT_MESSAGE_BYTES_MAX: Final = 48 << 10
"""Longest message: 84 contacts with four addresses each are 20 KiB."""

DHT_REQUESTS_PER_STREAM_MAX: Final = 16
"""Requests answered on one stream; others of libp2p send one or a few."""

DHT_QUERY_TIMEOUT_S: Final = 5.0
"""How long one node has to answer, the dial included."""

DHT_LOOKUP_TIMEOUT_S: Final = 20.0
"""How long a lookup takes at most; what was found until then counts."""

LISTEN_BACKLOG: Final = 256
"""Connections the kernel holds until we accept them; accepting costs microseconds."""

RESTART_DELAY_S: Final = 0.1
"""Pause before the trio side is started again after a crash; doubles up to RESTART_DELAY_S_MAX."""

RESTART_DELAY_S_MAX: Final = 10.0
"""Largest such pause: a cell whose host crashes at once is of no use, but heals by itself."""

RESTART_STABLE_S: Final = 60.0
"""A host that lived this long starts again with the first pause."""
