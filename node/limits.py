"""Bounds of the daemon's queues, caches and waits, each with its reason and what it stands for."""

from __future__ import annotations

from typing import Final

CONSENSUS_QUEUE_SIZE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of events that wait for the consensus task, of all peers together. Beyond it each peer has
one frame at most."""

MEMBER_LANE_COUNT_MAX: Final = 64
"""Frames of one member that wait for it."""

MEMBER_LANE_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Their bytes: eight full frames of events, so that an answer streams without a pause."""

MEMBER_SHARES: Final = 8
"""What a member gets done while a cell without a vote gets one share done."""

STRANGER_LANE_COUNT_MAX: Final = 16
"""Frames of one cell without a vote that wait."""

STRANGER_LANE_SIZE_BYTES_MAX: Final = 512 * 1024
"""Their bytes: two full frames, as it may be the one that answers us."""

CONSENSUS_BATCH_MAX: Final = 64
"""Inputs handled between two commits: bounds the time from an event to its fsync."""

LOAD_INTERVAL_S: Final = 0.25
"""Over how long the use of the processor is measured, to pace the making of events."""

LOAD_EASY: Final = 0.15
"""Share of a core up to which events are made as often as they can be of use."""

LOAD_BUSY: Final = 0.35
"""Share of a core from which on they are made least often: four cells then fit two cores."""

THREAD_SWITCH_S: Final = 0.0005
"""For `sys.setswitchinterval`: the network thread gets its turn sooner while others compute."""

EXECUTION_QUEUE_MAX: Final = 64
"""Decided rounds and certificate frames waiting to be applied; beyond it consensus waits."""

CHECKPOINTS_EARLY_MAX: Final = 512
"""Signatures and certificates of an epoch that this cell has not reached yet: four rounds of 128
members. Older ones are dropped, a later certificate covers them."""

ARCHIVES_MAX: Final = 2
"""Old epochs in memory for peers that are far behind: some 5 MB each."""

MEMPOOL_COUNT_MAX: Final = 20_000
"""Accepted transactions that wait for an event of ours: about a second at full speed."""

MEMPOOL_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Their bytes."""

OBSERVE_CHECK_MS: Final = 1_000
"""How often a cell that starts looks whether that patience is at its end."""

OBSERVE_SETTLE_MS: Final = 2_000
"""How long a cell that was started waits for all members to tell what they have of it, before
more than 2/3 of them are enough: their connections come up one after the other."""

OBSERVE_PATIENCE_MS: Final = 10_000
"""How long a cell that starts waits, without any progress, for own events that others claim."""

ACCUSE_TURN_MS: Final = 250
"""How much later than the member before it each one proves a fork: a round is decided in less."""

ACCUSE_CHECK_MS: Final = 5_000
"""How often a cell looks whether its proof of a fork has come through."""

ANNOUNCE_AGAIN_S: Final = 15.0
"""How often a cell looks whether its announcement of what its build knows has come through."""

HOMELESS_INTERVAL_MS: Final = 5_000
"""How often a cell without a vote asks a member again to put what has no place yet."""

HOMELESS_TRIES_MAX: Final = 60
"""How often for what clients of such a cell gave it: five minutes. It may never get a place, as
when another transaction took its nonce."""

HOMELESS_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of it at a time: half of what may wait for a peer."""

RECEIPTS_TRACKED_MAX: Final = 25_000
"""Transactions whose stages are remembered in memory: ≈ 0.6 KB each, 15 MB in all."""

TRACES_OPEN_MAX: Final = 10_000
"""Traced transactions that are not certified yet: ≈ 0.5 KB each; the oldest are not told."""

TRACES_QUEUED_MAX: Final = 4096
"""Spans that wait to be sent, ≈ 1 KB each; more are dropped by the SDK, which counts them."""

TRACE_EXPORT_S: Final = 5
"""For sending one batch, and for what is left when the cell stops."""

