"""Named bounds of the doctor, and from where on something is worth a word."""

from __future__ import annotations

from typing import Final

RUN_FILE_SIZE_BYTES_MAX: Final = 64 << 10
"""Most bytes of run.json that are read: a cell writes a few hundred."""

DISK_FREE_BYTES_MIN: Final = 64 << 20
"""With less the disk counts as full: one epoch of a busy network takes as much."""

DISK_FREE_BYTES_LOW: Final = 1 << 30
"""With less the disk is nearly full: a busy network writes that in a few hours."""

WAL_SIZE_BYTES_LARGE: Final = 256 << 20
"""The write-ahead log is written back from 16 MiB on; so much only if something keeps it open."""

FSYNC_PROBES: Final = 5
"""How often the disk is written to: the median tells, one slow write does not."""

FSYNC_MS_SLOW: Final = 100.0
"""A disk that turns takes 10 to 30 ms."""

FILES_MIN: Final = 512
"""Descriptors: 256 connections of clients, 64 of peers, the store, and room."""

MEMORY_FREE_BYTES_LOW: Final = 160 << 20
"""A cell takes 90 to 150 MB."""

CLOCK_BEHIND_NS: Final = 60_000_000_000
"""An own event may be so much newer than the clock says: the clock was set back since."""

CLOCK_APART_MS: Final = 30_000
"""Clocks of members may differ by so much: a link takes seconds at most."""

BOOTSTRAP_TIMEOUT_S: Final = 2.0
"""An address to find the network by has to take a connection in this time."""

BOOTSTRAPS_TRIED_MAX: Final = 8
"""Addresses that are tried, at two seconds each."""

COUNTED_SIZE_BYTES_MAX: Final = 2 << 30
"""Up to this size the pages of each table are counted, at some 500 MB/s."""

QUICK_CHECK_SIZE_BYTES_MAX: Final = 256 << 20
"""Up to this size SQLite checks the whole database, at some 200 MB/s; beyond only the heads."""

STARTING_S_MAX: Final = 60.0
"""A cell that has no address after this does not start, it hangs: 3 s are usual."""

LEFTOVERS_MAX: Final = 100
"""Half-written files that are named."""

TOKENS_NAMED_MAX: Final = 8
"""Tokens that are over and are named."""

CERTIFICATE_SOON_S: Final = 14 * 86_400
"""A certificate that ends within two weeks is worth a word."""

RSA_BITS_QUICK: Final = 2048
"""A handshake with such a key takes 0.4 ms, with 4,096 bits 4 ms, with a key on P-256 0.2 ms."""
