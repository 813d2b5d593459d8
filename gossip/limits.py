"""Bounds of the sync protocol and of event creation, each with its reason."""

from __future__ import annotations

from typing import Final

from core.limits import MESSAGE_SIZE_BYTES_MAX

FRAME_SIZE_BYTES_MAX: Final = MESSAGE_SIZE_BYTES_MAX
"""One frame on the wire, checked before anything is read into memory."""

EVENTS_FRAME_SIZE_BYTES: Final = 256 * 1024
"""Where a frame of events is cut: several fit a peer's queue, so a live event never waits long."""

EVENTS_FRAME_COUNT_MAX: Final = 1024
"""Events in one frame: bounds the verification work that one frame can ask for to ≈ 0.1 s."""

REASON_LENGTH_MAX: Final = 256
"""Characters of a refusal's reason."""

TIPS_MAX: Final = 64
"""Branches of one forked creator that are told apart in a vector."""

ORPHANS_PER_PEER_MAX: Final = 2048
"""Events whose parents are missing, kept for one peer."""

ORPHANS_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Encoded bytes of all orphans together, some 50 MB of memory. Beyond it whoever brought most loses
its newest ones; they are fetched again later."""

ORPHANS_AHEAD_MAX: Final = 2048
"""How far beyond its creator's known events one may be and still be kept: one that lacks more comes
again with those that it lacks."""

ORPHANS_PUZZLED_MAX: Final = 8
"""Orphans of one creator whose parents are all there but can not be told. An honest creator has one
at a time: what it makes next lacks that one."""

BRANCHES_MAX: Final = 8
"""Branches of one creator that are taken before an event of another creator needs more. Each costs
every later event four bytes in the hashgraph, and each tip 34 in a vector."""

SPONSORED_PER_MEMBER: Final = 2
"""Branches of one forker that events of one member may need beyond that, times the members. Those
that do not fork need no more than one each between them, whoever names which; this bounds the rest:
what forkers name, who work together."""

NEEDED_ORPHANS_QUICK: Final = 256
"""Up to so many orphans it is looked at once which held branches they need, in about 1 ms."""

NEEDED_INTERVAL_MS: Final = 500
"""With more orphans it is looked at so often at most: 80 ms for the fullest room."""

ORPHAN_GRACE_MS: Final = 40
"""How long a missing parent may still be on its way from its creator before we ask for it."""

LACK_GRACE_MS: Final = 300
"""How long we let a told but missing event arrive by itself before we ask for it."""

HAVE_INTERVAL_MS: Final = 500
"""Shortest time between two vectors told to one peer."""

WANT_PATIENCE_MS: Final = 2000
"""Without progress for this long, what we asked one peer for is asked of another."""

WANT_PROGRESS_SIZE_BYTES_MIN: Final = 64 * 1024
"""Bytes of new events that a peer has to bring in WANT_PATIENCE_MS to count as delivering: half the
speed of the slowest line we know of, ISDN. A slower one is kept only while nobody else is there."""

WANT_INTERVAL_MS_MIN: Final = 50
"""A peer's Wants are answered so far apart: 20 a second of ≈ 1 ms each."""

WANT_AGAIN_MS_MIN: Final = 1500
"""The same for a Want that asks for what was just sent: honest peers wait WANT_PATIENCE_MS."""

BACKOFF_DOUBLINGS_MAX: Final = 5
"""How often the graces before a Want double for a peer that keeps failing: to 10 s."""

WANT_DURATION_MS_MAX: Final = 30_000
"""After this long another peer is asked too, whatever comes: no peer can hold repair up."""

EVENT_INTERVAL_MS_MIN: Final = 5
"""Shortest time between two own events of a cell with time to spare: quick when little happens."""

EVENT_INTERVAL_MS_BUSY: Final = 20
"""The same for a busy cell: fewer signatures, fsyncs and frames, each with more transactions."""

EVENTS_PER_S_BUSY: Final = 200
"""Events of all members that a busy cell takes in: with more than four it makes fewer itself."""

EVENT_PATIENCE_MS: Final = 50
"""How long to wait at least for a step to be complete before an event is made without one."""

EVENT_PATIENCE_STEPS: Final = 2
"""The same in steps, where the network is slower: in step with it no event is made for nothing."""

EVENT_PATIENCE_MS_MAX: Final = 2000
"""The same at most: nobody may slow a cell down more than this by being slow itself."""

EVENT_GRACE_SHARE: Final = 0.4
"""How long a complete step waits for the events still on their way, in steps."""

EVENT_STEP_SMOOTHING: Final = 1 / 8
"""Weight of the newest step in how long a step takes: as TCP smooths its round trips (RFC 6298)."""

PARENTS_MAX: Final = 64
"""Other-parents of one own event, 2 KiB: all useful ones among up to 65 members."""

