"""Named bounds of the journal, each with its reason and the memory or disk it stands for."""

from __future__ import annotations

from typing import Final

BLOCK_SIZE_BYTES_MAX: Final = 4 << 20
"""Four wire frames; a larger thing is split by its owner. One block is held in memory whole."""

CHUNK_SMALL_SIZE_BYTES: Final = 2020
"""Small blocks share a row up to here: one read fetches little more than what was asked for, and
four full rows with SQLite's overhead fill a page (with 2,048 only three would fit)."""

CHUNK_LARGE_SIZE_BYTES: Final = 16 << 10
"""Larger blocks that arrive together share a row up to here: two database pages."""

SMALL_BLOCK_SIZE_BYTES: Final = 512
"""Up to here a block counts as small."""

BLOCK_OVERHEAD_BYTES: Final = 3
"""What a block of 256 bytes to 64 KiB takes in its row beside its own bytes."""

CHUNK_BLOCKS_MAX: Final = 256
"""Bounds the decoding of one row of tiny or empty blocks."""

TILE_HASHES: Final = 256
"""Leaf hashes in a full tile: 8 KiB, one database page."""

GROUP_HASHES: Final = 16
"""Leaf hashes under one stored level-4 hash."""

NODE_LEVEL_MAX: Final = 62
"""Sizes fit 63 bits, so no full subtree is higher."""

PROOF_HASHES_MAX: Final = 128
"""Twice the height of the highest tree; longer proofs are refused before anything is hashed."""

HEAD_TEXT_SIZE_BYTES_MAX: Final = 16 << 10
"""A signed head with room for about a hundred cosignatures; checked before parsing."""

HEAD_SIGNATURES_MAX: Final = 100
"""Signature lines on one head: the cell's own and its witnesses'."""

HEAD_LINE_LENGTH_MAX: Final = 4096
"""Characters of one of them: a name of 256, and a longer signature than any witness makes."""

JOURNAL_NAME_LENGTH_MAX: Final = 32
"""A journal's name is part of the origin of each of its heads."""

CLEAR_BLOCKS_STEP: Final = 16_384
"""Blocks cleared in one transaction, about 20 ms; commits that wait go in between."""

INLINE_SIZE_BYTES_MAX: Final = 96 << 10
"""A commit without an fsync of up to this much is written in the event loop's thread: that takes
less than a millisecond, and the way to the writer's thread and back as long as a small commit."""

INLINE_BLOCKS_MAX: Final = 128
"""Bounds the hashing of such a commit to 0.2 ms."""

ENCRYPTION_KEY_SIZE_BYTES: Final = 32
"""Of BLAKE2b, from which the keys of ChaCha20-Poly1305 are made."""

SALTS_CACHED_MAX: Final = 256
"""Ciphers kept per encrypted journal, one per salt (so per open of the store): 50 KB."""

SEAL_SIZE_BYTES: Final = 32
"""What encryption adds to a block: 16 bytes of salt before it, 16 of tag behind it."""

EVIDENCE_KEPT_MAX: Final = 16
"""Conflicts of one journal that are kept, two heads each: one alone proves the fault."""

EVENTS_QUEUED_MAX: Final = 1024
"""Events that wait in one subscription; appends that follow each other count as one."""

SUBSCRIPTIONS_MAX: Final = 256
"""Subscriptions of one store, 1024 events each."""

SNAPSHOTS_MAX: Final = 16
"""Snapshots open at once in one store: each has a connection, and keeps the log growing."""

FREE_PAGES_STEP: Final = 512
"""Pages given back to the file system in one step (4 MiB); commits that wait go in between."""

AUDIT_BLOCKS_STEP: Final = 256
"""Blocks audited between two turns of the event loop: a tile, about 1 ms."""

ORIGINS_CACHED_MAX: Final = 512
"""Origins remembered as well-formed, and their key ids: every commit signs a head of one."""

JOURNALS_MAX: Final = 64
"""A cell has five; each costs about 30 KB of memory (open tile and open chunk)."""

QUEUE_SIZE_BYTES_MAX: Final = 256 << 20
"""Bytes of all commits that wait for the writer; the next one is refused (QueueFull)."""

COMMIT_OVERHEAD_BYTES: Final = 512
"""Counted for each waiting commit, so that empty ones are bounded too (524,288 of them)."""

COMMIT_SIZE_BYTES_MAX: Final = 128 << 20
"""Bytes of one commit: half the queue, so that two writers can always alternate. A round of the
ledger that changes 40,000 keys of a large state, each on a page of 3 KB, fits."""

TRANSACTION_SIZE_BYTES_MAX: Final = 32 << 20
"""Bytes merged in one transaction: bounds the log's growth and what one failure hits."""

QUICK_FSYNC_MS: Final = 0.3
"""An fsync below this is quick: it holds the event loop no longer than a small commit."""

QUICK_FSYNCS_MIN: Final = 16
"""So many quick fsyncs in a row, and the next ones run in the event loop's thread."""

SLOW_FSYNC_PATIENCE: Final = 64
"""A slow one sends so many more to the thread before they count as quick again."""

FSYNCS_BEFORE_FILL: Final = 8
"""After so many durable commits the log gets its usual length, which takes 10 ms once."""

WAL_SIZE_BYTES: Final = 8 << 20
"""Once about this much was written, the write-ahead log is copied into the database."""

WAL_SIZE_BYTES_MAX: Final = 64 << 20
"""Writes wait for the copy once this much came meanwhile: bounds the disk and the next opening."""

WAL_REST_SIZE_BYTES: Final = 1 << 20
"""What may be left for the writer to copy itself, in about 4 ms."""

PAGE_SIZE_BYTES: Final = 8192
"""Measured best for chunk rows and tiles."""

CACHE_SIZE_KIB: Final = 4096
"""SQLite's page cache, for each of the two connections that need one."""

TILES_CACHED_MAX: Final = 512
"""Tiles kept in memory by the reader of one store, for 131,072 blocks: 13 KB each, 6.7 MB."""

NODES_CACHED_MAX: Final = 4096
"""Upper hashes kept in memory by the reader of one store: about 0.6 MB."""

ROWS_CACHED_SIZE_BYTES: Final = 16 << 20
"""Rows of blocks kept in memory by the reader of one store, Python's overhead counted: 110,000
blocks of 100 bytes. Only reads of single blocks fill it."""

ROW_CACHED_SIZE_BYTES_MAX: Final = 64 << 10
"""Larger rows (of one large block) are read again each time."""

SLOT_OVERHEAD_BYTES: Final = 48
"""What Python takes for a block of a cached row beside its own bytes."""

READ_ROWS: Final = 16
"""Rows fetched at a time by a range read: about 256 KiB, unless blocks are larger."""

QUERY_TIME_MS_MAX: Final = 2000
"""CPU time of one query: it runs in the event loop's thread, and is interrupted if it takes more.
Not the time that passes: others may keep a query of 10 ms from the processor for seconds."""

QUERY_ELAPSED_MS_MAX: Final = 30_000
"""Time that may pass during one query. Reads that wait for a slow disk take no CPU time, and hold
the event loop all the same; after 30 s the client that asked has given up. Only a cell that gets
less than a fifteenth of a processor is stopped by it in work that it may do."""

QUERY_STEPS: Final = 10_000
"""Virtual machine steps between two looks at the clocks, about 0.2 ms."""

LOCK_TIMEOUT_MS: Final = 5000
"""How long to wait for a lock held by another process (a backup, an inspection)."""
