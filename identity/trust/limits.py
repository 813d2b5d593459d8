"""Bounds and constants of trust as one cell sees it, each with its reason."""

from __future__ import annotations

from typing import Final

DAMPING: Final = 0.7
"""What one step away takes of trust: a friend's friend counts 0.7 of what the friend says. PageRank
on the web takes 0.85; people are trusted over fewer steps than pages."""

SHARES_MIN: Final = 5.0
"""An issuer's word is shared among what it attests, as if that were at least so much. So nobody
hands on more than a fifth of its trust by one attestation, and with DAMPING a cluster of any
size that got one attestation stays below 0.21 (docs/adr/0022-trust.md has the sum)."""

INDIRECT_MAX: Final = 0.85
"""What the words of others can come to, however many: full access (0.9) takes the own word."""

INTERACTION_WEIGHT_MAX: Final = 0.09
"""What any number of interactions with one cell is worth, beside an attestation of 0 to 1. They are
cheap to have: with as many as it likes, and one attestation by a friend, a stranger stays below 0.3
(0.09 and 0.21)."""

INTERACTIONS_TOTAL_MAX: Final = 1.0
"""What an issuer's interactions weigh together: as one attestation. Else whoever makes it deal with
a thousand strangers would make its attestations worth little."""

INTERACTIONS_KEPT_MAX: Final = 8
"""Newest interactions of a pair that count: each takes half of what is left: eight are 99.6 %."""

PERIOD_S: Final = 9 * 86_400
"""Ages are counted in periods of nine days, so that all weights stay as they are within one; at the
end of a period they lose 3.4 %, and everything is computed anew, in slices."""

HALF_LIFE_PERIODS: Final = 20
"""After half a year (180 days) a word counts half."""

LIFE_PERIODS_MAX: Final = 200
"""After ten half-lives, five years, it counts nothing: less than a thousandth would be left."""

TOLERANCE: Final = 1e-6
"""Changes below this are not passed on: one more step would change a score by less than the sixth
decimal, and people are shown two. With 10,000 cells ≈ 20 ms a change, and 1e-7 takes ≈ 60."""

CELLS_MAX: Final = 65_536
"""Cells of one graph, ≈ 0.8 KB each without their edges: beyond, new ones are not taken in."""

EDGES_MAX: Final = 524_288
"""Edges of one graph, ≈ 0.3 KB each: 160 MB at the very most, 30 MB with 100,000."""

PATHS_MAX: Final = 8
"""Paths that explain a score; a person reads three."""

PATH_STEPS_MAX: Final = 6
"""Steps of a path: DAMPING and the shares leave less than 0.001 of what is further away."""

PATH_LOOKS_MAX: Final = 16_384
"""Edges that are looked at for one explanation, before the last cell's: ≈ 50 ms."""

INTERACTION_SKEW_S: Final = 300
"""How far the time of an interaction may be from the clock of the cell that signs it."""

INTERACTION_SIZE_BYTES_MAX: Final = 512
"""An encoded interaction has 333 bytes at the most."""

INTERACTIONS_OF_PAGE_MAX: Final = 8
"""Interactions that a cell shows in one answer; whoever wants more asks again."""

INTERACTIONS_ASK_SIZE_BYTES_MAX: Final = 128
"""A question for interactions has 66 bytes at the most."""

INTERACTIONS_PAGE_SIZE_BYTES_MAX: Final = 60_000
"""A page of eight with the longest head (16 KiB) and the longest proofs (4.5 KB each) has 53 KB."""

POLICY_SCOPES_MAX: Final = 4
"""Scopes that the rows of a policy name: each has a graph that is kept up all the time."""

SCOPE_LENGTH_MAX: Final = 64
"""Letters of a scope's name, as attestations allow."""