EVENT_CACHE_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Newest event bytes kept to be sent; older ones are read from the journal."""

HEADERS_CACHED_MAX: Final = 4096
"""Hashes of the newest round headers, to compare certificates with: 32 B each."""

VERIFY_THREADS: Final = 2
"""Threads that check signatures beside the event loop (libsodium releases the interpreter)."""

VERIFY_INLINE_MAX: Final = 2
"""Up to this many signatures are checked in the loop: a thread hop costs more (≈ 0.1 ms)."""

PEER_SESSIONS_MAX: Final = 256
"""Cells connected at once: a full roster and as many observers."""

STRANGER_SESSIONS_MAX: Final = 64
"""Cells without a vote connected at once: they never take the seats of members."""

SESSIONS_PER_S: Final = 1.0
"""Sessions that one cell may open a second: an honest one waits between two dials."""

SESSIONS_BURST: Final = 20
"""The same at once: a flapping link, a cell that is restarted again and again."""

STRANGERS_PER_S: Final = 2.0
"""Sessions a second of all cells without a vote at one IP address: new cell ids cost nothing."""

STRANGERS_BURST: Final = 32
"""The same at once: a household that was switched on."""

ADDRESSES_JUDGED_MAX: Final = 1024
"""Cells, and IP addresses, whose new sessions are counted: ≈ 0.3 KB each."""

GENESIS_PER_S: Final = 1.0
"""Answers of the genesis service to one IP address a second."""

GENESIS_BURST: Final = 32
"""The same at once."""

PEER_INFOS_MAX: Final = 1024
"""Cells whose counters and last error are kept: ≈ 0.4 KB each."""

READ_PAUSE_MS_MAX: Final = 1_000
"""Longest time that a peer over its budget is not read at once: it still gets its pings answered
before it takes us for silent."""

PEER_OUTBOUND_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes that wait for one slow peer before it is disconnected."""

STRANGER_OUTBOUND_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""The same for a cell without a vote: what it misses it can ask for again."""

OUTBOUND_SIZE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes that wait for all peers together; beyond it the one with the most is disconnected."""

PEER_STREAMING_SIZE_BYTES: Final = 512 * 1024
"""Below this many waiting bytes the next piece of an answer to a Want is queued."""

HANDSHAKE_TIMEOUT_MS: Final = 5_000
"""For the other side's HELLO."""

WRITE_TIMEOUT_MS: Final = 6_000
"""For one write to a peer, of at most 256 KiB: 43 KB/s. Slower ones are gone within ten seconds."""

DIAL_TIMEOUT_MS: Final = 5_000
"""For one dial, Noise and protocol negotiation included."""

DIAL_BACKOFF_MS_MIN: Final = 250
"""Before the second try of an address."""

DIAL_BACKOFF_MS_MAX: Final = 3_000
"""Longest time between two tries: a healed link is used again well inside ten seconds."""

PING_INTERVAL_MS: Final = 2_000
"""Between two pings on an otherwise quiet stream."""

PEER_SILENCE_MS_MAX: Final = 5_000
"""Without a byte for this long a peer counts as gone: two pings went unanswered."""

WAIT_S_MAX: Final = 600
"""Longest wait for a stage that a client may ask for."""

STOP_TIMEOUT_MS: Final = 8_000
"""For a clean stop, after which the process exits anyway."""

LATENCY_WINDOW: Final = 1024
"""Newest durations of one kind that p50 and p99 are taken from: 8 KiB, ten of them beyond p99."""

ARRIVALS_MAX: Final = 32_768
"""Events whose time to their place in the order is measured at once: 4 MB."""

TRANSFERS_SERVED_MAX: Final = 4
"""Cells that fetch a checkpoint from this one at once: each may take half of the time left."""

TRANSFER_PEERS_MAX: Final = 4
"""Cells that a checkpoint is fetched from at once."""

TRANSFER_READ_SIZE_BYTES: Final = 65_536
"""Read at once from a transfer's stream."""

TRANSFER_IDLE_MS: Final = 30_000
"""Without a request for this long a transfer is over."""

TRANSFER_ANSWER_MS: Final = 15_000
"""For an answer to a request; then another cell is asked."""

TRANSFER_WATCH_MS: Final = 100
"""How often a cell looks whether it is far behind."""

TRANSFER_CHECK_MS: Final = 50
"""How often it looks for more cells to fetch from, and whether all is there."""

TRANSFER_STUCK_MS: Final = 3_000
"""Without anything asked for this long a transfer begins anew, with whoever is connected then."""

TRANSFER_PAUSE_MS: Final = 2_000
"""Between two transfers, the first time."""

