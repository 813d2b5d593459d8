"""Named bounds of the virtual disk, each with its reason."""

from __future__ import annotations

from typing import Final

SECTOR_SIZE_BYTES: Final = 512
"""What a disk writes whole or not at all: a torn write ends between two of these."""

PATH_SIZE_BYTES_MAX: Final = 1024
"""What SQLite gives a full path room for; a path of ours is `/sim/<mount>/<path in the cell>`."""

SHARED_REGIONS_MAX: Final = 4096
"""Regions of 32 KiB of one WAL-index: 16 million frames, of which a store has some thousands."""

LATENCY_HOP_MS: Final = (0.02, 0.2)
"""What the way to a thread and back takes, least and most, on an idle machine."""

LATENCY_SYNC_MS: Final = (0.05, 8.0)
"""What an fsync takes: a good SSD's 0.05 ms to a spinning disk's turn, short ones more often."""