PAYLOAD_SIZE_BYTES_MAX: Final = 200 * 1024
"""Transaction bytes in one own event: an event fits a frame of EVENTS_FRAME_SIZE_BYTES."""

PAYLOAD_COUNT_MAX: Final = 2048
"""Transactions in one own event."""

SCORE_MAX: Final = 200.0
"""Most points a peer can have: twice a ban, so that forgiving takes a bounded time."""

SCORE_BAN: Final = 100.0
"""From here on a peer is disconnected and not talked to for a while."""

SCORE_THROTTLE: Final = 40.0
"""From here on a peer is served after all others."""

SCORE_AFTER_BAN: Final = 50.0
"""What is left of the points after a ban: half the misbehaviour is enough for the next one."""

SCORE_HALF_LIFE_MS: Final = 20_000
"""Points halve in this time: what a healed link or a restart cost is forgotten in two minutes."""

SCORES_MAX: Final = 2048
"""Peers and addresses whose score is kept: ≈ 0.3 KB each."""

BAN_MS_MIN_MEMBER: Final = 2_000
"""First ban of a member; each further one is twice as long, up to BAN_MS_MAX_MEMBER."""

BAN_MS_MAX_MEMBER: Final = 30_000
"""Longest ban of a member: consensus may need its weight, so it is always asked again."""

BAN_MS_MIN_STRANGER: Final = 30_000
"""First ban of a cell that has no vote."""

BAN_MS_MAX_STRANGER: Final = 3_600_000
"""Longest ban of a cell that has no vote."""

BAN_MS_MIN_ADDRESS: Final = 10_000
"""First ban of an IP address, for strangers only: new cell ids cost nothing, addresses do."""

BAN_MS_MAX_ADDRESS: Final = 60_000
"""Longest ban of an IP address: honest strangers may sit behind the same one."""

BAN_FORGIVEN_MS: Final = 600_000
"""After each such time without a ban the next one is half as long again."""

MEMBER_FRAMES_PER_S: Final = 2_000
"""Frames of a member a second. At most 200 carry its own events (EVENT_INTERVAL_MS_MIN), some 50
signatures, and answers come in large frames."""

MEMBER_FRAMES_BURST: Final = 4_000
"""What may gather while a connection or a machine stood still for two seconds."""

STRANGER_FRAMES_PER_S: Final = 1_000
"""Frames of a cell without a vote: HAVE, WANT, PING, and a FORWARD for each of its transactions."""

STRANGER_FRAMES_BURST: Final = 2_000
"""What it may send at once after a pause, or as an answer of ours asked for."""

MEMBER_CHECKPOINTS_PER_S: Final = 200
"""Signatures and certificates of a member: one a round, 20 rounds a second under full load."""

MEMBER_CHECKPOINTS_BURST: Final = 400
"""The same at once. More are left out: a later certificate covers them."""

STRANGER_CHECKPOINTS_PER_S: Final = 2
"""A cell without a vote signs nothing; it may pass a certificate on when it connects."""

STRANGER_CHECKPOINTS_BURST: Final = 16
"""The same at once."""

ANNOUNCEMENTS_PER_S: Final = 20
"""Spores and announcements of one peer: they change when a cell moves or joins."""

ANNOUNCEMENTS_BURST: Final = 512
"""The same at once: all cells that it knows, told when it connects."""

WANTS_PER_S: Final = 10
"""WANTs of one peer: honest ones come one at a time, when the last is answered."""

WANTS_BURST: Final = 40
"""The same at once, for short answers over a fast link."""

WANTED_AGAIN_MAX: Final = 2
"""How often a peer may be sent all that we have in one connection: once, and once again for answers
that it gave up on."""

WANTED_EVENTS_MIN: Final = 2_048
"""Events that a peer may ask for in any case, however few we have."""

REPEATS_PER_S: Final = 100
"""Events that a peer may send unasked although we know them: its own, repaired by others first."""

REPEATS_BURST: Final = 1_000
"""The same at once, after a pause."""

ANSWER_MS_MAX: Final = 120_000
"""How long after a WANT of ours events of others may come: four times as long as we wait."""

STRANGER_FORWARDS_PER_S: Final = 1_000
"""Transactions a second that a cell without a vote may ask a member to put."""

STRANGER_FORWARDS_BURST: Final = 8_192
"""The same at once: four full frames."""

STRANGER_BYTES_PER_S: Final = 1024 * 1024
"""Bytes a second of a stranger that answer no question of ours."""

STRANGER_BYTES_BURST: Final = 4 * 1024 * 1024
"""The same at once: what a cell that lost its vote hands over in one go."""

STRANGER_BULK_BYTES_PER_S: Final = 2 * 1024 * 1024
"""Bytes a second of old events for one stranger while this cell is busy."""

STRANGER_BULK_BYTES_BURST: Final = 4 * 1024 * 1024
"""The same at once."""