TRANSFER_PAUSE_MS_MAX: Final = 60_000
"""Between two transfers that came to nothing."""

GOSSIP_PATIENCE_MS: Final = 20_000
"""How long a cell tries to finish by gossip an epoch in which it has own events, without any
progress, before it jumps: nobody may have that epoch any more."""

AUDITS_REMEMBERED_MAX: Final = 64
"""Results of audits that are kept: one a journal."""

FORKS_SHOWN_MAX: Final = 100
"""Proven forks in one answer, the newest ones."""

PROPOSALS_SHOWN_MAX: Final = 1000
"""Proposals in the list of members: all that are open, and others up to so many."""

PROPOSALS_READ_AT_ONCE: Final = 250
"""Proposals that are looked at before others get their turn, some 5 ms: all that ever were are, to
find the newest ones."""

BLOCKS_SHOWN_MAX: Final = 1000
"""Journal blocks in one answer."""

INVITES_MAX: Final = 1000
"""Tickets kept, used and expired ones too: 1 KiB each with their uses."""

INVITES_SHOWN_MAX: Final = 100
"""Newest tickets in one answer."""

INVITES_KEPT_DAYS: Final = 30
"""How long a ticket is kept after it expired, to tell who used it."""

INVITE_USES_MAX: Final = 100
"""Cells that one ticket can bring in."""

INVITE_EXPIRES_S_MAX: Final = 30 * 86_400
"""Longest life of a ticket."""

INVITE_EXCHANGES_MAX: Final = 16
"""Newcomers served at the same time; each holds a stream and at most 80 KiB."""

INVITE_EXCHANGES_PER_SOURCE_MAX: Final = 4
"""Of them from one IP address, so that one silent party leaves room for others."""

INVITE_TIMEOUT_S: Final = 20.0
"""For one exchange: two round trips and an fsync."""

PROPOSE_CHECK_S: Final = 0.5
"""How often the inviter looks whether a newcomer has connected, while it waits for one."""

PROPOSE_RETRY_S: Final = 10.0
"""Before a proposal that could not be handed in is tried again."""

FAILPOINT_PAUSE_MS_MAX: Final = 60_000
"""Longest time that a failpoint holds a thread up: much longer than any peer's patience."""

FAULTS_INTERVAL_S: Final = 0.1
"""How often a cell that was started for tests of partitions looks for faults to have."""

FAULTS_FILE_SIZE_BYTES_MAX: Final = 64 * 1024
"""Its file: a thousand cell ids."""

FAULTS_HELD_MAX: Final = 64
"""Reads of 64 KiB that wait on a slow link before no more is taken from it: 4 MiB a stream."""

FAULTS_DELAY_MS_MAX: Final = 60_000
"""Longest delay of a link: much longer than any peer's patience."""

FAULTS_SKEW_MS_MAX: Final = 366 * 86_400_000
"""Farthest that a clock is put wrong: a year."""

TRUST_ROWS_PER_SLICE: Final = 512
"""Attestations that are read from the state at once: ≈ 10 ms. An issuer's revoked ones stay there,
so it can have more than that."""

TRUST_ISSUERS_PER_SLICE: Final = 64
"""Issuers of which they are read at once, with one query each."""

TRUST_STEPS_PER_SLICE: Final = 20_000
"""Edges along which trust is passed on at once: ≈ 10 ms."""

TRUST_CELLS_SHOWN_MAX: Final = 1_000
"""Cells of an answer about trust, those with the highest scores."""

TRUST_SCOPES_SHOWN_MAX: Final = 100
"""Own attestations of one cell that an answer shows, one a scope."""

TRUST_SCOPES_VIEWED_MAX: Final = 8
"""Scopes with a view beside the general one: each is a graph, 30 MB with 100,000 attestations."""

TRUST_EDGES_SHOWN_MAX: Final = 10_000
"""Attestations among them that an answer shows, ≈ 150 bytes each."""

MESSAGES_PER_COMMIT_MAX: Final = 512
"""Messages journaled in one transaction: 35 MB of the largest, 300 KB of usual ones."""

MESSAGES_LEARNED_MAX: Final = 256
"""Statements about messages that wait to be written without an fsync, half a KB each."""

