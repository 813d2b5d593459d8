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
"""Bytes of all orphans together; beyond it the newest is dropped and fetched again later."""

ORPHAN_GRACE_MS: Final = 40
"""How long a missing parent may still be on its way from its creator before we ask for it."""

LACK_GRACE_MS: Final = 300
"""How long we let a told but missing event arrive by itself before we ask for it."""

HAVE_INTERVAL_MS: Final = 500
"""Shortest time between two vectors told to one peer."""

WANT_PATIENCE_MS: Final = 2000
"""Without progress for this long, what we asked one peer for is asked of another."""

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
