"""Members that break the rules, each by its name. See `adversary` for what all of them can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.adversaries.adversary import Adversary, install
from sim.adversaries.checkpoints import FalseCheckpoints
from sim.adversaries.coin import CoinForcing
from sim.adversaries.copies import TwoCopies
from sim.adversaries.forging import ForgesTransactions
from sim.adversaries.forking import (
    EquivocatesEarly,
    EquivocatesInPartition,
    EquivocatesLate,
    EquivocatesNested,
)
from sim.adversaries.keeping import FalseVectors, Mute, Selective, Withholds
from sim.adversaries.making import (
    BadSignatures,
    CopiesTransactions,
    FalseTimes,
    PhantomParents,
    StaleParents,
)

__all__ = ["ADVERSARIES", "Adversary", "install"]

ADVERSARIES: Final[Mapping[str, type[Adversary]]] = {
    "equivocates early": EquivocatesEarly,
    "equivocates late": EquivocatesLate,
    "equivocates nested": EquivocatesNested,
    "equivocates in a partition": EquivocatesInPartition,
    "two copies": TwoCopies,
    "withholds": Withholds,
    "selective": Selective,
    "mute": Mute,
    "false vectors": FalseVectors,
    "stale parents": StaleParents,
    "false times": FalseTimes,
    "bad signatures": BadSignatures,
    "phantom parents": PhantomParents,
    "copies transactions": CopiesTransactions,
    "forges transactions": ForgesTransactions,
    "false checkpoints": FalseCheckpoints,
    "coin forcing": CoinForcing,
}
"""All kinds."""