MESSAGES_LEARNED_S: Final = 0.1
"""How long they wait, if no message is written meanwhile."""

LINE_IDS_MAX: Final = 64
"""Ids that a cell had before which are looked for where something is kept under one of them."""

LINES_KNOWN_MAX: Final = 4_096
"""Cells of which it is remembered under which keys they went; 300 bytes each."""

MESSAGES_RECENT_MAX: Final = 512
"""Signed messages in memory after they were journaled, to be sent without reading them back: two
windows of them, 0.3 MB of usual ones."""

MESSAGE_READ_SIZE_BYTES: Final = 65_536
"""Read from a stream of messages at once; what is in it is journaled before more is read."""

MESSAGE_LINKS_MAX: Final = 128
"""Streams of messages in all: as many as the host has connections for either way."""

MESSAGE_LINKS_PER_PEER_MAX: Final = 2
"""Streams with one cell: both may dial at once."""

MESSAGE_STRANGER_LINKS_MAX: Final = 64
"""Of these, with cells without a vote, so that they leave room for members."""

MESSAGE_STRANGER_UNREAD_BYTES_MAX: Final = 4 << 20
"""Messages of one cell without a vote that nobody here has read yet; then it has to wait."""

MESSAGE_STRANGERS_UNREAD_BYTES_MAX: Final = 256 << 20
"""The same of all of them together: what strangers can make a cell store."""

MESSAGE_FRAMES_PER_TURN: Final = 32
"""Frames dealt with between two turns of the event loop: 5 ms of signatures."""

MESSAGE_OWED_TRIES_MAX: Final = 5
"""Dials for the sake of a receipt alone: a later one says the same."""

MESSAGE_LINK_IDLE_S: Final = 30.0
"""A stream on which nothing moved for so long is closed by whoever dialled."""

MESSAGE_LINK_SILENCE_S: Final = 90.0
"""And by the other end after this."""

MESSAGE_LINK_SIZE_BYTES_MAX: Final = 4 << 20
"""Bytes that wait to be written to one peer: a window, and what a relay hands over."""

MESSAGE_DIAL_MS_MIN: Final = 500
"""Pause after a first failed dial to a cell for which something waits."""

MESSAGE_DIAL_MS_MAX: Final = 15_000
"""And doubled up to this."""

MESSAGE_DIALS_MAX: Final = 8
"""Dials at once: each may last DIAL_TIMEOUT_MS."""

MESSAGE_RELAYS_MAX: Final = 2
"""Members that are asked to keep a message for a cell that is away."""

MESSAGE_RELAY_PAUSE_MS: Final = 30_000
"""How long a relay that was full is not asked again."""

MESSAGE_COLLECT_S: Final = 600.0
"""How often a cell asks the members it is connected to for what they keep for it, in case they can
not dial it."""

MESSAGE_OWED_MAX: Final = 1_000
"""Cells that are owed a receipt for what was read, and are not connected."""

MESSAGE_WORDS_MAX: Final = 10_000
"""Receipts, refusals and floors that a relay keeps, 250 bytes each."""

MEMBER_MESSAGES_PER_S: Final = 4_000.0
"""Messages and statements a second of a member: checking one costs 0.15 ms."""

MEMBER_MESSAGES_BURST: Final = 4_000
"""The same at once."""

STRANGER_MESSAGES_PER_S: Final = 20.0
"""Of a cell without a vote."""

STRANGER_MESSAGES_BURST: Final = 512
"""The same at once: two windows, as what waited for us comes in one go."""

AUDIT_WAITING_MAX: Final = 512
"""Rows of the audit journal that wait to be written, 0.5 KB each; more are counted only."""

AUDIT_PAUSE_S: Final = 0.5
"""How long rows wait, so that one commit takes many."""

AUDIT_WINDOW_MS: Final = 60_000
"""Acts alike in this time are counted together, beyond the first ones."""

AUDIT_ALONE_MAX: Final = 20
"""Acts alike that get a row each in a window; of refusals the first one does."""

AUDIT_WINDOWS_MAX: Final = 1_024
"""Kinds of acts that are counted at once, 0.5 KB each; beyond it those of all others together. So
the journal grows by at most 21 rows a minute for each of them, whatever peers do."""

