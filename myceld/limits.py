"""Named bounds of the client, and the words it shares with the API."""

from __future__ import annotations

from typing import Final

STAGES: Final = ("accepted", "stored", "ordered", "applied", "certified")
"""Stages of a receipt, each including those before it (gateway.views.Stage)."""

TIMEOUT_S_DEFAULT: Final = 30.0
"""Deadline of a call that does not say."""

WAIT_S_MAX: Final = 600.0
"""Longest wait the gateway accepts in one request."""

WAIT_GRACE_S: Final = 10.0
"""How much longer than the cell the client waits, so that the cell's own answer arrives."""

IDLE_S_MAX: Final = 5.0
"""A connection idle for longer is opened anew; the gateway closes them after 15 s."""

ANSWER_SIZE_BYTES_MAX: Final = 256 << 20
"""Largest answer that is read: a list of 1,000 blocks of 128 KiB in hex."""

LOCKS_READ_MAX: Final = 10_000
"""Lines of the system's list of file locks that are looked through, some 5 ms."""

RUN_FILE_SIZE_BYTES_MAX: Final = 16 << 10
"""Largest run.json or gateway.token that is read."""

MESSAGE_STEP_S: Final = 5.0
"""A stream of messages asks again after this time without news; so long its end may take."""

WATCH_STEP_S: Final = 20.0
"""How long one look for changes of the state waits: below what idle connections are cut after."""

CERTIFICATE_SIZE_BYTES_MAX: Final = 256 << 10
"""Most bytes that are read of a file of certificates."""

FRAME_SIZE_BYTES_MAX: Final = 16 << 20
"""Largest frame of a subscription that is read: the largest message, as JSON."""

STREAM_PATIENCE_S_DEFAULT: Final = 60.0
"""So long a subscription without a connection tries to get one: a restart of the cell, and more."""

STREAM_RETRY_S_MIN: Final = 0.1
"""First pause between two tries, doubled each time."""

STREAM_RETRY_S_MAX: Final = 5.0
"""Longest pause between two tries."""

GENESIS_SIZE_BYTES_MAX: Final = 1 << 20
"""Most bytes that are read of a genesis file."""

NETWORK_ID_SIZE_BYTES: Final = 32
"""A network's id is the SHA-256 of its genesis."""

FRAMES_QUEUED_MAX: Final = 4
"""Frames of a subscription that wait for a slow program before reading stops: 64 MiB at most."""

STREAM_GOODBYE_S_MAX: Final = 1.0
"""So long the end of a subscription waits for the cell's goodbye, which is behind unread frames."""

CONNECTIONS_MAX: Final = 16
"""Connections of an asynchronous client; what is asked beyond waits, within its deadline."""

TLS_TURN_SIZE_BYTES_MAX: Final = 16 << 10
"""Most that a thread writes in its turn in a TLS connection: what one record holds."""

LEAVING_S_MAX: Final = 5.0
"""So long a TLS connection that is closed waits for threads that it has woken: microseconds, unless
one was interrupted on its way out."""
