"""Bounds of the discovery of a running cell, each with its reason."""

from __future__ import annotations

from typing import Final

TICK_MS: Final = 500
"""How often news are passed on: at most two small frames a second to a peer."""

INTERFACES_INTERVAL_S: Final = 15.0
"""How often the machine's addresses are looked at: a laptop that changes networks is found soon."""

NEWS_MAX: Final = 256
"""Announcements that wait to be passed on; each can only be replaced by a newer one."""

TOLD_BURST_MAX: Final = 512
"""New announcements that one peer may tell at once: all that a spore can hold, twice."""

TOLD_PER_S: Final = 1.0
"""And in the long run; more is dropped unread. News are passed on to all other peers, so this is
also what a cell that signs new words without end can make us send to each: 5 KB a second."""

SPORES_BURST_MAX: Final = 4
"""Spores that one peer may send at once: its own and another's, at two connections."""

SPORES_PER_S: Final = 0.1
"""And in the long run."""

SPORE_FRESH_S: Final = 5.0
"""How long a spore that was made may be told again: many cells may connect at once."""

SEEK_AFTER_S: Final = 1.5
"""How long members may be missing before finders are asked: most connect by themselves."""

SEEK_INTERVAL_S_MIN: Final = 3.0
SEEK_INTERVAL_S_MAX: Final = 300.0
"""Between two searches: doubled as long as nothing is found, so that a seed's server lives."""

SOUGHT_MAX: Final = 16
"""Cells that are no members and are tried while nobody is connected."""

SEED_SIZE_BYTES_MAX: Final = 3 * 1024 * 1024
"""A seed file or download; a spore file is never larger."""

SEED_TIMEOUT_S: Final = 10.0
"""For one seed from first to last byte."""

SEED_READ_TIMEOUT_S: Final = 4.0
"""For each wait on the server's socket: a thread that was left behind ends by itself."""

MDNS_CELLS_MAX: Final = 128
"""Cells of the network noted from a LAN; further ones are ignored until some leave."""

MDNS_TIMEOUT_S: Final = 6.0
"""For one record to be resolved, announced (which takes 1.5 s by the standard), or taken back."""

MDNS_RESOLVING_MAX: Final = 8
"""Records that are resolved at the same time; others wait for the next repetition."""

MDNS_TTL_S: Final = 120
"""How long others remember our record without hearing it again."""

DHT_TIMEOUT_S: Final = 20.0
"""For one search or one publication: a DHT asks many cells one after the other."""

DHT_ADVERTISE_INTERVAL_S: Final = 600.0
"""Between two publications; records in a DHT fade."""