AUDIT_KEPT_MAX: Final = 1_000_000
"""Rows that are kept; older ones are deleted, and the proofs of the others stay valid: 300 MB."""

AUDIT_PRUNE_STEP: Final = 10_000
"""How many there may be more before that is done."""

AUDIT_SCANNED_MAX: Final = 20_000
"""Rows that are looked at for one answer: ≈ 0.2 s, in slices."""

AUDIT_SLICE: Final = 500
"""Rows that are read at once, ≈ 5 ms."""

CHALLENGES_PER_S: Final = 1.0
"""Challenges of one cell that are answered a second: each costs a signature."""

CHALLENGES_BURST: Final = 16
"""The same at once."""

CERTIFIED_LAG_ROUNDS_MAX: Final = 256
"""Rounds that may be applied and not certified before the cell says so: seconds at full speed."""

MESSAGES_WAITING_SHARE: Final = 0.9
"""Share of the messages that may wait to be delivered from which on the cell says so."""

INTERACTION_CHECK_S: Final = 60.0
"""How often it is looked whether to sign an interaction with somebody."""

INTERACTION_AFTER_S: Final = 3_600.0
"""How long a connection has to have lasted: one that comes and goes was of little use."""

INTERACTION_INTERVAL_S: Final = 86_400.0
"""Between two interactions with one cell for being of one history: eight of them count."""

INTERACTIONS_READ_MAX: Final = 1_024
"""Newest interactions that are read at a start, and shown: eight of each member, ≈ 0.1 s for
signatures, ≈ 0.1 MB."""

INTERACTIONS_LISTED_MAX: Final = 128
"""Of its own that a cell lists in one answer: two signatures each are checked, ≈ 20 ms."""

INTERACTIONS_SHOWN_TO_MAX: Final = 4
"""Cells that ask for interactions at once: each costs an fsync, and some ten reads a proof."""

INTERACTIONS_ASK_S: Final = 10.0
"""In which another cell has to show a page of interactions, and this one has to have shown it."""

EXCHANGES_KNOWN_MAX: Final = 1_024
"""Exchanges that the other end may still want to have signed, ≈ 0.2 KB each."""

EXCHANGE_KNOWN_S: Final = 300.0
"""How long it may: the clocks of both must agree as well."""

MESSAGE_RUN_TIMEOUT_S: Final = 60.0
"""A command that another cell asked for is killed after this, with all that it has started."""

MESSAGE_WORK_PAUSE_S: Final = 1.0
"""Pause before a transaction is handed on again that could not be taken, as without a quorum."""

MESSAGES_UNDONE_PAGE: Final = 64
"""Messages that ask for something and are read at once."""

STATE_PROOF_TRIES_MAX: Final = 50
"""How often a certified state is looked for to answer a question, while rounds go on."""

STATE_PROOF_WAIT_S: Final = 0.02
"""Pause between two looks: a round takes some ten milliseconds, so they fall between rounds."""

CONTENT_CHECK_S: Final = 1.0
"""Pause after a round was applied, so that what changed is looked at together."""

CONTENT_RETRY_S: Final = 10.0
"""Pause after somebody could not give what is missing."""

CONTENT_LOOKED_AT_MAX: Final = 256
"""Contents that are looked through between two turns of the event loop: under a millisecond."""

CONTENT_NOTED_MAX: Final = 4_096
"""Contents that changed, or that nobody could give: 0.4 MB each. Beyond that all are looked at."""

CONTENT_SERVED_MAX: Final = 8
"""Peers that fetch content at once: 8 MiB in memory."""

CONTENT_TIMEOUT_S: Final = 30.0
"""A megabyte must come in this time."""

CONTENT_KEPT_SIZE_BYTES_MAX: Final = 4 << 30
"""Bytes of content that a cell keeps. Beyond that copies go that are only kept for others."""

LIGHT_HEADS_KEPT_MAX: Final = 8
"""Proofs of the newest head that are kept for hyphae, by the epoch that they begin with: those that
follow all begin with the present one or the one before. 8 MiB at most, 20 KB as a rule."""

NUCLEUS_SCANNED_MAX: Final = 10_000
"""Rows of its own journal that the nucleus reads at a start: 1 MB, 30 ms."""

