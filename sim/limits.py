"""Named bounds of the simulator, each with its reason and the memory it stands for."""

from __future__ import annotations

from typing import Final

CALLBACKS_AT_ONE_TIME_MAX: Final = 2_000_000
"""Callbacks without any virtual time passing before the run counts as a livelock: computing takes
no virtual time, and a cell that replays 50,000 events makes some 500,000. Found in ≈ 10 s."""

CANCELLED_TIMERS_MAX: Final = 1_000
"""Cancelled timers kept in the heap before it is cleaned, ≈ 0.5 KiB each: most deadlines are."""

COLLECT_AFTER_CALLBACKS: Final = 2_000
"""Garbage of the younger generations is collected after so many callbacks, ≈ 10 ms of work."""

SIGNATURES_KEPT_MAX: Final = 8_192
"""Right signatures kept so that no other cell works on them again, ≈ 1.5 KiB each."""

EVENTS_KEPT_MAX: Final = 16_384
"""Decoded events that the referee and the last checks share, ≈ 2 KiB each; a run has some 5,000."""

COLLECTIONS_PER_WHOLE: Final = 500
"""Every so many collections all of the garbage is collected: ≈ 0.5 s in ≈ 20 s of work."""

ROUND_TRIPS_OF_A_DIAL: Final = 4
"""TCP, Noise, Yamux and the choice of a protocol, as the real host needs."""

WINDOW_BYTES: Final = 1 << 20
"""Bytes a peer may have unread on one stream: the real host's RECEIVE_WINDOW_BYTES."""

PIECE_BYTES: Final = 64 << 10
"""Most bytes that travel as one: the real host's largest frame."""

PACKET_BYTES: Final = 1_400
"""Payload of one packet, each of which may be lost."""

RETRANSMISSION_S_MIN: Final = 0.2
"""Shortest wait before a lost packet is sent again (Linux); it doubles with each loss in a row."""

RETRANSMISSION_S_MAX: Final = 3.2
"""Longest such wait that matters here: sessions give up after 5 s of silence."""

RETRANSMISSIONS_MAX: Final = 8
"""Losses in a row of one packet; a link that loses all is cut instead."""

HELD_ITEMS_MAX: Final = 4_096
"""Items (pieces, credits, ends) that wait at a cut link for one direction of a connection; the
window bounds their bytes to 1 MiB. A connection with more is broken."""

TAP_BYTES_MAX: Final = 8 << 20
"""Bytes that wait beyond the window on one stream because a tap injected or multiplied frames."""

BASE_DELAY_S: Final = 0.005
"""Delay of a link unless told otherwise: one way, between homes in one country."""

JITTER_S: Final = 0.002
"""Most that chance adds to it."""

WAITING_CHANNELS_MAX: Final = 256
"""Connections with something to send again when a cut link heals, of one link; the oldest are
given up, as a kernel gives up the sockets of programs that closed them."""

MACHINES_MAX: Final = 250
"""One to an address of 10.0.0.0/24."""

EPHEMERAL_PORT_MIN: Final = 40_000
"""First port that a dialling machine uses; 20,000 follow, then they begin again."""

EPHEMERAL_PORTS: Final = 20_000
"""How many of them there are."""

SMALL_BYTES: Final = 64
"""Size of what carries no data: a credit, an end, a step of a handshake."""

SCENARIO_SIZE_BYTES_MAX: Final = 1 << 20
"""Longest scenario file that is read: some 8,000 actions."""

TRACE_KEPT_MAX: Final = 200
"""Last lines of a trace that a verdict can show, ≈ 30 KiB."""

FINDINGS_MAX: Final = 20
"""Findings kept of one run: what follows the first is mostly its consequence."""

RECOVERY_MS_MAX: Final = 45_000
"""Longest time from the healing of a core until it has certified something new and agrees: restart,
5 s of silence until sessions break, dials 10 s apart at most, 10 s of observing, catching up."""

SETTLE_STEP_MS: Final = 100
"""How often it is looked whether the core agrees."""

RESTART_PAUSE_MS: Final = 500
"""Until a person has seen that a cell stopped, and started it again."""

OVERLOAD_CLIENTS: Final = 20
"""Clients that ask one cell at once when it is overloaded."""

CPU_S_PER_VIRTUAL_S_MAX: Final = 10.0
"""Of processor time, which says the same on a machine that does much else: a run that takes more
hangs, or is so slow that it is a finding."""

REAL_S_PER_CPU_S_MAX: Final = 10.0
"""A run that hangs without computing is ended too: one that computes gets a tenth of a core."""

NO_QUORUM_SETTLE_MS: Final = 3_000
"""Until what was on its way when members died has arrived."""

NO_QUORUM_MS: Final = 15_000
"""How long it is watched then that nothing is ordered without a quorum."""
ORACLE_EVENTS: Final = 90
"""Events of one epoch that the oracle reads, which takes it 0.2 s: some ten rounds of four."""

ORACLE_EVENTS_BEHIND_FORK: Final = 50
"""It reads so far beyond the first fork of an epoch: some five rounds, in which votes on it end."""

ORACLE_EVENTS_MAX: Final = 160
"""But no further than this: its work grows with the third power."""

WALLET_PAUSE_S: Final = 0.6
"""In the mean, between what a wallet submits: some ten transactions in a run."""

ORACLE_EPOCHS_MAX: Final = 2
"""Epochs of one run that the oracle reads, those with most forks first."""

CERTIFICATES_CHECKED_MAX: Final = 20
"""Newest certificates of each cell whose signatures are checked again, ≈ 0.3 ms each."""

CLOSING_MS_MAX: Final = 10_000
"""Longest time in which a cell reads all it holds."""

AT_THE_DOOR: Final = 0.5
"""How probably clients wait for a cell to let them in."""

AT_THE_DOOR_MAX: Final = 3
"""How many of them at the most."""

PUT_BACK_AGAIN_MS: Final = 50
"""How often it is looked whether an old copy of a disk may be put back."""

MACHINE_PRANA: Final = 10**9
"""Base units that each cell begins with: enough for all fees of a run."""

FEES_SHARE: Final = 0.5
"""Of the runs, in which transactions cost something."""