HEALTH_CHECK_S: Final = 5.0
"""How often it is looked how the services are: some 0.1 ms each time."""

HEALTH_ROWS_BURST: Final = 8
"""Rows about one service that are written at once."""

HEALTH_ROW_S: Final = 600.0
"""And then one every ten minutes: what flaps for a day writes 20 KB."""

ACCESS_CHECK_S: Final = 60.0
"""How often it is looked whether who reads a journal still may."""

PROOF_PATIENCE_MS: Final = 30_000
"""How long a message waits for the proof that it needs, before it is refused."""

PROOFS_AWAITED_MAX: Final = 256
"""Cells whose next message waits for a proof; of more it is refused at once."""

PROOF_PAUSE_MS: Final = 1_000
"""Least time between two proofs to the same cell, whatever it asks for."""

PROOFS_UNDER_WAY_MAX: Final = 8
"""Proofs of our own key that are given at once; others wait until they are asked for again."""

DIAGNOSIS_ANSWER_S: Final = 10.0
"""How long an answer about a divergence may take: a proof of an old round reads a few pages."""

DIAGNOSIS_SERVED_MAX: Final = 4
"""Cells that are told at once where their state differs: it is rare, and can wait."""

DIVERGENCE_RETRY_S: Final = 2.0
"""Pause before the others are asked again where the state differs: nobody was connected."""

STATE_KEYS_PER_QUERY: Final = 250
"""Keys or pages that one statement reads."""

PAGE_LOGS_PER_QUERY: Final = 16
"""Rows of the log of pages read at once: 0.2 MB each in rounds of a thousand changes."""

MAP_KEYS_TOLD: Final = 100_000
"""Keys of a map that is made anew between two lines that say how far it is: some two seconds."""

STATE_ROWS_PER_QUERY: Final = 4096
"""Heads of pages read at once at start: the journal's bound for a query is two seconds."""

PRUNED_ROWS_MIN: Final = 64
"""Old rows of the state that go with each round, beside two for each that it writes: so they go
faster than they come, and none of it takes a millisecond."""

DIFF_CHANGES_MAX: Final = 100_000
"""Changes that are looked through for one page of differences, some 0.1 s."""

OVERLAY_KEYS_MAX: Final = 4096
"""Changes that are undone in memory to prove something of an earlier round: 0.2 s, 5 MB."""

WATCHERS_MAX: Final = 64
"""Clients that wait for changes of the state at once: each costs a query a round."""

WATCH_CHANGES_MAX: Final = 10_000
"""Changes that are looked through for one page of what a prefix's keys became, some 20 ms."""

STATE_PAGE_SIZE_BYTES_MAX: Final = 4 << 20
"""Bytes of values in one answer about many of them; as JSON, in text and hex, three times that."""

MULTISIGS_SCANNED_MAX: Final = 4_096
"""Multi-signature accounts that are looked through for those of a key: 25 µs each, a tenth of a
second in all."""

CLOCK_EVENTS_REMEMBERED: Final = 16
"""Newest events of a member by which its clock is judged: 128 bytes a member."""
DAG_EVENTS_SHOWN_MAX: Final = 500
"""Events in one answer about the hashgraph, some 350 bytes each: it is rendered in 5 ms."""

DAG_SLICE_EVENTS: Final = 50
"""Of such an answer, events that are put together before others get their turn: 2 ms."""

DAG_SCAN_EVENTS_MAX: Final = 4_000
"""Events that are looked at for one answer about some rounds: 2 ms. The next one goes on there."""

DAG_ROUNDS_SHOWN_MAX: Final = 256
"""Rounds in one answer of news of the hashgraph; the next one goes on there."""

UNDECIDED_SHOWN_MAX: Final = 16
"""Undecided rounds that are told one by one. There are three or four, unless a quorum is away."""

WHY_PATH_EVENTS_MAX: Final = 32
"""Steps from a judge's chain down to an event that an answer shows. Most paths have two to five."""

WHY_TRANSACTIONS_SHOWN_MAX: Final = 200
"""Transactions of one event that an answer lists."""

COLLECTOR_YOUNG_MAX: Final = 20_000
"""New containers after which the garbage collector looks at them; Python's own 700 found nearly
nothing and took 8 % of what changes of the state take; 20,000 are some 2 MB."""
